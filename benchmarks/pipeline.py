"""The five stages as they run at night, beside loops around pngquant and around the engine on the same files.

The loop around the engine runs on local files, and from HDFS to HDFS, with files and with packs.

Time is start-up (of a handful of images) and a slope: seconds for each image more. An HDFS of its own is started for
it, and ended; the stages are spark-submits as Airflow starts them, on local[2] or another master.

    python -m benchmarks.pipeline --images DIR --counts 8 500 4000 --output build/bench
"""

from __future__ import annotations

import argparse
import csv
import itertools
import json
import multiprocessing
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import hdfs_native
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image

from chromapress.config import DatasetConfig, parse
from chromapress.paths import DEFAULT_ROOT, STAGES, DatasetPaths
from chromapress.press import press
from chromapress.publication import current
from chromapress.storage import hdfs as store_of
from stack import control, hdfs, spark
from stack.home import DEFAULT_PORTS, Home
from stack.process import family

PROJECT: Final = Path(__file__).parents[1]
PARTITION: Final = "dt=2026-01-01"
PROCESSES: Final = 2
PACKED: Final = 200  # images of a pack, some 128 MB
ROW_GROUP: Final = 16
FILES_AT_ONCE: Final = 64  # that a process of the loop from HDFS to HDFS takes
WRITERS: Final = 32  # and that it reads or writes at once
PACK: Final = pa.schema([("relative_path", pa.string()), ("content", pa.binary())])
SAMPLE_S: Final = 0.2
TICKS: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Measure:
    """What one way took for so many images."""

    way: str
    images: int
    stage: str  # or "all"
    wall_s: float
    cpu_s: float
    peak_driver_mb: int = 0
    peak_python_mb: int = 0  # of the largest worker
    gb_s: float = 0.0  # resident memory of all its processes, over time
    shuffled_bytes: int = 0
    namenode_objects: int = 0
    bytes_out: int = 0
    mse: float = 0.0  # squared error of a pixel, summed over its channels; mean over the first images


def photographs(folder: Path, width: int, height: int) -> list[NDArray[np.uint8]]:
    """A piece of each image that has one of the size, turned where need be: uint8 [height, width, 3]."""
    found = []
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in (".png", ".jpg", ".jpeg"):
            with Image.open(path) as image:
                pixels = np.asarray(image.convert("RGB"))
            if pixels.shape[0] > pixels.shape[1]:
                pixels = pixels.transpose(1, 0, 2)
            if pixels.shape[0] >= height and pixels.shape[1] >= width:
                found.append(pixels[:height, :width])
    if not found:
        raise SystemExit(f"{folder}: expected PNG or JPEG files of {width}x{height} pixels or more")
    return found


def variants(folder: Path, number: int, target: Path, width: int, height: int) -> list[Path]:
    """So many different photographs from those of a folder: rolled, and shifted in level."""
    sources = photographs(folder, width, height)
    target.mkdir(parents=True, exist_ok=True)

    def make(index: int) -> Path:
        path = target / f"{index:06}.png"
        if not path.exists():
            pixels = sources[index % len(sources)].astype(np.int16)
            if index >= len(sources):
                random = np.random.default_rng(index)
                pixels = np.roll(pixels, random.integers(0, height, 2), (0, 1)) + random.integers(-6, 7, 3)
            aside = path.with_suffix(".part")
            Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(aside, "PNG", compress_level=3)
            aside.replace(path)
        return path

    with ThreadPoolExecutor(PROCESSES) as makers:
        return list(makers.map(make, range(number)))


class Watch:
    """CPU and memory of a process and all its descendants, sampled while it runs."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.cpu: dict[int, int] = {}
        self.peaks: dict[int, tuple[str, int]] = {}
        self.gb_s = 0.0
        self.looked = time.perf_counter()

    def look(self) -> None:
        since, self.looked = self.looked, time.perf_counter()
        for process in family(self.pid):
            try:
                folder = Path(f"/proc/{process.pid}")
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                status = (folder / "status").read_text()
                program = (folder / "comm").read_text().strip()
            except (FileNotFoundError, ProcessLookupError):
                continue
            self.cpu[process.pid] = int(fields[11]) + int(fields[12])
            if "VmHWM:" in status:
                peak_kb = int(status.split("VmHWM:")[1].split()[0])
                self.peaks[process.pid] = (program, peak_kb >> 10)
                # What is shared, counts for each: it is an upper bound.
                self.gb_s += int(status.split("VmRSS:")[1].split()[0]) * 1024e-9 * (self.looked - since)

    def cpu_s(self) -> float:
        return sum(self.cpu.values()) / TICKS

    def peak_mb(self, program: str) -> int:
        return max((mb for name, mb in self.peaks.values() if name.startswith(program)), default=0)


def timed(command: list[str], environment: dict[str, str], log: Path) -> tuple[float, float, Watch]:
    """Wall and CPU seconds of a command, with all its descendants."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    with log.open("ab") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output, start_new_session=True)
        watch = Watch(process.pid)
        while process.poll() is None:
            watch.look()
            time.sleep(SAMPLE_S)
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if process.returncode:
        raise SystemExit(f"{command[0]} ended with {process.returncode}, see {log}")
    # Whichever saw more: the sum misses what a process did after the last look, the kernel whom nobody waited for.
    reaped = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, max(watch.cpu_s(), reaped), watch


def shuffled(events: Path) -> int:
    """Bytes written to shuffles, from Spark's event log."""
    total = 0
    for file in events.rglob("*"):
        if file.is_file() and not file.name.startswith("."):
            for line in file.read_text(errors="replace").splitlines():
                if '"SparkListenerTaskEnd"' in line:
                    metrics = json.loads(line).get("Task Metrics") or {}
                    total += metrics.get("Shuffle Write Metrics", {}).get("Shuffle Bytes Written", 0)
    return total


def namenode_objects(path: str) -> int:
    """Directories, files and their blocks below a path, one for each: a pack may have two."""
    summary = hdfs_native.Client().get_content_summary(path)
    return int(summary.directory_count + 2 * summary.file_count)


def land(files: list[Path], directory: str, config: DatasetConfig) -> None:
    """Put the files into HDFS, as they are or packed."""
    store = store_of()
    if config.source.layout == "files":
        with ThreadPoolExecutor(8) as writers:
            list(writers.map(lambda path: store.write(f"{directory}/{path.name}", path.read_bytes()), files))
        return
    for first in range(0, len(files), PACKED):
        some = files[first : first + PACKED]
        write_pack(f"{directory}/{first:06}.parquet", [(path.name, path.read_bytes()) for path in some])


def write_pack(path: str, images: list[tuple[str, bytes]]) -> None:
    """A pack of (relative path, content)."""
    rows = [{"relative_path": name, "content": content} for name, content in images]
    with store_of().writer(path) as sink:
        pq.write_table(pa.Table.from_pylist(rows, PACK), sink, compression="none", row_group_size=ROW_GROUP)


def stages(
    home: Home, way: str, files: list[Path], settings: dict[str, Any], master: str, log: Path
) -> Iterator[Measure]:
    """The five stages over the files, each measured, and all together."""
    dataset = f"bench-{len(files)}"
    partition = DatasetPaths(DEFAULT_ROOT, dataset).partition(PARTITION)
    config = parse(settings, way)
    store = store_of()
    land(files, partition.landing, config)
    objects = namenode_objects(partition.landing)
    environment = {**os.environ, **hdfs.environment(home), **spark.environment(home)}
    environment["PYTHONPATH"] = os.pathsep.join([str(PROJECT / "jobs"), os.environ.get("PYTHONPATH", "")])
    rows = []
    for stage in STAGES:
        with tempfile.TemporaryDirectory() as events:
            conf = {
                "spark.log.level": "WARN",
                "spark.eventLog.enabled": "true",
                "spark.eventLog.compress": "false",
                "spark.eventLog.dir": f"file:{events}",
            }
            submit = [str(Path(sys.executable).with_name("spark-submit")), "--master", master]
            submit += ["--driver-memory", "3g"]
            submit += [part for key, value in conf.items() for part in ("--conf", f"{key}={value}")]
            job = [str(PROJECT / "jobs" / f"{stage}.py"), "--dataset", dataset, "--partition", PARTITION, "--run", way]
            if stage == "ingest":
                job += ["--config", config.canonical_json()]
            wall, cpu, watch = timed([*submit, *job], environment, log)
            peaks = watch.peak_mb("java"), watch.peak_mb("python")
            rows.append(Measure(way, len(files), stage, wall, cpu, *peaks, watch.gb_s, shuffled(Path(events))))
            yield rows[-1]
    made = current(store, partition)
    manifest = made.manifest(["relative_path", "published_path", "published_size_bytes", "pack", "psnr_db", "outcome"])
    sizes = manifest["published_size_bytes"].to_pylist()
    # Mean over channels and pixels follows from PSNR; three channels are summed.
    errors = [3 * 255**2 * 10 ** (-row["psnr_db"] / 10) for row in manifest.to_pylist() if row["psnr_db"] is not None]
    yield Measure(
        way,
        len(files),
        "all",
        sum(row.wall_s for row in rows),
        sum(row.cpu_s for row in rows),
        max(row.peak_driver_mb for row in rows),
        max(row.peak_python_mb for row in rows),
        sum(row.gb_s for row in rows),
        sum(row.shuffled_bytes for row in rows),
        namenode_objects(f"{DEFAULT_ROOT}/{dataset}") - objects,
        sum(sizes),
        float(np.mean(errors)),
    )
    store.delete(f"{DEFAULT_ROOT}/{dataset}")


def pngquant_loop(files: list[Path], log: Path) -> Measure:
    """find | xargs pngquant, at 256 colours without dithering, on all cores."""
    program = shutil.which("pngquant")
    if program is None:
        raise SystemExit("pngquant is not on PATH")
    with tempfile.TemporaryDirectory() as folder:
        for path in files:
            (Path(folder) / path.name).symlink_to(path)
        each = f"{program} --nofs --ext .8.png 256 --"
        loop = f"find {folder} -name '*.png' -print0 | OMP_NUM_THREADS=1 xargs -0 -n 8 -P{PROCESSES} {each}"
        wall, cpu, watch = timed(["bash", "-c", loop], dict(os.environ), log)
        made = [Path(folder) / f"{path.stem}.8.png" for path in files]
        size = sum(path.stat().st_size for path in made)
        errors = []
        for source, path in list(zip(files, made, strict=True))[:24]:
            before, after = (np.asarray(Image.open(one).convert("RGB"), np.float64) for one in (source, path))
            errors.append(float(np.mean(np.sum((before - after) ** 2, axis=2))))
    mse = float(np.mean(errors))
    return Measure("pngquant", len(files), "all", wall, cpu, gb_s=watch.gb_s, bytes_out=size, mse=mse)


def _press(task: tuple[Path, str]) -> int:
    path, config = task
    pressed = press(path.read_bytes(), parse(json.loads(config), "bench"))
    return len(pressed.content or b"")


def _press_packed(task: tuple[str, int, str, str]) -> int:
    pack, number, target, text = task
    config = parse(json.loads(text), "bench")
    with store_of().reader(pack) as stream, pq.ParquetFile(stream) as file:
        rows = file.read_row_group(number).to_pylist()
    made = [(row["relative_path"], press(row["content"], config).content or b"") for row in rows]
    write_pack(f"{target}/{Path(pack).stem}-{number}.parquet", made)
    return sum(len(content) for _, content in made)


def _press_files(task: tuple[list[str], str, str]) -> int:
    paths, target, text = task
    store, config, size, writes = store_of(), parse(json.loads(text), "bench"), 0, []
    with ThreadPoolExecutor(WRITERS) as pool:
        for path, content in zip(paths, pool.map(store.read, paths), strict=True):
            made = press(content, config).content or b""
            writes.append(pool.submit(store.write, f"{target}/{Path(path).name}", made))
            size += len(made)
        for write in writes:
            write.result()
    return size


def engine_loop(way: str, files: list[Path], config: dict[str, Any]) -> Measure:
    """Two processes that do the same arithmetic with nothing around it."""
    text = json.dumps(config)
    return looped(f"loop around {way}", len(files), _press, [(path, text) for path in files], 4)


def hdfs_loop(way: str, files: list[Path], config: dict[str, Any]) -> Measure:
    """The same from HDFS to HDFS, files or packs, with no stages: what a store takes, whatever uses it."""
    base, text = f"{DEFAULT_ROOT}/loop-{len(files)}", json.dumps(config)
    landing, made = f"{base}/landing", f"{base}/made"
    land(files, landing, parse(config, way))
    if way.endswith("packed"):
        packed = [
            (f"{landing}/{pack:06}.parquet", group, made, text)
            for pack in range(0, len(files), PACKED)
            for group in range(-(-min(PACKED, len(files) - pack) // ROW_GROUP))
        ]
        measure = looped(f"HDFS loop around {way}", len(files), _press_packed, packed, 1)
    else:
        paths = [f"{landing}/{path.name}" for path in files]
        alone = [(paths[first : first + FILES_AT_ONCE], made, text) for first in range(0, len(paths), FILES_AT_ONCE)]
        measure = looped(f"HDFS loop around {way}", len(files), _press_files, alone, 1)
    store_of().delete(base)
    return measure


def looped(name: str, images: int, work: Callable[[Any], int], tasks: list[Any], chunk: int) -> Measure:
    """What two processes take that each do a task after the other; a task's value is the bytes that it made."""
    with multiprocessing.get_context("spawn").Pool(PROCESSES) as pool:
        pool.map(work, tasks[:4], 1)  # imports
        before, start = _children_cpu(pool), time.perf_counter()
        sizes = pool.map(work, tasks, chunk)
        wall, cpu = time.perf_counter() - start, _children_cpu(pool) - before
    return Measure(name, images, "all", wall, cpu, bytes_out=sum(sizes))


def _children_cpu(pool: Any) -> float:
    total = 0
    for process in pool._pool:
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICKS


RULE: Final[dict[str, Any]] = {"compression": {"effort": 1}}
K256: Final[dict[str, Any]] = {**RULE, "palette": {"rule": "fixed", "k": 256, "candidates": []}}
PACKS: Final = {"source": {"layout": "parquet"}, "publish": {"layout": "parquet"}}
CONFIGS: Final = {
    "k=256": K256,
    "k=256 packed": {**K256, **PACKS},
    "silhouette_floor": RULE,
    "silhouette_floor packed": {**RULE, **PACKS},
    "defaults": {},
}


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m benchmarks.pipeline", description=__doc__)
    parser.add_argument("--images", type=Path, required=True, help="photographs of that size or more")
    parser.add_argument("--counts", type=int, nargs="+", default=[8, 500, 4000])
    parser.add_argument("--ways", nargs="+", choices=CONFIGS, default=list(CONFIGS))
    parser.add_argument("--master", default=f"local[{PROCESSES}]", help="Spark's (%(default)s)")
    parser.add_argument("--size", type=int, nargs=2, default=[768, 512], help="width and height (%(default)s)")
    parser.add_argument("--loops", action=argparse.BooleanOptionalAction, default=True, help="the loops beside it")
    parser.add_argument("--output", type=Path, default=Path("build/bench"))
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    # What pngquant gets are links to the photographs here.
    output = args.output.resolve()
    output.mkdir(parents=True, exist_ok=True)
    log = output / "pipeline.log"
    width, height = args.size
    made = output / f"photographs-{width}x{height}"
    files = variants(args.images, max(args.counts), made, width, height)
    measures: list[Measure] = []

    def tell(measure: Measure) -> None:
        measures.append(measure)
        print(
            f"{measure.way:<28}{measure.images:>6} {measure.stage:<10}{measure.wall_s:8.1f} s wall "
            f"{measure.cpu_s:8.1f} s CPU {measure.peak_driver_mb:6} MB driver {measure.peak_python_mb:5} MB Python "
            f"{measure.shuffled_bytes / 1e6:8.1f} MB shuffled {measure.namenode_objects:6} objects "
            f"{measure.bytes_out / max(measure.images, 1) / 1000:7.1f} kB an image, MSE {measure.mse:.1f}",
            flush=True,
        )

    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder), {name: port + 1500 for name, port in DEFAULT_PORTS.items()})
        hdfs.prepare(home)
        spark.configure(home)
        spark.make_archives(print)
        os.environ.update(hdfs.environment(home))
        try:
            control.up(home, hdfs.services(home), print)
            hdfs.make_root(home.url("namenode_http"))
            for count in args.counts:
                some = files[:count]
                for way in args.ways:
                    for measure in stages(home, way, some, CONFIGS[way], args.master, log):
                        tell(measure)
                    if args.loops:
                        # With packs, the arithmetic is the same as with files.
                        if not way.endswith("packed"):
                            tell(engine_loop(way, some, CONFIGS[way]))
                        tell(hdfs_loop(way, some, CONFIGS[way]))
                if args.loops:
                    tell(pngquant_loop(some, log))
        finally:
            control.down(home, hdfs.ROLES[::-1], print)
    with (output / "pipeline.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(asdict(measures[0])))
        writer.writeheader()
        writer.writerows(asdict(one) for one in measures)
    rates(measures, width * height / 1e6)
    slopes(measures, args.counts)


def rates(measures: list[Measure], megapixels: float) -> None:
    """What a second brings, and what a thousand images take, start-up and all."""
    for one in measures:
        if one.stage == "all":
            speed, thousands = one.images / one.wall_s, one.images / 1000
            memory = f", {one.gb_s / 3600 / thousands:.3f} GB-hours" if one.gb_s else ""
            print(
                f"{one.way:<28}{one.images:>6} images: {speed:6.1f} images/s, {speed * megapixels:6.2f} megapixels/s; "
                f"for 1,000 {one.cpu_s / thousands:7.1f} s CPU{memory}"
            )


def slopes(measures: list[Measure], counts: list[int]) -> None:
    """Seconds and CPU seconds of each image more, between the two largest numbers of images."""
    whole = [one for one in measures if one.stage == "all"]
    if len(counts) < 2:
        return
    low, high = sorted(counts)[-2:]
    for way, of_way in itertools.groupby(sorted(whole, key=lambda one: one.way), key=lambda one: one.way):
        by_count = {one.images: one for one in of_way}
        wall, cpu = (
            (getattr(by_count[high], name) - getattr(by_count[low], name)) / (high - low)
            for name in ("wall_s", "cpu_s")
        )
        print(f"{way:<40} {1000 * wall:7.1f} ms an image, {1000 * cpu:7.1f} ms CPU, between {low} and {high}")


if __name__ == "__main__":
    main()
