"""The paper's experiment to the letter, and beside it the same with the engine: not a stage of the pipeline.

MLlib's K-means on a DataFrame with a row for each pixel of one image, cached, its features made by VectorAssembler;
cluster sizes and centres; the silhouette over a range of k; plots of the scores and of the quantized image. The engine
does the same on the image's colour histogram, from the same starting centres, so that the results can be compared.

    spark-submit jobs/experiment.py photo.png --k 10 --output experiment/
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
from matplotlib.figure import Figure
from numpy.typing import NDArray
from pyspark.ml.clustering import KMeans, KMeansModel
from pyspark.ml.evaluation import ClusteringEvaluator
from pyspark.ml.feature import VectorAssembler
from pyspark.sql import DataFrame, SparkSession

from chromapress import engine
from chromapress.config import DatasetConfig, Palette
from chromapress.decode import Undecodable, decode

_CHANNELS: Final = ["red", "green", "blue"]
_SEED: Final = 1
_ITERATIONS: Final = 20
_CLOCK_TICKS: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Clustered:
    """One clustering of the pixels, by whomever."""

    centres: NDArray[np.float64]  # [k, 3]
    sizes: NDArray[np.int64]  # [k], pixels
    silhouette: float
    wall_s: float
    cpu_s: float


def cpu_s(spark: SparkSession) -> float:
    """CPU seconds that this process and Spark's JVM have used so far; with a local master, that is all of Spark."""
    jvm = spark._jvm
    assert jvm is not None  # noqa: S101  (only a session of Spark Connect has none)
    stat = Path(f"/proc/{jvm.ProcessHandle.current().pid()}/stat").read_text()
    user, system = stat.rpartition(")")[2].split()[11:13]
    return time.process_time() + (int(user) + int(system)) / _CLOCK_TICKS


def pixel_frame(spark: SparkSession, pixels: NDArray[np.uint8]) -> DataFrame:
    """A cached row for each pixel, with the column `features`."""
    table = pa.table(dict(zip(_CHANNELS, pixels.reshape(-1, 3).T.astype(np.float64), strict=True)))
    assembled = VectorAssembler(inputCols=_CHANNELS, outputCol="features").transform(spark.createDataFrame(table))
    frame = assembled.select("features").cache()
    frame.count()
    return frame


def by_mllib(frame: DataFrame, k: int) -> tuple[Clustered, KMeansModel]:
    """As the paper does it."""
    wall, cpu = time.perf_counter(), cpu_s(frame.sparkSession)
    model = KMeans(k=k, seed=_SEED, maxIter=_ITERATIONS).fit(frame)
    silhouette = ClusteringEvaluator().evaluate(model.transform(frame))
    return (
        Clustered(
            np.array(model.clusterCenters()),
            np.array(model.summary.clusterSizes, np.int64),
            silhouette,
            time.perf_counter() - wall,
            cpu_s(frame.sparkSession) - cpu,
        ),
        model,
    )


def by_engine(pixels: NDArray[np.uint8], start: NDArray[np.float64], iterations: int) -> Clustered:
    """On the histogram, which is counted here too, from `start` [k, 3]."""
    wall, cpu = time.perf_counter(), time.process_time()
    colors, counts = engine.histogram(pixels)
    opaque = np.column_stack([start, np.full(len(start), 255.0)])
    clustering = engine.kmeans(colors, counts, len(start), start=opaque, max_iterations=iterations, tolerance=0)
    silhouette = engine.silhouette(colors, counts, clustering.labels)
    return Clustered(
        clustering.centres[:, :3],
        clustering.sizes,
        silhouette,
        time.perf_counter() - wall,
        time.process_time() - cpu,
    )


def compared(frame: DataFrame, pixels: NDArray[np.uint8], k: int) -> tuple[Clustered, Clustered]:
    """MLlib's clustering and the engine's, from the same start and after as many iterations."""
    theirs, model = by_mllib(frame, k)
    # Without an iteration, MLlib's centres are its start; its norms can put them a rounding error outside.
    start = np.clip(KMeans(k=k, seed=_SEED, maxIter=0).fit(frame).clusterCenters(), 0, 255)
    return theirs, by_engine(pixels, start, model.summary.numIter)


def curve_cpu_s(pixels: NDArray[np.uint8], ks: Sequence[int]) -> float:
    """What the pipeline takes for all candidates, from counting the colours to the scores."""
    cpu = time.process_time()
    engine.curve(*engine.histogram(pixels), ks)
    return time.process_time() - cpu


def report(theirs: Clustered, ours: Clustered) -> str:
    """Sizes and centres side by side."""
    lines = [f"{'MLlib: pixels':>14} {'centre':>24}   {'engine: pixels':>14} {'centre':>24}"]
    for i in np.argsort(-theirs.sizes, kind="stable"):
        first, second = (" ".join(f"{level:7.2f}" for level in one.centres[i]) for one in (theirs, ours))
        lines.append(f"{theirs.sizes[i]:14,} {first:>24}   {ours.sizes[i]:14,} {second:>24}")
    apart = np.abs(theirs.centres - ours.centres).max()
    lines += [
        f"centres are at most {apart:.4f} of a level apart",
        f"silhouette  MLlib {theirs.silhouette:.6f}  engine {ours.silhouette:.6f}  (squared Euclidean)",
        f"wall        MLlib {theirs.wall_s:.2f} s  engine {1000 * ours.wall_s:.1f} ms",
        f"CPU         MLlib {theirs.cpu_s:.2f} s  engine {1000 * ours.cpu_s:.1f} ms",
    ]
    return "\n".join(lines)


def mapped(pixels: NDArray[np.uint8], one: Clustered) -> NDArray[np.uint8]:
    palette = np.column_stack([np.rint(one.centres), np.full(len(one.centres), 255)]).astype(np.uint8)
    return palette[engine.map_pixels(pixels, palette)][..., :3]


def plot_scores(rows: Sequence[tuple[int, Clustered, Clustered]], path: Path) -> None:
    figure = Figure(figsize=(6.4, 3.6), layout="constrained", dpi=150)
    axes = figure.add_subplot(xlabel="k", ylabel="Silhouette, squared Euclidean", xscale="log")
    ks = [k for k, _, _ in rows]
    axes.plot(ks, [theirs.silhouette for _, theirs, _ in rows], marker="o", label="MLlib, all pixels")
    axes.plot(ks, [ours.silhouette for _, _, ours in rows], marker="x", ls=":", label="engine, histogram, same start")
    axes.set_xticks(ks, [str(k) for k in ks])
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    figure.savefig(path)


def plot_images(pixels: NDArray[np.uint8], theirs: Clustered, ours: Clustered, path: Path) -> None:
    figure = Figure(figsize=(10, 3), layout="constrained", dpi=150)
    views = {
        "source": pixels,
        f"MLlib, k = {len(theirs.centres)}": mapped(pixels, theirs),
        "engine, same start": mapped(pixels, ours),
    }
    for axes, (title, view) in zip(figure.subplots(1, len(views)), views.items(), strict=True):
        axes.imshow(view)
        axes.set_title(title)
        axes.axis("off")
    figure.savefig(path)


def parse_args(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="experiment.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("image", type=Path, help="an opaque image; the paper's has 640x480 pixels")
    parser.add_argument("--k", type=int, default=10, help="colours of the quantized image (default: %(default)s)")
    parser.add_argument(
        "--candidates",
        type=lambda text: [int(k) for k in text.split(",")],
        default=list(Palette().candidates),
        help="the range of k for the silhouette (default: the pipeline's candidates)",
    )
    parser.add_argument("--output", type=Path, default=Path("experiment"), help="a folder for the plots")
    args = parser.parse_args(argv)
    for k in (args.k, *args.candidates):
        if not 2 <= k <= engine.MAX_COLORS:
            parser.error(f"k: expected 2 to {engine.MAX_COLORS}, got {k}")
    return args


def main(argv: Sequence[str], say: Callable[[str], Any] = print) -> int:
    args = parse_args(argv)
    try:
        pixels = decode(args.image.read_bytes(), DatasetConfig().limits).pixels
    except (OSError, Undecodable) as error:
        say(f"experiment.py: error: {error}")
        return 64
    if pixels.shape[2] != 3:
        say("experiment.py: error: the paper's experiment knows no transparency")
        return 64
    args.output.mkdir(parents=True, exist_ok=True)
    spark = SparkSession.builder.appName("experiment").getOrCreate()
    frame = pixel_frame(spark, pixels)
    by_mllib(frame, args.k)  # warm, so that the times below are those of the work

    height, width = pixels.shape[:2]
    say(f"{args.image.name}: {width}x{height}, {frame.count():,} pixels, {len(engine.histogram(pixels)[1]):,} colours")
    theirs, ours = compared(frame, pixels, args.k)
    say(report(theirs, ours))
    plot_images(pixels, theirs, ours, args.output / "images.png")

    say(f"\n{'k':>4} {'MLlib':>9} {'engine':>9} {'MLlib CPU s':>12} {'engine CPU ms':>14}")
    rows = []
    for k in args.candidates:
        rows.append((k, *compared(frame, pixels, k)))
        _, theirs, ours = rows[-1]
        say(f"{k:4} {theirs.silhouette:9.5f} {ours.silhouette:9.5f} {theirs.cpu_s:12.2f} {1000 * ours.cpu_s:14.1f}")
    plot_scores(rows, args.output / "silhouettes.png")
    mllib_s, engine_s = sum(one.cpu_s for _, one, _ in rows), curve_cpu_s(pixels, args.candidates)
    say(
        f"All {len(rows)} candidates: MLlib {mllib_s:.1f} CPU s; as the pipeline does it {1000 * engine_s:.0f} ms: "
        f"{mllib_s / engine_s:,.0f} times less.\nPlots are in {args.output}."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
