"""Stage select_k: for each image, or for a palette that all share, the number of colours and where K-means starts.

It reads histograms only. With palette.scope `dataset`, silhouettes are those of the pooled histogram, and a k is as
good as it is for the image that it serves worst.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from typing import Any

import pyarrow as pa
from lake import Run, map_rows, read, run_stage, write
from palette_pool import collected, pooled, unpacked
from pyspark.sql import DataFrame, SparkSession, functions
from pyspark.sql.pandas.types import from_arrow_schema

from chromapress import engine
from chromapress.choice import Candidate, Choice, Verdict, candidates_for, choose, least_colors, measure, pick
from chromapress.config import DatasetConfig
from chromapress.histogram import Histogram, straight
from chromapress.quality import histogram_delta_e
from chromapress.tables import INGESTED, SELECTED

_WORST = pa.schema([("k", pa.int32()), ("psnr_db", pa.float64()), ("delta_e", pa.float64())])


def select_for_each(histograms: DataFrame, config: DatasetConfig) -> DataFrame:
    """A choice for each image, by its own histogram: tables.SELECTED."""

    def row(image: dict[str, Any]) -> dict[str, Any]:
        histogram = Histogram.unpacked(image["colors"], image["counts"])
        return selected_row(image["relative_path"], choose(histogram, config.palette, config.quality))

    return map_rows(histograms, SELECTED, row)


def select_for_all(histograms: DataFrame, config: DatasetConfig) -> DataFrame:
    """The same choice for all images, by their pooled histogram: tables.SELECTED."""
    pool = collected(pooled(histograms))
    choice = choose_shared(pool, histograms, config)
    return map_rows(
        histograms.select("relative_path"), SELECTED, lambda image: selected_row(image["relative_path"], choice)
    )


def choose_shared(pool: Histogram, histograms: DataFrame, config: DatasetConfig) -> Choice:
    """The k of a shared palette; the curve's quality is that of the worst image."""
    if len(pool) <= max(config.palette.largest_k, least_colors(pool, config.palette)):
        return choose(pool, config.palette, config.quality)
    measured = [measure(pool, k, config.palette, config.quality) for k in candidates_for(pool, config.palette)]
    choice = pick(with_worst(histograms, measured, config), config.palette, config.quality)
    if choice.verdict == Verdict.UNREACHABLE:
        # A dataset is not given up for its worst image: each is judged by itself once it is mapped.
        reason = f"{choice.k} colours, the most allowed, since some images stay under the floor with fewer"
        return replace(choice, verdict=Verdict.QUANTIZE, reason=reason)
    return choice


def with_worst(histograms: DataFrame, measured: Sequence[Candidate], config: DatasetConfig) -> list[Candidate]:
    """The candidates with the quality that each has for the image that it serves worst."""
    palettes = [(one.k, straight(one.centres)) for one in measured]
    space, wants_delta_e = config.palette.color_space, config.quality.max_delta_e is not None

    def worst(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for histogram in unpacked(batch):
                rows = []
                for k, palette in palettes:
                    labels = engine.map_colors(histogram.colors, palette, color_space=space)
                    delta_e = histogram_delta_e(histogram, palette, labels) if wants_delta_e else None
                    rows.append({"k": k, "psnr_db": histogram.psnr_db(palette, labels), "delta_e": delta_e})
                yield pa.RecordBatch.from_pylist(rows, _WORST)

    by_k = (
        histograms.select("colors", "counts")
        .mapInArrow(worst, from_arrow_schema(_WORST))
        .groupBy("k")
        .agg(functions.min("psnr_db").alias("psnr_db"), functions.max("delta_e").alias("delta_e"))
    )
    found = {row["k"]: row for row in by_k.collect()}
    return [replace(one, psnr_db=found[one.k]["psnr_db"], delta_e=found[one.k]["delta_e"]) for one in measured]


def selected_row(relative_path: str, choice: Choice) -> dict[str, Any]:
    """A choice as a row of tables.SELECTED."""
    curve = [{key: value for key, value in asdict(candidate).items() if key != "centres"} for candidate in choice.curve]
    return {
        "relative_path": relative_path,
        "verdict": str(choice.verdict),
        "k": choice.k,
        "centres": choice.centres.tobytes(),
        "reason": choice.reason,
        "below_floor": choice.below_floor,
        "curve": curve,
        "k_by_rule": choice.k_by_rule,
        "flat_colors": choice.flat_colors,
        "rules_disagree": choice.rules_disagree,
    }


def body(spark: SparkSession, run: Run) -> dict[str, Any]:
    images = read(spark, run, "ingest", INGESTED, "relative_path", "colors", "counts", "outcome")
    histograms = images.where("outcome is null").drop("outcome")
    shared = run.config.palette.scope == "dataset"
    write((select_for_all if shared else select_for_each)(histograms, run.config), run, "select_k")
    return {}


if __name__ == "__main__":
    sys.exit(run_stage("select_k", sys.argv[1:], body))
