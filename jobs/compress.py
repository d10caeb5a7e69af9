"""Stage compress: each index map as a file, checked by another decoder, and whether it is worth its change.

With compression.codec `auto`, lossy files made from the source's pixels compete; they can also reach a floor that no
palette reaches.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from lake import Run, map_rows, read, run_stage, write
from pyspark.sql import DataFrame, SparkSession

from chromapress.config import DatasetConfig
from chromapress.decode import decode
from chromapress.press import finish
from chromapress.quality import Measured
from chromapress.quantization import Quantized
from chromapress.tables import COMPRESSED, INGESTED, QUANTIZED, SELECTED


def compress(images: DataFrame, config: DatasetConfig) -> DataFrame:
    """A file, or the reason why the source is kept, for each image: tables.COMPRESSED.

    images: tables.QUANTIZED, and with codec `auto`, `content` too.
    """

    def row(image: dict[str, Any]) -> dict[str, Any]:
        pixels = decode(image["content"], config.limits).pixels if image.get("content") else None
        end = finish(quantized_of(image), image["reason"], pixels, image["source_size_bytes"], config)
        return {
            "relative_path": image["relative_path"],
            "outcome": str(end.outcome),
            "reason": end.reason,
            "codec": end.file.codec if end.file else None,
            "encoded_size_bytes": len(end.file.content) if end.file else None,
            "encoded": end.file.content if end.file and end.outcome.is_new_file else None,
            "size_by_codec": list(end.size_by_codec.items()),
            "k": end.k,
            "below_floor": end.below_floor,
            "psnr_db": end.measured.psnr_db if end.measured else None,
            "ssim": end.measured.ssim if end.measured else None,
            "delta_e": end.measured.delta_e if end.measured else None,
        }

    return map_rows(images, COMPRESSED, row)


def quantized_of(image: dict[str, Any]) -> Quantized | None:
    """A row of tables.QUANTIZED as quantize had it; None where no k reaches the floor."""
    if image["indices"] is None:
        return None
    return Quantized(
        np.frombuffer(image["palette"], np.uint8).reshape(-1, 4),
        np.frombuffer(image["indices"], np.uint8).reshape(image["height"], image["width"]),
        np.array(image["cluster_sizes"]),
        Measured(image["psnr_db"], image["ssim"], image["delta_e"]),
        image["below_floor"],
    )


def with_sources(spark: SparkSession, run: Run, quantized: DataFrame) -> DataFrame:
    """Every image that was to be quantized, with its source; what no k brought to the floor has no palette."""
    sources = read(spark, run, "ingest", INGESTED, "relative_path", "content", "size_bytes", "outcome")
    selected = read(spark, run, "select_k", SELECTED, "relative_path", "reason")
    return (
        sources.where("outcome is null")
        .withColumnRenamed("size_bytes", "source_size_bytes")
        .drop("outcome")
        .join(selected, "relative_path")
        .join(quantized.drop("source_size_bytes", "reason"), "relative_path", "left")
    )


def body(spark: SparkSession, run: Run) -> dict[str, Any]:
    images = read(spark, run, "quantize", QUANTIZED, *QUANTIZED.names)
    if run.config.compression.codec == "auto":
        images = with_sources(spark, run, images)
    write(compress(images, run.config), run, "compress")
    return {}


if __name__ == "__main__":
    sys.exit(run_stage("compress", sys.argv[1:], body))
