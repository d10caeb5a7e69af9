"""Pooling histograms in Spark, and choosing on what is pooled."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from pyspark.ml.evaluation import ClusteringEvaluator
from pyspark.ml.functions import array_to_vector
from pyspark.sql import SparkSession, functions

from chromapress import engine
from chromapress.histogram import Histogram, for_choice
from tests.landing_set import icon, photograph

IMAGES = {
    **{f"photos/{n}.png": np.asarray(photograph("coffee.png", 40 * n, 10, 48, 36)) for n in range(4)},
    **{f"icons/{n}.png": np.asarray(icon(n, 32)) for n in range(3)},
    "top.png": np.asarray(photograph("chelsea.png", 0, 0, 40, 30)),
}


def rows(spark: SparkSession, copies: int = 1) -> object:
    packed = [(path, *Histogram.of(pixels).packed()) for path, pixels in IMAGES.items()] * copies
    return spark.createDataFrame(packed, "relative_path string, colors binary, counts binary")


def merged(paths: list[str]) -> Histogram:
    return Histogram.merged([Histogram.of(IMAGES[path]) for path in paths])


@pytest.mark.parametrize("partitions", [1, 5])
@pytest.mark.parametrize("pending", [100, 1 << 22])
def test_each_folder_has_the_sum_of_its_images(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch, partitions: int, pending: int
) -> None:
    import palette_pool

    # In this process first, where merging now and then can be had with few colours; then in Spark's workers.
    monkeypatch.setattr(palette_pool, "_PENDING_COLORS", pending)
    sums = palette_pool._Sums()
    for pixels in [*IMAGES.values()] * 3:
        sums.add("", Histogram.of(pixels))
    ((_, total),) = sums
    whole = merged([*IMAGES] * 3)
    assert np.array_equal(total.colors, whole.colors) and np.array_equal(total.counts, whole.counts)

    group = functions.regexp_extract("relative_path", "^(.*)/[^/]*$", 1)
    grouped = rows(spark).withColumn("group", group).repartition(partitions)
    blocks = palette_pool.pooled(grouped).toArrow()
    assert set(blocks["group"].to_pylist()) == {"photos", "icons", ""}
    for folder, paths in (("photos", 4), ("icons", 3), ("", 1)):
        found = palette_pool.whole(blocks.filter(pa.compute.equal(blocks["group"], folder)))
        expected = merged([path for path in IMAGES if path.rpartition("/")[0] == folder])
        assert paths == sum(path.rpartition("/")[0] == folder for path in IMAGES)
        assert np.array_equal(np.concatenate([one.colors for one in found]), expected.colors)
        assert np.array_equal(np.concatenate([one.counts for one in found]), expected.counts)


def test_the_silhouette_of_a_merged_histogram_is_that_of_all_pixels_together(spark: SparkSession) -> None:
    import palette_pool

    folder = [path for path in IMAGES if path.startswith("photos/")]
    grouped = rows(spark).where("relative_path like 'photos/%'").withColumn("group", functions.lit(""))
    pool = for_choice(palette_pool.whole(palette_pool.pooled(grouped).toArrow()))
    clustering = engine.kmeans(pool.colors, pool.counts, 9)
    packed = {bytes(color): int(label) for color, label in zip(pool.colors, clustering.labels, strict=True)}
    pixels = np.concatenate([IMAGES[path].reshape(-1, 3) for path in folder])
    points = [([float(level) for level in pixel], packed[bytes(pixel) + b"\xff"]) for pixel in pixels]
    frame = spark.createDataFrame(points, "features array<double>, prediction int")
    judge = ClusteringEvaluator(metricName="silhouette", distanceMeasure="squaredEuclidean")
    expected = judge.evaluate(frame.withColumn("features", array_to_vector(functions.col("features"))))
    assert engine.silhouette(pool.colors, pool.counts, clustering.labels) == pytest.approx(expected, abs=1e-6)
