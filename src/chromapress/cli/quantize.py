"""`chromapress quantize`: one image, or a folder's images into a tree like it."""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from chromapress import naming
from chromapress.cli import files
from chromapress.cli.failure import NO_INPUT, USAGE, Failure
from chromapress.cli.options import add_configuration, configuration
from chromapress.cli.terminal import shown, size
from chromapress.config import DatasetConfig
from chromapress.encoding import PALETTE_CODECS
from chromapress.outcome import Outcome
from chromapress.press import Finished, Pressed, press

_EPILOG: Final = """\
Without options, an image gets the fewest colours that reach a PSNR of 32 dB with a silhouette near the best. An image
that would not get smaller, or has several frames or pages, is copied as it is. A photograph that comes as JPEG mostly
is: a palette file is larger at the same quality. With --codec auto, lossy WebP and AVIF compete.

examples:
  chromapress quantize photo.png -o smaller.png
  chromapress quantize photo.png -k 16 -o sixteen.png --plot figure.png
  chromapress quantize scans/ -o smaller/ --rule quality --min-psnr-db 36 --effort 9
  chromapress quantize - -o - < photo.png > smaller.png
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _EPILOG
    parser.add_argument("input", metavar="IN", help="an image, a folder (with all below it), or - for standard input")
    parser.add_argument(
        "-o", "--output", metavar="OUT", required=True, help="a file or folder, or - for standard output"
    )
    parser.add_argument(
        "--plot", metavar="FILE", type=Path, help="draw one image before and after (.png, .webp, .svg, .pdf)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object for each image")
    parser.add_argument("--force", action="store_true", help="replace files that exist")
    parser.add_argument(
        "-j",
        "--jobs",
        metavar="N",
        type=int,
        default=len(os.sched_getaffinity(0)),
        help="images at a time (default: %(default)s)",
    )
    add_configuration(parser)


def run(arguments: argparse.Namespace) -> int:
    config = configuration(arguments)
    if arguments.jobs < 1:
        raise Failure(f"-j: expected 1 or more, got {arguments.jobs}", USAGE)
    if arguments.plot:
        files.check_plot(arguments.plot, arguments.force)
    if arguments.input != "-" and Path(arguments.input).is_dir():
        return _folder(arguments, config)
    return _image(arguments, config)


@dataclass(frozen=True)
class _Result:
    """One image's line."""

    path: str
    outcome: Outcome
    reason: str
    format: str | None
    source_size_bytes: int
    codec: str | None
    encoded_size_bytes: int | None
    k: int | None
    psnr_db: float | None
    facts: dict[str, Any]  # the rest of what --json tells

    @classmethod
    def of(cls, path: str, pressed: Pressed) -> _Result:
        finished, decoded, choice = pressed.finished, pressed.decoded, pressed.choice
        measured = finished.measured
        return cls(
            path,
            pressed.outcome,
            pressed.reason,
            decoded.format if decoded else None,
            pressed.source_size_bytes,
            pressed.codec,
            None if pressed.content is None else len(pressed.content),
            finished.k,
            measured.psnr_db if measured else None,
            {
                "mode": decoded.mode if decoded else None,
                "width": decoded.pixels.shape[1] if decoded else None,
                "height": decoded.pixels.shape[0] if decoded else None,
                "ssim": measured.ssim if measured else None,
                "delta_e": measured.delta_e if measured else None,
                "below_floor": finished.below_floor if measured else None,
                "size_by_codec": finished.size_by_codec,
                "choice": choice.reason if choice else None,
                "k_by_rule": choice.k_by_rule if choice else None,
                "flat_colors": choice.flat_colors if choice else None,
                "rules_disagree": choice.rules_disagree if choice else None,
            },
        )

    @property
    def size_bytes(self) -> int:
        """Of what is written; of nothing, 0."""
        if self.outcome == Outcome.REJECTED:
            return 0
        return (self.encoded_size_bytes or 0) if self.outcome.is_new_file else self.source_size_bytes

    @property
    def saved_percent(self) -> float:
        return 100 * (1 - self.size_bytes / self.source_size_bytes) if self.source_size_bytes else 0.0

    def line(self) -> str:
        if self.outcome == Outcome.REJECTED:
            return f"{self.outcome:18}  {shown(self.path)}: {shown(self.reason)}"
        k = f"k {self.k:3}" if self.outcome.is_new_file and self.k else "     "
        quality = ""
        if self.outcome.is_new_file and self.psnr_db is not None:
            quality = "exact" if math.isinf(self.psnr_db) else f"{self.psnr_db:.2f} dB"
        sizes = f"{size(self.source_size_bytes):>11} -> {size(self.size_bytes):>11} bytes"
        return f"{self.outcome:18}  {k}  {sizes}  {self.saved_percent:5.1f} % saved  {quality:>8}  {shown(self.path)}"

    def json(self, output: str | None) -> str:
        """One line. psnr_db is null where nothing was lost, too: k and outcome tell."""
        exact = self.psnr_db is None or math.isinf(self.psnr_db)
        return json.dumps(
            {
                "path": self.path,
                "output": output,
                "outcome": self.outcome,
                "reason": self.reason,
                "format": self.format,
                "source_size_bytes": self.source_size_bytes,
                "size_bytes": self.size_bytes,
                "codec": self.codec,
                "encoded_size_bytes": self.encoded_size_bytes,
                "saved_percent": round(self.saved_percent, 3),
                "k": self.k,
                "psnr_db": None if exact else self.psnr_db,
                **self.facts,
            }
        )


def _image(arguments: argparse.Namespace, config: DatasetConfig) -> int:
    to_stdout = arguments.output == "-"
    if to_stdout and arguments.json:
        raise Failure("-o - and --json would both write to standard output", USAGE)
    name = "image" if arguments.input == "-" else Path(arguments.input).name
    into_folder = not to_stdout and (arguments.output.endswith("/") or Path(arguments.output).is_dir())
    if not to_stdout and not into_folder:
        files.refuse_existing(Path(arguments.output), arguments.force)
    content = files.read(arguments.input)
    pressed = press(content, config)
    result = _Result.of("standard input" if arguments.input == "-" else arguments.input, pressed)
    target = Path(arguments.output)
    if into_folder:
        target /= naming.published_paths([(name, pressed.codec if pressed.outcome.is_new_file else None)])[name]
        files.refuse_existing(target, arguments.force)
    if pressed.outcome != Outcome.REJECTED:
        new = pressed.content if pressed.outcome.is_new_file else content
        assert new is not None  # noqa: S101  (what a new file is)
        if to_stdout:
            sys.stdout.buffer.write(new)
            sys.stdout.buffer.flush()
        else:
            files.write(target, new)
    told = sys.stderr if to_stdout else sys.stdout
    if arguments.json:
        print(result.json(None if pressed.outcome == Outcome.REJECTED else str(target)))
    else:
        print(result.line(), file=told)
        if pressed.outcome == Outcome.REJECTED:
            print(f"chromapress: error: {shown(result.path)}: {pressed.reason}", file=sys.stderr)
        elif result.outcome == Outcome.KEPT_LARGER and result.format == "JPEG":
            print(_jpeg_sentence([result]), file=told)
        if not to_stdout:
            _tell_misnamed(target, name, pressed)
    if arguments.plot:
        _plot(arguments.plot, shown(name), pressed)
    return int(pressed.outcome == Outcome.REJECTED)


def _tell_misnamed(target: Path, name: str, pressed: Pressed) -> None:
    suffix = target.suffix.lower()
    if pressed.outcome.is_kept and suffix != Path(name).suffix.lower():
        print(f"chromapress: {target} is the source, byte for byte, whatever its name says", file=sys.stderr)
    elif pressed.outcome.is_new_file and pressed.codec and suffix != f".{naming.suffix(pressed.codec)}":
        kind = naming.suffix(pressed.codec)
        print(f"chromapress: {target} is a file of format {kind}, whatever its name says", file=sys.stderr)


def _plot(path: Path, name: str, pressed: Pressed) -> None:
    """Before and the palette file, also where another file is smaller or the source is kept: then it shows what for."""
    decoded, quantized = pressed.decoded, pressed.quantized
    if decoded is None or quantized is None:
        print(f"chromapress: no plot: {name} was not quantized ({pressed.reason})", file=sys.stderr)
        return
    from chromapress import plots  # noqa: PLC0415  (Matplotlib takes its time)

    palette_files = [n for codec, n in pressed.finished.size_by_codec.items() if codec in PALETTE_CODECS]
    quality = "exact" if math.isinf(quantized.measured.psnr_db) else f"PSNR {quantized.measured.psnr_db:.2f} dB"
    figure = plots.comparison_figure(
        decoded.pixels,
        quantized.palette[quantized.indices],
        quantized.palette,
        quantized.sizes,
        captions=(
            f"{name}, {size(pressed.source_size_bytes)} bytes",
            f"k = {quantized.k}, {quality}, {size(min(palette_files))} bytes",
        ),
    )
    plots.save(figure, path)


def _folder(arguments: argparse.Namespace, config: DatasetConfig) -> int:
    if arguments.output == "-" or arguments.plot:
        raise Failure("-o - and --plot are for one image, not for a folder", USAGE)
    source, target = Path(arguments.input), Path(arguments.output)
    if target.is_file():
        raise Failure(f"{target} is a file; a folder's images go into a folder", USAGE)
    if target.resolve() == source.resolve():
        raise Failure("the output cannot be the input folder itself", USAGE)
    if target.is_dir() and any(target.iterdir()) and not arguments.force:
        raise Failure(f"{target} is not empty; --force replaces the files of the same names in it", USAGE)
    paths = sorted(_files_below(source, target))
    if not paths:
        raise Failure(f"{source}: there is no file in it", NO_INPUT)
    began = time.monotonic()
    results = []
    target.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(dir=target, prefix=".chromapress-") as aside,
        _lines(len(paths)) as tell,
    ):
        for result, output in _pressed(source, target, paths, config, arguments.jobs, Path(aside)):
            results.append(result)
            tell(result.json(None if output is None else str(output)) if arguments.json else result.line())
    if not arguments.json:
        print(_summary(results, time.monotonic() - began))
        jpeg = [one for one in results if one.outcome == Outcome.KEPT_LARGER and one.format == "JPEG"]
        if jpeg:
            print(_jpeg_sentence(jpeg))
    rejected = sum(one.outcome == Outcome.REJECTED for one in results)
    if rejected:
        print(f"chromapress: error: {rejected} of {len(results)} images were rejected", file=sys.stderr)
    return int(rejected > 0)


def _files_below(source: Path, target: Path) -> Iterator[str]:
    """Relative paths of all files, hidden ones and broken links too, but not those of the output folder."""
    output = target.resolve()
    for folder, folders, names in os.walk(source):
        folders[:] = [name for name in folders if (Path(folder) / name).resolve() != output]
        for name in names:
            path = Path(folder) / name
            if path.is_file() or path.is_symlink():
                yield path.relative_to(source).as_posix()


def _pressed(
    source: Path, target: Path, paths: list[str], config: DatasetConfig, jobs: int, aside: Path
) -> Iterator[tuple[_Result, Path | None]]:
    """Press all; files are written aside and get their names when all are there that these could meet."""

    def work(number: int, path: str) -> _Result:
        try:
            content = (source / path).read_bytes()
        except OSError as error:
            return _Result.of(path, Pressed(Finished(Outcome.REJECTED, f"unreadable: {error.strerror}"), 0))
        pressed = press(content, config)
        if pressed.outcome.is_new_file and pressed.content is not None:
            (aside / str(number)).write_bytes(pressed.content)
        elif pressed.outcome != Outcome.REJECTED:
            shutil.copyfile(source / path, aside / str(number))
        return _Result.of(path, pressed)

    groups = [naming.family(path) for path in paths]
    left = Counter(groups)
    done: defaultdict[str, dict[int, _Result]] = defaultdict(dict)
    with ThreadPoolExecutor(jobs) as pool:
        try:
            futures = {pool.submit(work, number, path): number for number, path in enumerate(paths)}
            for future in as_completed(futures):
                number = futures[future]
                group = groups[number]
                done[group][number] = future.result()
                left[group] -= 1
                if not left[group]:
                    yield from _named(done.pop(group), target, aside)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _named(results: dict[int, _Result], target: Path, aside: Path) -> Iterator[tuple[_Result, Path | None]]:
    names = naming.published_paths(
        [
            (one.path, one.codec if one.outcome.is_new_file else None)
            for one in results.values()
            if one.outcome != Outcome.REJECTED
        ]
    )
    for number, result in sorted(results.items()):
        output = target / names[result.path] if result.path in names else None
        if output is not None:
            output.parent.mkdir(parents=True, exist_ok=True)
            (aside / str(number)).replace(output)
        yield result, output


@contextmanager
def _lines(images: int) -> Iterator[Callable[[str], None]]:
    """Something to print lines with, above a progress bar where there is a terminal for one."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield print
        return
    columns = (TextColumn("pressing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, redirect_stdout=False) as progress:
        bar = progress.add_task("", total=images)

        def tell(line: str) -> None:
            if sys.stdout.isatty():
                progress.console.print(line, markup=False, highlight=False, soft_wrap=True)
            else:
                print(line)
            progress.advance(bar)

        yield tell


def _summary(results: list[_Result], seconds: float) -> str:
    counts = Counter(one.outcome for one in results)
    before = sum(one.source_size_bytes for one in results if one.outcome != Outcome.REJECTED)
    after = sum(one.size_bytes for one in results)
    told = ", ".join(f"{counts[outcome]} {outcome}" for outcome in Outcome if counts[outcome])
    qualities = [one.psnr_db for one in results if one.outcome == Outcome.PUBLISHED and one.psnr_db is not None]
    lowest = f"; lowest PSNR {min(qualities):.2f} dB" if qualities else ""
    saved = 100 * (1 - after / before) if before else 0.0
    return (
        f"{len(results)} images: {told}; {size(before)} -> {size(after)} bytes, {saved:.1f} % saved{lowest}; "
        f"{seconds:.1f} s"
    )


def _jpeg_sentence(kept: list[_Result]) -> str:
    theirs = sum(one.source_size_bytes for one in kept)
    ours = sum(one.encoded_size_bytes or 0 for one in kept)
    which = "The JPEG is" if len(kept) == 1 else f"{len(kept)} JPEGs are"
    return (
        f"{which} kept: photographs that come as JPEG mostly end so, since a palette file is larger at the same "
        f"quality (here {size(ours)} bytes instead of {size(theirs)}). --codec auto tries lossy WebP and AVIF too."
    )
