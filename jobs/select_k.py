"""Stage select_k: for each image, or for each palette that images share, the number of colours and K-means' start.

It reads histograms only. With palette.scope `folder` or `dataset`, silhouettes are those of the group's pooled
histogram (in cells, where it has very many colours), and a k is as good as it is for the image that it serves worst.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, replace
from typing import Any, Final

import numpy as np
import pyarrow as pa
from lake import Run, read, run_stage
from palette_pool import group_name, group_of, pooled, unpacked, whole
from parts import Row, part_numbers, part_path, read_part, write_table
from pyspark import SparkContext
from pyspark.sql import DataFrame, functions
from pyspark.sql.pandas.types import from_arrow_schema

from chromapress import engine
from chromapress.choice import (
    Candidate,
    Choice,
    Verdict,
    as_configured,
    candidates_for,
    choose,
    count_flat,
    fits,
    measured,
    pick,
)
from chromapress.config import DatasetConfig
from chromapress.flat_colors import FlatColors
from chromapress.histogram import Histogram, for_choice, straight
from chromapress.quality import histogram_delta_e
from chromapress.tables import INGESTED, SELECTED

_CANDIDATE: Final = pa.struct(
    [
        pa.field("k", pa.int32()),
        pa.field("silhouette", pa.float64()),
        pa.field("psnr_db", pa.float64()),
        pa.field("delta_e", pa.float64()),
        pa.field("centres", pa.binary()),
    ]
)
# Of a group whose colours all fit in a palette, the histogram; of others, the candidates.
_MEASURED: Final = pa.schema(
    [
        pa.field("group", pa.string()),
        pa.field("colors", pa.binary()),
        pa.field("counts", pa.binary()),
        pa.field("flat_count", pa.int32()),
        pa.field("flat_share", pa.float64()),
        pa.field("candidates", pa.list_(_CANDIDATE)),
    ]
)
_WORST: Final = pa.schema(
    [
        pa.field("group", pa.string()),
        pa.field("k", pa.int32()),
        pa.field("psnr_db", pa.float64()),
        pa.field("delta_e", pa.float64()),
    ]
)


def select_for_each(ingested: str, config: DatasetConfig) -> Iterator[Row]:
    """A choice for each image of a part of ingest's, by its own histogram: tables.SELECTED."""
    histogram = ("colors", "counts") if config.palette.needs_histograms else ()
    for image in read_part(ingested, "relative_path", "outcome", *histogram):
        if image["outcome"] is None:
            if config.palette.needs_histograms:
                found = Histogram.unpacked(image["colors"], image["counts"])
                choice = choose(found, config.palette, config.quality)
            else:
                choice = as_configured(config.palette)
            yield selected_row(image["relative_path"], choice)


def select_for_groups(ingested: str, choices: Mapping[str, Choice], config: DatasetConfig) -> Iterator[Row]:
    """For each image of a part of ingest's, the choice of its group: tables.SELECTED."""
    for image in read_part(ingested, "relative_path", "outcome"):
        if image["outcome"] is None:
            path = image["relative_path"]
            yield selected_row(path, choices[group_name(path, config)])


def choose_shared(grouped: DataFrame, config: DatasetConfig) -> dict[str, Choice]:
    """The k of each group's palette; the curve's quality is that of the worst image."""
    palette, quality = config.palette, config.quality
    choices, curves, flats = {}, {}, {}
    for row in candidates_of_groups(pooled(grouped), config).collect():
        if row.colors is not None:
            colors, counts = np.frombuffer(row.colors, np.uint8), np.frombuffer(row.counts, np.int64)
            choices[row.group] = choose(Histogram(colors.reshape(-1, 4), counts), palette, quality)
            continue
        flats[row.group] = FlatColors(row.flat_count, row.flat_share)
        curves[row.group] = [
            Candidate(one.k, one.silhouette, one.psnr_db, one.delta_e, np.frombuffer(one.centres).reshape(-1, 4))
            for one in row.candidates
        ]
    for group, curve in with_worst(grouped, curves, config).items():
        choice = pick(curve, palette, quality, flats[group])
        if choice.verdict == Verdict.UNREACHABLE:
            # A group is not given up for its worst image: each is judged by itself once it is mapped.
            reason = f"{choice.k} colours, the most allowed, since some images stay under the floor with fewer"
            choice = replace(choice, verdict=Verdict.QUANTIZE, reason=reason)
        choices[group] = choice
    return choices


def candidates_of_groups(pool: DataFrame, config: DatasetConfig) -> DataFrame:
    """The candidates of each group of a pool (palette_pool.BLOCKS): _MEASURED."""

    def of_group(blocks: pa.Table) -> pa.Table:
        histogram = for_choice(whole(blocks))
        row: dict[str, Any] = {"group": blocks["group"][0].as_py()}
        if fits(histogram, config.palette):
            row |= {"colors": histogram.colors.tobytes(), "counts": histogram.counts.tobytes()}
            return pa.Table.from_pylist([row], _MEASURED)
        flat = count_flat(histogram, config.palette)
        ks = candidates_for(histogram, config.palette, flat)
        candidates = [asdict(one) for one in measured(histogram, ks, config.palette, config.quality)]
        row["candidates"] = [one | {"centres": one["centres"].tobytes()} for one in candidates]
        return pa.Table.from_pylist([row | {"flat_count": flat.count, "flat_share": flat.share}], _MEASURED)

    return pool.groupBy("group").applyInArrow(of_group, from_arrow_schema(_MEASURED))


def with_worst(
    grouped: DataFrame, curves: Mapping[str, list[Candidate]], config: DatasetConfig
) -> dict[str, list[Candidate]]:
    """Each group's candidates with the quality that each has for the image that it serves worst."""
    space, wants_delta_e = config.palette.color_space, config.quality.max_delta_e is not None
    palettes = grouped.sparkSession.sparkContext.broadcast(
        {group: [(one.k, straight(one.centres)) for one in curve] for group, curve in curves.items()}
    )

    def worst(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for group, histogram in zip(batch.column("group").to_pylist(), unpacked(batch), strict=True):
                rows = []
                for k, palette in palettes.value.get(group, ()):
                    labels = engine.map_colors(histogram.colors, palette, color_space=space)
                    delta_e = histogram_delta_e(histogram, palette, labels) if wants_delta_e else None
                    psnr_db = histogram.psnr_db(palette, labels)
                    rows.append({"group": group, "k": k, "psnr_db": psnr_db, "delta_e": delta_e})
                yield pa.RecordBatch.from_pylist(rows, _WORST)

    by_k = (
        grouped.select("group", "colors", "counts")
        .mapInArrow(worst, from_arrow_schema(_WORST))
        .groupBy("group", "k")
        .agg(functions.min("psnr_db").alias("psnr_db"), functions.max("delta_e").alias("delta_e"))
    )
    found = {(row.group, row.k): row for row in by_k.collect()}
    return {
        group: [replace(one, psnr_db=found[group, one.k].psnr_db, delta_e=found[group, one.k].delta_e) for one in curve]
        for group, curve in curves.items()
    }


def selected_row(relative_path: str, choice: Choice) -> Row:
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


def body(context: SparkContext, run: Run) -> dict[str, Any]:
    config, paths = run.config, run.paths
    shared = None
    if config.palette.scope != "image":
        images = read(context, run, "ingest", INGESTED, "relative_path", "colors", "counts", "outcome")
        grouped = images.where("outcome is null").withColumn("group", group_of(config))
        shared = context.broadcast(choose_shared(grouped, config))

    def rows(part: int) -> Iterator[Row]:
        ingested = part_path(paths, "ingest", part)
        return select_for_groups(ingested, shared.value, config) if shared else select_for_each(ingested, config)

    write_table(context, run, "select_k", SELECTED, part_numbers(run), rows)
    return {}


if __name__ == "__main__":
    sys.exit(run_stage("select_k", sys.argv[1:], body))
