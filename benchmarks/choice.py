"""Whole files at the quality floor beside pngquant, and what choosing k costs.

For each image: the default configuration's file, and the file of pngquant (--nofs) with the fewest colours that give
the same PSNR or more, after oxipng -o2; and the CPU time of choosing k beside that of quantizing with the k chosen. A
quality that pngquant does not reach with 256 colours is told and not counted.

    python -m benchmarks.choice --images DIR --output build/bench
"""

import argparse
import csv
import io
import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import numpy as np
import oxipng
from numpy.typing import NDArray
from PIL import Image

from chromapress import engine
from chromapress.choice import choose
from chromapress.config import DatasetConfig
from chromapress.decode import decode
from chromapress.histogram import Histogram
from chromapress.press import press
from chromapress.quantization import quantize

U8 = NDArray[np.uint8]


@dataclass(frozen=True)
class Row:
    image: str
    outcome: str
    k: int
    psnr_db: float
    size_bytes: int
    choose_ms: float  # CPU
    quantize_ms: float  # CPU, decoding included
    pngquant_k: int | None
    pngquant_bytes: int | None

    @property
    def ratio(self) -> float | None:
        return self.size_bytes / self.pngquant_bytes if self.pngquant_bytes else None


def pngquant(program: str, source: bytes, pixels: U8, k: int) -> tuple[bytes, float]:
    """A file of at most k colours, and its PSNR."""
    done = subprocess.run([program, "--nofs", str(k), "-"], input=source, capture_output=True, check=True)
    with Image.open(io.BytesIO(done.stdout)) as image:
        shown = np.asarray(image.convert("RGBA"))[..., : pixels.shape[2]]
    return done.stdout, engine.psnr(pixels, shown)


def fewest(program: str, source: bytes, pixels: U8, psnr_db: float) -> tuple[int, bytes] | None:
    """pngquant's fewest colours that give so many dB, by bisection, with oxipng's file."""
    best, below, above = None, 1, 257
    while above - below > 1:
        middle = (below + above) // 2
        content, reached_db = pngquant(program, source, pixels, middle)
        if reached_db >= psnr_db:
            best, above = (middle, content), middle
        else:
            below = middle
    return (best[0], oxipng.optimize_from_memory(best[1], level=2)) if best else None


def costs(source: bytes, config: DatasetConfig) -> tuple[float, float]:
    """CPU milliseconds of choosing k, and of decoding and quantizing."""
    histogram = Histogram.of(decode(source, config.limits).pixels)
    start = time.process_time()
    choice = choose(histogram, config.palette, config.quality)
    chosen = time.process_time()
    pixels = decode(source, config.limits).pixels
    quantize(pixels, Histogram.of(pixels), choice.verdict, choice.k, choice.centres, config)
    return 1000 * (chosen - start), 1000 * (time.process_time() - chosen)


def compared(path: Path, config: DatasetConfig, program: str) -> Row | None:
    source = path.read_bytes()
    pressed = press(source, config)
    if pressed.finished.measured is None or pressed.decoded is None:
        return None
    choose_ms, quantize_ms = costs(source, config)
    theirs = fewest(program, source, pressed.decoded.pixels, pressed.finished.measured.psnr_db)
    return Row(
        path.stem,
        pressed.outcome,
        pressed.finished.k or 0,
        round(pressed.finished.measured.psnr_db, 2),
        len(pressed.content or b""),
        round(choose_ms, 1),
        round(quantize_ms, 1),
        theirs[0] if theirs else None,
        len(theirs[1]) if theirs else None,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--output", type=Path, default=Path("build/bench"))
    parser.add_argument("--limit", type=int, help="no more images than this")
    parser.add_argument("--pngquant", default="pngquant")
    options = parser.parse_args()
    rows = []
    for path in sorted(options.images.glob("*.png"))[: options.limit]:
        row = compared(path, DatasetConfig(), options.pngquant)
        if row is None:
            print(f"{path.stem:40} no k reaches the floor")
            continue
        rows.append(row)
        against = f"pngquant {row.pngquant_k:3} {row.pngquant_bytes:8} {row.ratio:.3f}" if row.ratio else "not reached"
        print(f"{row.image:40} {row.psnr_db:6.2f} dB  k {row.k:3} {row.size_bytes:8}  {against}", flush=True)
    options.output.mkdir(parents=True, exist_ok=True)
    with (options.output / f"choice-{options.images.name}.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, asdict(rows[0]))
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)
    ratios = [row.ratio for row in rows if row.ratio]
    print(f"bytes against pngquant and oxipng: median {median(ratios):.3f} of {len(ratios)}, largest {max(ratios):.3f}")
    cost = median(row.choose_ms / row.quantize_ms for row in rows)
    print(f"choosing k: {median(row.choose_ms for row in rows):.0f} ms, {cost:.2f} times quantizing")


if __name__ == "__main__":
    main()
