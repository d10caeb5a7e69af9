"""Stage compress: each index map as a file, checked by another decoder, and whether it is worth its change.

With compression.codec `auto`, lossy files made from the source's pixels compete; they can also reach a floor that no
palette reaches.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from lake import Run, run_stage
from landed import WHERE, Landed, landing
from parts import Row, beside, part_numbers, part_path, read_part, write_table
from pyspark import SparkContext

from chromapress.config import DatasetConfig
from chromapress.decode import Undecodable, decode
from chromapress.paths import RunPaths
from chromapress.press import finish
from chromapress.quality import Measured
from chromapress.quantization import Quantized
from chromapress.tables import COMPRESSED, QUANTIZED


def compress(images: Iterable[tuple[Row, Row | None]], landed: Landed | None, config: DatasetConfig) -> Iterator[Row]:
    """A file, or the reason why the source is kept, for each image: tables.COMPRESSED.

    images: with relative_path, reason and size_bytes, and what `landed` needs, which is given where lossy files
    are to compete; beside each, as tables.QUANTIZED, what it was quantized to, or None where no k reaches the floor.
    """
    for image, quantized in images:
        if quantized and quantized["outcome"]:
            yield {name: quantized[name] for name in ("relative_path", "outcome", "reason")}
            continue
        try:
            pixels = decode(landed.content(image), config.limits).pixels if landed else None
        except Undecodable as told:
            yield {"relative_path": image["relative_path"], "outcome": str(told.outcome), "reason": str(told)}
            continue
        end = finish(
            quantized_of(quantized) if quantized else None, image["reason"], pixels, image["size_bytes"], config
        )
        yield {
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


def quantized_of(row: Row) -> Quantized:
    """A row of tables.QUANTIZED as quantize had it."""
    return Quantized(
        np.frombuffer(row["palette"], np.uint8).reshape(-1, 4),
        np.frombuffer(row["indices"], np.uint8).reshape(row["height"], row["width"]),
        np.array(row["cluster_sizes"]),
        Measured(row["psnr_db"], row["ssim"], row["delta_e"]),
        row["below_floor"],
    )


def with_sources(part: int, paths: RunPaths, quantized: Iterable[Row]) -> Iterator[tuple[Row, Row | None]]:
    """Every image of a part that was to be quantized, with its source, and what it was quantized to."""
    sources = read_part(part_path(paths, "ingest", part), *WHERE)
    selected = read_part(part_path(paths, "select_k", part), "relative_path", "reason")
    images = (source | choice for source, choice in beside(sources, selected) if choice is not None)
    for image, found in beside(images, quantized):
        # Where ingest did not read it, quantize knows its size and its sum.
        yield image | (found or {}), found


def body(context: SparkContext, run: Run) -> dict[str, Any]:
    config, paths, uri = run.config, run.paths, landing(run)

    def rows(part: int) -> Iterator[Row]:
        quantized = read_part(part_path(paths, "quantize", part), *QUANTIZED.names)
        if config.compression.codec == "auto":
            return compress(with_sources(part, paths, quantized), Landed(uri, config.limits), config)
        return compress(((row, row) for row in quantized), None, config)

    write_table(context, run, "compress", COMPRESSED, part_numbers(run), rows)
    return {}


if __name__ == "__main__":
    sys.exit(run_stage("compress", sys.argv[1:], body))
