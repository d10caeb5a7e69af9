"""Palettes that images share: pyspark.ml's KMeans on each group's pooled histogram. Not a job itself."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Final

import numpy as np
from palette_pool import colors_of, group_of, pooled
from pyspark.ml.clustering import KMeans
from pyspark.ml.functions import array_to_vector
from pyspark.sql import DataFrame, functions

from chromapress.choice import Verdict, protected_colors
from chromapress.config import DatasetConfig
from chromapress.histogram import straight

# MLlib's start depends on how many partitions there are and on what is in each: both are fixed here.
_COLORS_PER_PARTITION: Final = 250_000
_SEED: Final = 1
_FITS_AT_ONCE: Final = 4
_ITERATIONS: Final = 20
# Centres that move less than a quarter of a level are where they belong: entries are whole levels.
_TOLERANCE: Final = 0.25 * 255


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
