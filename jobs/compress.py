"""Stage compress: each index map as a file, checked by another decoder, and whether it is worth its change."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from lake import Run, map_rows, read, run_stage, write
from pyspark.sql import DataFrame, SparkSession

from chromapress.config import DatasetConfig
from chromapress.encoding import encode
from chromapress.press import judge
from chromapress.quality import Measured
from chromapress.tables import COMPRESSED, QUANTIZED


def compress(quantized: DataFrame, config: DatasetConfig) -> DataFrame:
    """A file, or the reason why the source is kept, for each quantized image: tables.COMPRESSED."""

    def row(image: dict[str, Any]) -> dict[str, Any]:
        palette = np.frombuffer(image["palette"], np.uint8).reshape(-1, 4)
        indices = np.frombuffer(image["indices"], np.uint8).reshape(image["height"], image["width"])
        encoded = encode(palette, indices, config.compression)
        end, reason = judge(
            Measured(image["psnr_db"], image["ssim"], image["delta_e"]),
            image["k"],
            image["below_floor"],
            image["reason"],
            (len(encoded.content), image["source_size_bytes"]),
            config,
        )
        return {
            "relative_path": image["relative_path"],
            "outcome": str(end),
            "reason": reason,
            "codec": encoded.codec,
            "encoded_size_bytes": len(encoded.content),
            "encoded": encoded.content if end.is_new_file else None,
        }

    return map_rows(quantized, COMPRESSED, row)


def body(spark: SparkSession, run: Run) -> dict[str, Any]:
    quantized = read(spark, run, "quantize", QUANTIZED, *(set(QUANTIZED.names) - {"cluster_sizes"}))
    write(compress(quantized, run.config), run, "compress")
    return {}


if __name__ == "__main__":
    sys.exit(run_stage("compress", sys.argv[1:], body))
