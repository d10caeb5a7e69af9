"""The engine beside its peers, on a folder of images: palettes, dithering, choosing k, then files.

Every tool gets the same pixels (or the same index map) in the same process, one after the other for each image, and
its CPU time is the best of a few runs: the ratios hold on a busy machine, the milliseconds do not. A peer that is not
installed is left out, and named. quantette is a small Rust library beside this file, built on demand with cargo.

    python -m benchmarks.engine --images ../photos --output build/bench
"""

import argparse
import csv
import ctypes
import importlib
import io
import os
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import mean, median
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from chromapress import engine

U8 = NDArray[np.uint8]
Quantizer = Callable[[U8, int], tuple[U8, U8]]  # pixels, k -> palette [k, 4], indices
Encoder = Callable[[U8, U8], bytes]  # indices, palette [k, 4] -> file

HERE = Path(__file__).parent
OURS = "chromapress"


@dataclass(frozen=True)
class Row:
    section: str
    image: str
    k: int
    tool: str
    cpu_ms: float
    result: float  # in the section's unit


# What a section's results are, and the tool that the others are compared with.
SECTIONS = {
    "palettes": ("squared error", OURS),  # per pixel, summed over channels
    "dithered": ("1 - SSIM", OURS),
    "candidates": ("squared error", OURS),  # the mean over the candidates
    "files": ("bytes", f"{OURS} 5"),
}
CANDIDATES = (2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)


def chromapress(pixels: U8, k: int) -> tuple[U8, U8]:
    colors, counts = engine.histogram(pixels)
    palette = engine.kmeans(colors, counts, k).palette
    return palette, engine.map_pixels(pixels, palette)


def chromapress_dithered(pixels: U8, k: int) -> tuple[U8, U8]:
    palette, _ = chromapress(pixels, k)
    return palette, engine.map_pixels(pixels, palette, dither=1.0)


def opaque(colors: U8) -> U8:
    return np.concatenate([colors, np.full((len(colors), 1), 255, np.uint8)], axis=1)


def quantette() -> Quantizer:
    """K-means in sRGB, on this processor's instructions; opaque images only."""
    cargo = shutil.which("cargo")
    if cargo is None:
        raise ImportError("cargo is not installed")
    target = HERE.parent / "build" / "quantette"
    subprocess.run(
        [cargo, "build", "--release", "--quiet", "--target-dir", target],
        cwd=HERE / "quantette",
        env={**os.environ, "RUSTFLAGS": "-C target-cpu=native"},  # its best, dependencies included
        check=True,
    )
    library = ctypes.CDLL(str(target / "release" / "libquantette_bench.so"))

    def quantize(pixels: U8, k: int) -> tuple[U8, U8]:
        if pixels.shape[2] != 3:
            raise ValueError("quantette has no alpha")
        height, width = pixels.shape[:2]
        colors, indices = np.zeros((256, 3), np.uint8), np.zeros((height, width), np.uint8)
        count = library.quantize(
            pixels.ctypes.data_as(ctypes.c_void_p),
            ctypes.c_uint32(width),
            ctypes.c_uint32(height),
            ctypes.c_uint16(k),
            colors.ctypes.data_as(ctypes.c_void_p),
            indices.ctypes.data_as(ctypes.c_void_p),
        )
        return opaque(colors[:count]), indices

    return quantize


def imagequant(dithering: float = 0.0) -> Quantizer:
    """pngquant's library at its default speed."""
    module = importlib.import_module("imagequant")

    def quantize(pixels: U8, k: int) -> tuple[U8, U8]:
        height, width = pixels.shape[:2]
        flat = pixels if pixels.shape[2] == 4 else opaque(pixels.reshape(-1, 3))
        raw, palette = module.quantize_raw_rgba_bytes(
            flat.tobytes(), width, height, dithering_level=dithering, max_colors=k
        )
        return np.array(palette, np.uint8).reshape(-1, 4), np.frombuffer(raw, np.uint8).reshape(height, width)

    return quantize


def scikit_learn() -> Quantizer:
    """KMeans on the distinct colours, weighted, from one k-means++ start."""
    cluster = importlib.import_module("sklearn.cluster")

    def quantize(pixels: U8, k: int) -> tuple[U8, U8]:
        if pixels.shape[2] != 3:
            raise ValueError("opaque images only")
        colors, inverse, counts = np.unique(pixels.reshape(-1, 3), axis=0, return_inverse=True, return_counts=True)
        model = cluster.KMeans(min(k, len(colors)), n_init=1, random_state=0)
        labels = model.fit(colors.astype(np.float32), sample_weight=counts).labels_
        palette = np.rint(model.cluster_centers_).astype(np.uint8)
        return opaque(palette), labels[inverse].reshape(pixels.shape[:2]).astype(np.uint8)

    return quantize


def pillow(pixels: U8, k: int) -> tuple[U8, U8]:
    """Its default: median cut, with alpha a fast octree."""
    method = Image.Quantize.MEDIANCUT if pixels.shape[2] == 3 else Image.Quantize.FASTOCTREE
    image = Image.fromarray(pixels).quantize(k, method=method, dither=Image.Dither.NONE)
    raw = np.array(image.getpalette("RGBA"), np.uint8).reshape(-1, 4)
    return raw, np.asarray(image)


def pillow_file(indices: U8, palette: U8) -> bytes:
    image = Image.fromarray(indices)
    image.putpalette(palette[:, :3].tobytes())
    out = io.BytesIO()
    alpha = palette[:, 3]
    if (alpha < 255).any():
        image.save(out, "PNG", transparency=alpha.tobytes())
    else:
        image.save(out, "PNG")
    return out.getvalue()


def oxipng(level: int) -> Encoder:
    module = importlib.import_module("oxipng")

    def encode(indices: U8, palette: U8) -> bytes:
        encoded: bytes = module.optimize_from_memory(pillow_file(indices, palette), level=level)
        return encoded

    return encode


def squared_error(pixels: U8, palette: U8, indices: U8) -> float:
    """Per pixel, summed over the channels of premultiplied RGBA (of RGB, where there is no alpha)."""

    def premultiplied(a: U8) -> NDArray[np.float64]:
        levels = a.astype(np.float64)
        if a.shape[2] == 4:
            levels[..., :3] *= levels[..., 3:] / 255
        return levels

    got = palette[indices][..., : pixels.shape[2]]
    return float(((premultiplied(pixels) - premultiplied(got)) ** 2).sum() / indices.size)


def timed(call: Callable[[], Any], repeat: int) -> tuple[float, Any]:
    best = float("inf")
    for _ in range(repeat):
        start = time.process_time()
        result = call()
        best = min(best, 1000 * (time.process_time() - start))
    return best, result


def available(makers: dict[str, Callable[[], Any]]) -> dict[str, Any]:
    tools = {}
    for name, make in makers.items():
        try:
            tools[name] = make()
        except ImportError as error:
            print(f"without {name}: {error}", file=sys.stderr)
    return tools


def load(folders: Iterable[Path]) -> dict[str, U8]:
    images = {}
    for path in sorted(p for folder in folders for p in folder.iterdir() if p.suffix in {".png", ".jpg"}):
        with Image.open(path) as image:
            mode = "RGBA" if image.mode in {"RGBA", "LA", "PA"} or "transparency" in image.info else "RGB"
            images[path.name] = np.asarray(image.convert(mode))
    return images


def measure_palettes(images: dict[str, U8], ks: list[int], tools: dict[str, Quantizer], repeat: int) -> list[Row]:
    rows = []
    for name, pixels in images.items():
        for k in ks:
            for tool, quantize in tools.items():
                if pixels.shape[2] == 4 and tool in {"quantette", "scikit-learn"}:
                    continue
                slow = tool == "scikit-learn"
                ms, (palette, indices) = timed(partial(quantize, pixels, k), 1 if slow else repeat)
                rows.append(Row("palettes", name, k, tool, ms, squared_error(pixels, palette, indices)))
    return rows


def measure_dithered(images: dict[str, U8], ks: list[int], tools: dict[str, Quantizer]) -> list[Row]:
    rows = []
    for name, pixels in images.items():
        for k in ks:
            for tool, quantize in tools.items():
                ms, (palette, indices) = timed(partial(quantize, pixels, k), 1)
                got = np.ascontiguousarray(palette[indices][..., : pixels.shape[2]])
                rows.append(Row("dithered", name, k, tool, ms, 1 - engine.ssim(pixels, got)))
    return rows


def measure_candidates(images: dict[str, U8], repeat: int) -> list[Row]:
    """The default candidates with silhouettes and errors: in one call, and in a call for each."""

    def at_once(colors: U8, counts: NDArray[np.int64], ks: list[int]) -> list[float]:
        return [one.error for one in engine.curve(colors, counts, ks)]

    def one_by_one(colors: U8, counts: NDArray[np.int64], ks: list[int]) -> list[float]:
        errors = []
        for k in ks:
            clustering = engine.kmeans(colors, counts, k)
            engine.silhouette(colors, counts, clustering.labels)
            errors.append(engine.palette_error(colors, counts, clustering.palette))
        return errors

    rows = []
    for name, pixels in images.items():
        colors, counts = engine.histogram(pixels)
        least = 3 if pixels.shape[2] == 4 else 2  # transparent, translucent and opaque
        ks = [k for k in CANDIDATES if least <= k < len(colors)]
        for tool, measure in ((OURS, at_once), ("one by one", one_by_one)):
            if not ks:
                continue
            ms, errors = timed(partial(measure, colors, counts, ks), repeat)
            pixels_count = pixels.shape[0] * pixels.shape[1]
            rows.append(Row("candidates", name, len(ks), tool, ms, mean(errors) / pixels_count))
    return rows


def measure_files(images: dict[str, U8], ks: list[int], tools: dict[str, Encoder], repeat: int) -> list[Row]:
    rows = []
    for name, pixels in images.items():
        for k in ks:
            palette, indices = chromapress(pixels, k)
            for tool, encode in tools.items():
                quick = tool in {"Pillow", f"{OURS} 1"}
                ms, file = timed(partial(encode, indices, palette), repeat if quick else 1)
                rows.append(Row("files", name, k, tool, ms, len(file)))
    return rows


def elapsed_by_threads(images: dict[str, U8], repeat: int) -> dict[int, float]:
    """Seconds in which one Python thread and two quantize all images; with a second idle processor, half as many for
    two, since no call holds the interpreter's lock."""
    least: dict[int, float] = {}
    for _ in range(repeat):
        for threads in (1, 2):
            with ThreadPoolExecutor(threads) as pool:
                start = time.perf_counter()
                list(pool.map(partial(chromapress, k=256), images.values()))
                least[threads] = min(least.get(threads, float("inf")), time.perf_counter() - start)
    return least


def table(rows: list[Row], section: str) -> str:
    """Means of each tool, and over images the medians and least of its results and times against ours."""
    by: dict[tuple[int, str], dict[str, Row]] = defaultdict(dict)
    for row in rows:
        if row.section == section:
            by[row.k, row.tool][row.image] = row
    unit, base = SECTIONS[section]
    lines = [
        f"| k | {section} | {unit} | CPU ms | {unit} / {base}, median | least | CPU / {base}, median | least |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for (k, tool), of_tool in sorted(by.items(), key=lambda item: item[0][0]):
        pairs = [(row, by[k, base][image]) for image, row in of_tool.items()]
        results = [row.result / ours.result for row, ours in pairs if ours.result > 0] or [1.0]
        cpus = [row.cpu_ms / ours.cpu_ms for row, ours in pairs]
        means = mean(row.result for row, _ in pairs), mean(row.cpu_ms for row, _ in pairs)
        digits = {"files": 0, "dithered": 4}.get(section, 2)
        lines.append(
            f"| {k} | {tool} | {means[0]:.{digits}f} | {means[1]:.1f} | {median(results):.3f} | {min(results):.3f} "
            f"| {median(cpus):.2f} | {min(cpus):.2f} |"
        )
    return "\n".join(lines)


def plot(rows: list[Row], path: Path) -> None:
    from matplotlib.figure import Figure  # noqa: PLC0415 - only where a plot is wanted

    figure = Figure(figsize=(11, 4.5), layout="constrained")
    for axes, section in zip(figure.subplots(1, 2), ("palettes", "files"), strict=True):
        points: dict[str, dict[int, list[Row]]] = defaultdict(lambda: defaultdict(list))
        for row in rows:
            if row.section == section:
                points[row.tool][row.k].append(row)
        for tool, by_k in points.items():
            ks = sorted(by_k)
            axes.plot(
                [mean(r.cpu_ms for r in by_k[k]) for k in ks],
                [mean(r.result for r in by_k[k]) for k in ks],
                marker="o",
                label=tool,
            )
        axes.set(xscale="log", yscale="log", xlabel="CPU ms per image", title=section)
        axes.set_ylabel("squared error per pixel" if section == "palettes" else "bytes")
        axes.legend(fontsize="small")
    figure.savefig(path, dpi=120)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.engine", description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--images", type=Path, nargs="+", required=True, help="folders of PNG and JPEG files")
    parser.add_argument("--output", type=Path, default=Path("build/bench"), help="where the CSV and the plot go")
    parser.add_argument("--k", type=int, nargs="+", default=[16, 64, 256])
    parser.add_argument("--repeat", type=int, default=3, help="runs of each quick tool; the best counts")
    parser.add_argument("--slow", action="store_true", help="also scikit-learn, oxipng -o4 and effort 9")
    arguments = parser.parse_args(argv)
    images = load(arguments.images)
    quantizers: dict[str, Callable[[], Quantizer]] = {
        OURS: lambda: chromapress,
        "quantette": quantette,
        "imagequant": imagequant,
        "Pillow": lambda: pillow,
    }
    encoders: dict[str, Callable[[], Encoder]] = {
        f"{OURS} {effort}": partial(partial, engine.encode_png, effort=effort)
        for effort in ((1, 5, 9) if arguments.slow else (1, 5))
    }
    encoders |= {"Pillow": lambda: pillow_file, "oxipng -o2": lambda: oxipng(2)}
    if arguments.slow:
        quantizers["scikit-learn"] = scikit_learn
        encoders["oxipng -o4"] = lambda: oxipng(4)
    rows = measure_palettes(images, arguments.k, available(quantizers), arguments.repeat)
    print(table(rows, "palettes"), "\n", flush=True)
    elapsed_s = elapsed_by_threads(images, arguments.repeat)
    share = elapsed_s[2] / elapsed_s[1]
    print(f"two Python threads take {share:.2f} of one's time for all images, k = 256\n", flush=True)
    dithering: dict[str, Callable[[], Quantizer]] = {
        OURS: lambda: chromapress_dithered,
        "imagequant": lambda: imagequant(1.0),
    }
    rows += measure_dithered(images, arguments.k, available(dithering))
    print(table(rows, "dithered"), "\n", flush=True)
    rows += measure_candidates(images, arguments.repeat)
    print(table(rows, "candidates"), "\n", flush=True)
    rows += measure_files(images, arguments.k, available(encoders), arguments.repeat)
    print(table(rows, "files"))
    arguments.output.mkdir(parents=True, exist_ok=True)
    with (arguments.output / "engine.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(Row.__dataclass_fields__)
        writer.writerows([r.section, r.image, r.k, r.tool, f"{r.cpu_ms:.3f}", f"{r.result:.4f}"] for r in rows)
    plot(rows, arguments.output / "engine.png")


if __name__ == "__main__":
    main()
