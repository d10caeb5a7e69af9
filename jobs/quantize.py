"""Stage quantize: Spark K-means from the chosen start, the pixels' mapping, and the quality that it has.

With palette.scope `image` the engine clusters each image's histogram inside the executors; with `folder` and `dataset`,
pyspark.ml's KMeans clusters each group's pooled histogram, weighted, and its images are mapped to the one palette.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
from lake import Run, map_rows, read, run_stage, write
from palette_pool import group_of
from pyspark.sql import DataFrame, SparkSession

from chromapress.choice import Verdict
from chromapress.config import DatasetConfig
from chromapress.decode import decode
from chromapress.histogram import Histogram
from chromapress.press import under_floor
from chromapress.quantization import Quantized, apply_palette, quantize
from chromapress.tables import INGESTED, QUANTIZED, SELECTED


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
    # Most runs need no pyspark.ml, which takes a second to be imported.
    from shared_palettes import shared_palettes  # noqa: PLC0415

    palettes = shared_palettes(to_do, selected, config)
    write(quantize_groups(images, palettes, config), run, "quantize")
    return {"palettes": len(palettes)}


if __name__ == "__main__":
    sys.exit(run_stage("quantize", sys.argv[1:], body))
