"""The engine's silhouette against Spark's own evaluator, on every pixel of an image."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from pyspark.ml.evaluation import ClusteringEvaluator
from pyspark.ml.functions import array_to_vector
from pyspark.sql import SparkSession, functions

from chromapress import engine
from tests.landing_set import flat, icon, photograph

IMAGES = {
    "photograph": (photograph("chelsea.png", 40, 30, 64, 48), 7),
    "flat chart": (flat(6, 4, 60, 40), 4),
    "icon with soft edges": (icon(3, 48), 9),
}


def premultiplied_pixels(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """[pixels, channels], by the definition."""
    flat_pixels = pixels.reshape(-1, pixels.shape[2]).astype(np.float64)
    if pixels.shape[2] == 3:
        return flat_pixels
    return np.hstack([flat_pixels[:, :3] * flat_pixels[:, 3:] / 255, flat_pixels[:, 3:]])


@pytest.mark.parametrize("name", IMAGES)
def test_the_silhouette_is_that_of_sparks_evaluator_over_all_pixels(spark: SparkSession, name: str) -> None:
    image, k = IMAGES[name]
    pixels = np.asarray(image)
    colors, counts = engine.histogram(pixels)
    clustering = engine.kmeans(colors, counts, k)
    packed = {bytes(color): int(label) for color, label in zip(colors, clustering.labels, strict=True)}
    rgba = pixels if pixels.shape[2] == 4 else np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)])
    visible = np.where(rgba[..., 3:] > 0, rgba, 0).reshape(-1, 4)
    labels = [packed[bytes(color)] for color in visible]
    rows = [(point.tolist(), label) for point, label in zip(premultiplied_pixels(pixels), labels, strict=True)]
    points = spark.createDataFrame(rows, "features array<double>, prediction int")
    judge = ClusteringEvaluator(metricName="silhouette", distanceMeasure="squaredEuclidean")
    expected = judge.evaluate(points.withColumn("features", array_to_vector(functions.col("features"))))
    assert engine.silhouette(colors, counts, clustering.labels) == pytest.approx(expected, abs=1e-6)
