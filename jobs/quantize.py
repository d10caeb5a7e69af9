"""Stage quantize: Spark K-means from the chosen start, the pixels' mapping, and the quality that it has.

With palette.scope `image` the engine clusters each image's histogram inside the executors; with `folder` and `dataset`,
pyspark.ml's KMeans clusters each group's pooled histogram, weighted, and its images are mapped to the one palette.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import numpy as np
from lake import Run, map_rows, read, run_stage, write
from palette_pool import colors_of, group_of, pooled
from pyspark.ml.clustering import KMeans
from pyspark.ml.functions import array_to_vector
from pyspark.sql import DataFrame, SparkSession, functions

from chromapress.choice import Verdict, protected_colors
from chromapress.config import DatasetConfig
from chromapress.decode import decode
from chromapress.histogram import Histogram, straight
from chromapress.press import under_floor
from chromapress.quantization import Quantized, apply_palette, quantize
from chromapress.tables import INGESTED, QUANTIZED, SELECTED

# MLlib's start depends on how many partitions there are and on what is in each: both are fixed here.
_COLORS_PER_PARTITION: Final = 250_000
_SEED: Final = 1
_FITS_AT_ONCE: Final = 4
_ITERATIONS: Final = 20
# Centres that move less than a quarter of a level are where they belong: entries are whole levels.
_TOLERANCE: Final = 0.25 * 255


def quantize_each(images: DataFrame, config: DatasetConfig) -> DataFrame:
    """Each image with a palette of its own: tables.QUANTIZED."""

    def row(image: dict[str, Any]) -> dict[str, Any]:
        pixels = decode(image["content"], config.limits).pixels
        histogram = Histogram.of(pixels)
        centres = np.frombuffer(image["centres"], np.float64).reshape(-1, 4)
        return quantized_row(image, quantize(pixels, histogram, Verdict(image["verdict"]), centres, config))

    return map_rows(images, QUANTIZED, row)


def quantize_groups(images: DataFrame, palettes: Mapping[str, np.ndarray], config: DatasetConfig) -> DataFrame:
    """Each image with the palette of its group: tables.QUANTIZED."""
    shared = images.sparkSession.sparkContext.broadcast(palettes)

    def row(image: dict[str, Any]) -> dict[str, Any]:
        pixels = decode(image["content"], config.limits).pixels
        return quantized_row(image, apply_palette(pixels, shared.value[image["group"]], config))

    return map_rows(images.withColumn("group", group_of(config)), QUANTIZED, row)


def shared_palettes(to_do: DataFrame, selected: DataFrame, config: DatasetConfig) -> dict[str, np.ndarray]:
    """{group: palette}, of ingested and selected images."""
    chosen = (
        selected.groupBy(group_of(config).alias("group"))
        .agg(functions.first("verdict").alias("verdict"), functions.first("centres").alias("centres"))
        .collect()
    )
    starts = {row.group: np.frombuffer(row.centres).reshape(-1, 4) for row in chosen}
    exact = {row.group for row in chosen if row.verdict == Verdict.LOSSLESS}
    pool = pooled(to_do.withColumn("group", group_of(config)).select("group", "colors", "counts")).cache()

    def palette(group: str) -> np.ndarray:
        if group in exact:
            return straight(starts[group])
        colors = colors_of(pool.where(functions.col("group") == group)).cache()
        found = shared_palette(colors, starts[group], config)
        colors.unpersist()
        return found

    groups = sorted(starts)
    # A small group's fit is mostly Spark's own time between short jobs: several at once fill it.
    with ThreadPoolExecutor(_FITS_AT_ONCE) as fits:
        return dict(zip(groups, fits.map(palette, groups), strict=True))


def shared_palette(pool: DataFrame, start: np.ndarray, config: DatasetConfig) -> np.ndarray:
    """The palette of a pooled histogram (palette_pool.COLORS) by pyspark.ml's KMeans, [k, 4] straight RGBA.

    `start` [k, 4] says how many centres there are of each kind: opaque, translucent and transparent colours must not
    mix, and MLlib knows nothing of that, so each kind is clustered by itself.
    """
    protected = protected_colors(config.palette)
    free = pool
    if protected is not None:
        packed = [int.from_bytes(bytes(color), "big") for color in protected]
        free = pool.where(~functions.col("rgba").isin(packed))
    alpha = functions.col("rgba").bitwiseAND(255)
    opaque = int((start[:, 3] == 255).sum()) - (0 if protected is None else len(protected))
    translucent = int(((start[:, 3] > 0) & (start[:, 3] < 255)).sum())
    parts = [] if protected is None else [protected]
    parts.append(_mllib_palette(free.where(alpha == 255), opaque))
    parts.append(_mllib_palette(free.where((alpha > 0) & (alpha < 255)), translucent))
    if (start[:, 3] == 0).any():
        parts.append(np.zeros((1, 4), np.uint8))
    return np.concatenate(parts)


def _mllib_palette(pool: DataFrame, k: int) -> np.ndarray:
    """Up to k entries for the colours of one kind.

    Features are premultiplied and times 255, hence whole numbers, whose sums are exact: the centres do not depend on
    the order in which Spark adds them up.
    """
    colors = pool.count()
    if k == 0 or colors == 0:
        return np.zeros((0, 4), np.uint8)
    red, green, blue, alpha = (functions.shiftright("rgba", shift).bitwiseAND(255) for shift in (24, 16, 8, 0))
    features = (red * alpha, green * alpha, blue * alpha, alpha * 255)
    if k == 1:
        # MLlib wants two clusters at least; of one, the centre is the mean.
        weight = functions.col("count")
        means = pool.select(*(functions.sum(one * weight) / functions.sum(weight) for one in features)).first()
        return straight(np.array([means], np.float64) / 255)
    # By the hash of the colour and in its order, so that a partition's content depends on the colours alone.
    ordered = pool.repartition(-(-colors // _COLORS_PER_PARTITION), "rgba").sortWithinPartitions("rgba")
    points = ordered.select(
        array_to_vector(functions.array(*features).cast("array<double>")).alias("features"),
        functions.col("count").cast("double").alias("weight"),
    ).cache()
    # Blocks of points at a time: features are dense, and that takes a third less than point by point.
    solver = KMeans(k=k, weightCol="weight", seed=_SEED, maxIter=_ITERATIONS, tol=_TOLERANCE, solver="block")
    model = solver.fit(points)
    points.unpersist()
    centres = np.array(model.clusterCenters()) / 255
    return np.unique(straight(centres), axis=0)


def quantized_row(image: dict[str, Any], quantized: Quantized) -> dict[str, Any]:
    """A quantized image as a row of tables.QUANTIZED."""
    height, width = quantized.indices.shape
    return {
        "relative_path": image["relative_path"],
        "source_size_bytes": image["size_bytes"],
        "reason": image["reason"],
        "k": quantized.k,
        "palette": quantized.palette.tobytes(),
        "indices": quantized.indices.tobytes(),
        "width": width,
        "height": height,
        "cluster_sizes": quantized.sizes.tolist(),
        "psnr_db": quantized.measured.psnr_db,
        "ssim": quantized.measured.ssim,
        "delta_e": quantized.measured.delta_e,
        "below_floor": quantized.below_floor,
    }


def body(spark: SparkSession, run: Run) -> dict[str, Any]:
    config = run.config
    ingested = read(
        spark, run, "ingest", INGESTED, "relative_path", "size_bytes", "content", "colors", "counts", "outcome"
    )
    to_do = ingested.where("outcome is null")
    selected = read(spark, run, "select_k", SELECTED, "relative_path", "verdict", "centres", "reason")
    if under_floor(config):
        selected = selected.where(selected.verdict != Verdict.UNREACHABLE)
    images = to_do.select("relative_path", "size_bytes", "content").join(selected, "relative_path")
    if config.palette.scope == "image":
        write(quantize_each(images, config), run, "quantize")
        return {}
    palettes = shared_palettes(to_do, selected, config)
    write(quantize_groups(images, palettes, config), run, "quantize")
    return {"palettes": len(palettes)}


if __name__ == "__main__":
    sys.exit(run_stage("quantize", sys.argv[1:], body))
