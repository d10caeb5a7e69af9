"""Files from the same index maps beside Pillow and oxipng.

Every tool takes its turn on each image in the same process; CPU times are the best of `--repeat`, oxipng's summed over
its threads.

    python -m benchmarks.files --images DIR [--top] --output build/bench
"""

import argparse
import csv
import io
import time
from collections.abc import Callable
from pathlib import Path
from statistics import mean, median

import matplotlib as mpl
import matplotlib.figure
import numpy as np
import oxipng
from numpy.typing import NDArray
from PIL import Image

from chromapress import engine

U8 = NDArray[np.uint8]
SIZES = (16, 64, 256)
Row = dict[str, str | float]


def decoded(path: Path) -> U8:
    with Image.open(path) as image:
        alpha = "A" in image.mode or "transparency" in image.info
        return np.asarray(image.convert("RGBA" if alpha else "RGB"))


def pillow(indices: U8, palette: U8) -> bytes:
    image = Image.frombytes("P", indices.shape[::-1], indices.tobytes())
    image.putpalette(palette.tobytes(), "RGBA")
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def timed(call: Callable[[], bytes], repeat: int) -> tuple[bytes, float]:
    best = float("inf")
    for _ in range(repeat):
        start = time.process_time()
        result = call()
        best = min(best, time.process_time() - start)
    return result, best * 1000


def lossless(path: Path, repeat: int, top: bool) -> list[Row]:
    pixels = decoded(path)
    colors, counts = engine.histogram(pixels)
    rows: list[Row] = []
    for k in SIZES:
        palette = engine.kmeans(colors, counts, k).palette
        indices = engine.map_pixels(pixels, palette)
        plain = pillow(indices, palette)
        tools: dict[str, Callable[[], bytes]] = {
            "Pillow": lambda i=indices, p=palette: pillow(i, p),
            "effort 1": lambda i=indices, p=palette: engine.encode_png(i, p, effort=1),
            "oxipng -o2": lambda f=plain: oxipng.optimize_from_memory(f, level=2),
            "effort 5": lambda i=indices, p=palette: engine.encode_png(i, p, effort=5),
        }
        if top:
            tools["oxipng -o4"] = lambda f=plain: oxipng.optimize_from_memory(f, level=4)
            tools["effort 9"] = lambda i=indices, p=palette: engine.encode_png(i, p, effort=9)
        for tool, call in tools.items():
            content, cpu_ms = timed(call, repeat)
            rows.append({"image": path.stem, "k": k, "tool": tool, "bytes": len(content), "cpu_ms": round(cpu_ms, 2)})
    return rows


def summarise_lossless(rows: list[Row]) -> None:
    of = {(r["image"], r["k"], r["tool"]): r for r in rows}
    for k in SIZES:
        for ours, peer in (("effort 1", "Pillow"), ("effort 5", "oxipng -o2"), ("effort 9", "oxipng -o4")):
            pairs = [(of[i, q, t], of[i, q, peer]) for i, q, t in of if q == k and t == ours]
            if not pairs:
                continue
            size = [a["bytes"] / b["bytes"] for a, b in pairs]  # type: ignore[operator]
            cpu = [sum(float(p[n]["cpu_ms"]) for p in pairs) / len(pairs) for n in (0, 1)]
            kb = [mean(float(p[n]["bytes"]) for p in pairs) / 1000 for n in (0, 1)]
            print(
                f"| {k} | {ours}: {kb[0]:.1f} kB, {cpu[0]:.1f} ms | {peer}: {kb[1]:.1f} kB, {cpu[1]:.1f} ms "
                f"| {kb[0] / kb[1]:.3f} | {median(size):.3f} | {max(size):.3f} | {cpu[0] / cpu[1]:.2f} |"
            )


def plot(rows: list[Row], path: Path) -> None:
    mpl.use("Agg")
    figure = mpl.figure.Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot(xlabel="cpu_ms", ylabel="bytes", yscale="log")
    for name in sorted({str(r["tool"]) for r in rows}):
        of = [r for r in rows if r["tool"] == name]
        axes.scatter([float(r["cpu_ms"]) for r in of], [float(r["bytes"]) for r in of], s=8, label=name)
    axes.legend(fontsize="small")
    figure.savefig(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--output", type=Path, default=Path("build/bench"))
    parser.add_argument("--repeat", type=int, default=2)
    parser.add_argument("--limit", type=int, help="no more images than this")
    parser.add_argument("--top", action="store_true", help="effort 9 and oxipng -o4 too")
    options = parser.parse_args()
    rows: list[Row] = []
    for path in sorted(options.images.glob("*.png"))[: options.limit]:
        rows += lossless(path, options.repeat, options.top)
    options.output.mkdir(parents=True, exist_ok=True)
    name = f"files-{options.images.name}"
    with (options.output / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    summarise_lossless(rows)
    plot(rows, options.output / f"{name}.svg")


if __name__ == "__main__":
    main()
