"""Stage quantize: Spark K-means from the chosen start, the pixels' mapping, and the quality that it has.

With palette.scope `image` the engine clusters each image's histogram inside the executors; with `folder` and `dataset`,
pyspark.ml's KMeans clusters each group's pooled histogram, weighted, and its images are mapped to the one palette.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from lake import Run, read, run_stage
from landed import FOUND, WHERE, Landed, landing
from palette_pool import group_name
from parts import Row, beside, part_numbers, part_path, read_part, write_table
from pyspark import SparkContext

from chromapress.choice import Verdict
from chromapress.config import DatasetConfig, Limits
from chromapress.decode import Undecodable, check_size, decode
from chromapress.histogram import Histogram
from chromapress.paths import RunPaths
from chromapress.press import under_floor
from chromapress.quantization import Quantized, apply_palette, quantize
from chromapress.tables import INGESTED, QUANTIZED, SELECTED


def to_quantize(part: int, paths: RunPaths, config: DatasetConfig) -> Iterator[Row]:
    """The images of a part that get a palette, as ingested and selected."""
    images = read_part(part_path(paths, "ingest", part), *{*WHERE, *FOUND})
    selected = read_part(part_path(paths, "select_k", part), "relative_path", "verdict", "k", "centres", "reason")
    given_up = under_floor(config) is not None
    for image, choice in beside(images, selected):
        if choice is not None and not (given_up and choice["verdict"] == Verdict.UNREACHABLE):
            yield image | choice


def quantize_all(
    images: Iterable[Row], landed: Landed, quantize_one: Callable[[Row, np.ndarray], Quantized], limits: Limits
) -> Iterator[Row]:
    """The images as tables.QUANTIZED."""
    for image, file in landed.contents(images):
        row = {name: image[name] for name in ("relative_path", *FOUND)}
        try:
            content = file()
            if row["sha256"] is None:
                row["size_bytes"] = len(content)
                check_size(len(content), limits)
                row["sha256"] = hashlib.sha256(content).hexdigest()
            decoded = decode(content, limits)
        except Undecodable as told:
            # Ingest may not have read it; and what has landed can be changed.
            yield row | {"outcome": str(told.outcome), "reason": str(told)}
        else:
            row |= {"format": decoded.format, "mode": decoded.mode, "reason": image["reason"]}
            yield row | quantized_row(quantize_one(image, decoded.pixels))


def quantized_row(quantized: Quantized) -> Row:
    """What an image was quantized to, for a row of tables.QUANTIZED."""
    height, width = quantized.indices.shape
    return {
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


def body(context: SparkContext, run: Run) -> dict[str, Any]:
    config, paths, uri = run.config, run.paths, landing(run)
    facts: dict[str, Any] = {}
    shared = None
    if config.palette.scope != "image":
        # Most runs need no pyspark.ml, which takes a second to be imported.
        from shared_palettes import shared_palettes  # noqa: PLC0415

        histograms = read(context, run, "ingest", INGESTED, "relative_path", "colors", "counts", "outcome")
        selected = read(context, run, "select_k", SELECTED, "relative_path", "verdict", "centres")
        shared = context.broadcast(shared_palettes(histograms.where("outcome is null"), selected, config))
        facts["palettes"] = len(shared.value)

    def quantize_one(image: Row, pixels: np.ndarray) -> Quantized:
        """With a palette of its own, or with that of its group."""
        if shared:
            return apply_palette(pixels, shared.value[group_name(image["relative_path"], config)], config)
        centres = np.frombuffer(image["centres"], np.float64).reshape(-1, 4)
        return quantize(pixels, Histogram.of(pixels), Verdict(image["verdict"]), image["k"], centres, config)

    def rows(part: int) -> Iterator[Row]:
        return quantize_all(to_quantize(part, paths, config), Landed(uri, config.limits), quantize_one, config.limits)

    write_table(context, run, "quantize", QUANTIZED, part_numbers(run), rows)
    return facts


if __name__ == "__main__":
    sys.exit(run_stage("quantize", sys.argv[1:], body))
