"""Stage publish: gates, then files, manifest and report; and the partition is switched to them in one atomic step.

A version's name is a digest of what its bytes depend on. Publishing the same version again changes nothing.
"""

from __future__ import annotations

import hashlib
import json
import pickle
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from importlib.metadata import version as installed
from typing import Any, Final

import PIL
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from lake import GateError, Run, read_facts, run_stage, stage_facts
from parts import (
    Row,
    beside,
    find_row,
    in_batches,
    keep_memory,
    part_numbers,
    part_path,
    read_part,
    task_count,
    write_part,
)
from pyspark.sql import DataFrame, SparkSession, Window, functions
from pyspark.sql.pandas.types import from_arrow_schema

from chromapress import engine, naming, paths, report
from chromapress.outcome import Outcome
from chromapress.paths import STAGES, DatasetPaths, RunPaths, VersionPaths
from chromapress.press import under_floor
from chromapress.run_summary import summary
from chromapress.storage import hdfs
from chromapress.tables import COMPRESSED, INGESTED, MANIFEST

# A packed file is about one HDFS block.
_PACK_BYTES: Final = 128 << 20
# A client that closes a file before a DataNode has told the NameNode of it, waits half a second before it asks again.
_WRITERS: Final = 32
_MANIFEST_ROW_GROUP: Final = 1024

_PACKED: Final = pa.schema([("relative_path", pa.string()), ("published_path", pa.string()), ("content", pa.binary())])
# What the manifest needs of each stage: everything but pixels and files.
_SMALL_INGESTED: Final = [name for name in INGESTED.names if name not in ("content", "colors", "counts")]
_SMALL_SELECTED: Final = ("relative_path", "reason", "curve", "k_by_rule", "flat_colors", "rules_disagree")
_SMALL_QUANTIZED: Final = ("relative_path", "width", "height", "palette", "cluster_sizes")
_SMALL_COMPRESSED: Final = [name for name in COMPRESSED.names if name != "encoded"]

# What Spark sorts, groups and sums by, and where in the stages' tables an image is. All that the manifest tells is in
# `told`, pickled: as columns, its lists cost the JVM most of a millisecond an image.
_ENDED: Final = pa.schema(
    [
        pa.field("relative_path", pa.string()),
        pa.field("outcome", pa.string()),
        pa.field("codec", pa.string()),
        pa.field("published_size_bytes", pa.int64()),
        pa.field("part", pa.int32()),
        pa.field("position", pa.int32()),
        pa.field("told", pa.binary()),
    ]
)
_NAMED: Final = _ENDED.append(pa.field("published_path", pa.string()))
_DIGESTED: Final = ["relative_path", "source_size_bytes", "source_sha256", "pack"]
_NEW: Final = [str(one) for one in Outcome if one.is_new_file]
_KEPT: Final = [str(one) for one in Outcome if one.is_kept]

_VERSION: Final = pa.schema([("version", pa.string())])
_NOTHING: Final = pa.schema([("nothing", pa.bool_())])


def named_images(spark: SparkSession, run: Run) -> DataFrame:
    """One row for each landed file, unsorted, with what it is published as: _NAMED, and `pack`."""
    parts, stages, given_up = len(part_numbers(run)), run.paths, under_floor(run.config)

    def ended(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for part in batch["id"].to_pylist():
                rows = (
                    row | {"part": part, "position": position, "told": pickle.dumps(row)}
                    for position, row in enumerate(ended_rows(part, stages, given_up))
                )
                yield from in_batches(rows, _ENDED)

    numbers = spark.range(0, parts, 1, parts)
    return named(numbers.mapInArrow(ended, from_arrow_schema(_ENDED)), run.config.publish.layout)


def ended_rows(part: int, stages: RunPaths, given_up: Outcome | None) -> Iterator[Row]:
    """What all stages tell of a part's images: MANIFEST before names are given, and some more.

    Whom no k brings to the floor, quantize may have left out.
    """

    def by_path(stage: str, columns: Iterable[str]) -> dict[str, Row]:
        return {row["relative_path"]: row for row in read_part(part_path(stages, stage, part), *columns)}

    selected = by_path("select_k", _SMALL_SELECTED)
    quantized_rows = by_path("quantize", _SMALL_QUANTIZED)
    compressed = by_path("compress", _SMALL_COMPRESSED)
    for image in read_part(part_path(stages, "ingest", part), *_SMALL_INGESTED):
        path, size = image["relative_path"], image["size_bytes"]
        choice, quantized, end = (table.get(path, {}) for table in (selected, quantized_rows, compressed))
        outcome = Outcome(image["outcome"] or end.get("outcome") or str(given_up))
        published_size = end["encoded_size_bytes"] if outcome.is_new_file else size
        is_palette = end.get("k") is not None  # a lossy file has none
        yield (
            image
            | choice
            | end
            | {
                "source_size_bytes": size,
                "source_sha256": image["sha256"],
                "width": quantized.get("width") or image["width"],
                "height": quantized.get("height") or image["height"],
                "outcome": str(outcome),
                "reason": image["reason"] or end.get("reason") or choice["reason"],
                "choice": choice.get("reason"),
                "palette": quantized["palette"] if is_palette else None,
                "cluster_sizes": quantized["cluster_sizes"] if is_palette else None,
                "published_size_bytes": None if outcome == Outcome.REJECTED else published_size,
            }
        )


def named(rows: DataFrame, layout: str) -> DataFrame:
    """With published_path and pack."""
    # All whose names can meet are in one Spark partition, and many others with them.
    groups = rows.repartition(functions.regexp_extract("relative_path", naming.GROUP, 0))
    whole = groups.mapInArrow(_name, from_arrow_schema(_NAMED))
    pack = functions.lit(None)
    if layout == "parquet":
        # As they landed: a pack is made of neighbouring parts.
        so_far = functions.sum("published_size_bytes").over(Window.orderBy("part", "position"))
        pack = functions.when(functions.col("published_path").isNotNull(), functions.floor(so_far / _PACK_BYTES))
    return whole.withColumn("pack", pack.cast("int"))


def _name(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    rows = pa.Table.from_batches(batches, _ENDED)
    sources = [
        (row["relative_path"], row["codec"] if row["outcome"] in _NEW else None)
        for row in rows.select(["relative_path", "codec", "outcome"]).to_pylist()
        if row["outcome"] != Outcome.REJECTED
    ]
    names = naming.published_paths(sources)
    published = pa.array([names.get(path) for path in rows["relative_path"].to_pylist()], pa.string())
    yield from rows.append_column("published_path", published).to_batches()


def check_gates(run: Run, counts: dict[str, int]) -> None:
    """GateError where the partition must not be published as it is."""
    images = sum(counts.values())
    landed = read_facts(run, "ingest")["images"]
    if images != landed:
        raise GateError(f"{landed} images have landed, but {images} have an outcome")
    rejected = counts.get(Outcome.REJECTED, 0)
    percent = 100 * rejected / images
    limit = run.config.limits.max_rejected_percent
    if percent > limit:
        raise GateError(
            f"{rejected} of {images} images are rejected, {percent:.1f} %, more than limits.max_rejected_percent, "
            f"{limit:g}; nothing is published"
        )


def versions() -> dict[str, str]:
    """What decides on the bytes, beside the configuration."""
    return {"chromapress": installed("chromapress"), "engine": engine.__version__, "pillow": PIL.__version__}


def write_images(rows: DataFrame, run: Run, images: str) -> None:
    """The published files: new ones from what compress left, kept ones from what ingest read.

    Only names are shuffled: to a task for some parts of the stages' tables, or for a pack.
    """
    stages = run.paths

    def contents(group: pa.Table) -> Iterator[Row]:
        """The group's images as they landed: _PACKED."""
        for part in sorted(set(group["part"].to_pylist())):
            of_part = group.filter(pc.equal(group["part"], part))
            names = dict(zip(of_part["relative_path"].to_pylist(), of_part["published_path"].to_pylist(), strict=True))
            some_kept = bool(pc.any(pc.is_in(of_part["outcome"], pa.array(_KEPT))).as_py())
            for path, content in contents_of(part, stages, some_kept):
                if path in names:
                    yield {"relative_path": path, "published_path": names[path], "content": content}

    def write_files(group: pa.Table) -> None:
        # Writing a small file is mostly waiting: many wait at once.
        with ThreadPoolExecutor(_WRITERS) as writers:
            before: list[Future[None]] = []
            for batch in in_batches(contents(group), _PACKED):
                rows = batch.to_pylist()
                these = [
                    writers.submit(hdfs().write, f"{images}/{row['published_path']}", row["content"]) for row in rows
                ]
                for future in before:
                    future.result()
                before = these
            for future in before:
                future.result()

    def write_pack(group: pa.Table) -> None:
        number = group["pack"][0].as_py()
        write_part(f"{images}/part-{number:05}.parquet", _PACKED, lambda: contents(group), nullcontext())

    def write_group(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        keep_memory()
        group = list(batches)
        if group:
            write(pa.Table.from_batches(group))
        yield pa.RecordBatch.from_pylist([], _NOTHING)

    if run.config.publish.layout == "files":
        parts = len(part_numbers(run))
        each = -(-parts // task_count(parts, rows.sparkSession.sparkContext.defaultParallelism))
        grouped, write = functions.floor(functions.col("part") / each), write_files
    else:
        grouped, write = functions.col("pack"), write_pack
    small = rows.where("published_path is not null").select(
        grouped.cast("int").alias("group"), "part", "pack", "relative_path", "published_path", "outcome"
    )
    last = small.agg(functions.max("group")).collect()[0][0]
    if last is not None:
        written = small.repartitionById(last + 1, "group").mapInArrow(write_group, from_arrow_schema(_NOTHING))
        written.write.format("noop").mode("overwrite").save()


def contents_of(part: int, stages: RunPaths, some_kept: bool) -> Iterator[tuple[str, bytes]]:
    """Relative path and what can be published of a part's images; without some_kept, new files alone."""
    columns = ("relative_path", "content") if some_kept else ("relative_path",)
    sources = read_part(part_path(stages, "ingest", part), *columns)
    encoded = read_part(part_path(stages, "compress", part), "relative_path", "encoded")
    for source, end in beside(sources, encoded):
        content = (end and end["encoded"]) or source.get("content")
        if content is not None:
            yield source["relative_path"], content


def write_manifest(rows: DataFrame, run: Run, target: VersionPaths) -> str:
    """Write manifest.parquet, and return the version's name: a digest of inputs, configuration, engine and decoder.

    One sorted file: the same rows give the same bytes, however many executors there were.
    """
    made_with = json.dumps([run.config.result_json(), versions()], sort_keys=True)

    def write_file(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        digest = hashlib.sha256(made_with.encode())
        with hdfs().writer(target.manifest) as sink, pq.ParquetWriter(sink, MANIFEST, compression="zstd") as writer:
            for batch in batches:
                rows = [pickle.loads(row["told"]) | row for row in batch.to_pylist()]  # noqa: S301 (it is ours)
                writer.write_table(pa.Table.from_pylist(rows, MANIFEST))
                for row in rows:
                    digest.update(json.dumps([row[name] for name in _DIGESTED]).encode())
        yield pa.RecordBatch.from_pylist([{"version": digest.hexdigest()[:16]}], _VERSION)

    # A batch is a row group: where it ends depends on the rows alone.
    rows.sparkSession.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", str(_MANIFEST_ROW_GROUP))
    columns = rows.select("relative_path", "published_path", "pack", "told")
    ordered = columns.coalesce(1).sortWithinPartitions("relative_path")
    version: str = ordered.mapInArrow(write_file, from_arrow_schema(_VERSION)).collect()[0].version
    return version


def write_about(rows: DataFrame, run: Run, made: VersionPaths, version: str, started: float) -> None:
    """report.html and run.json of a version whose images and manifest are there."""
    with run.store.reader(made.manifest) as file:
        ended = report.read_rows(pq.ParquetFile(file))
    stages = {stage: read_facts(run, stage) for stage in STAGES if stage != "publish"}
    facts = {
        "dataset": run.dataset,
        "partition": run.partition.partition,
        "version": version,
        "run_id": run.run_id,
        **summary(ended),
        "stages": {**stages, "publish": stage_facts("publish", started, {})},
        "config": run.config.model_dump(mode="json"),
        "versions": versions(),
    }
    run.store.write(made.report, report.render(facts, ended, examples(rows, run, ended)).encode())
    run.store.write(made.run, json.dumps(facts, indent=1).encode())


def examples(rows: DataFrame, run: Run, ended: pa.Table) -> list[report.Example]:
    """Before and after of the few images that the report shows."""
    wanted = dict(report.pick_examples(ended))
    found = rows.where(functions.col("relative_path").isin(list(wanted))).select("relative_path", "part").collect()
    parts = {row.relative_path: row.part for row in found}

    def content(path: str, stage: str, column: str) -> bytes:
        found: bytes = find_row(part_path(run.paths, stage, parts[path]), path, column)[column]
        return found

    return [
        report.Example(path, why, content(path, "ingest", "content"), content(path, "compress", "encoded"))
        for path, why in wanted.items()
    ]


def switch(run: Run, version: str) -> None:
    """Let readers read this version from now on."""
    aside = f"{run.partition.published}/_CURRENT.{paths.safe_run_id(run.run_id)}"
    run.store.write(aside, f"{version}\n".encode())
    run.store.replace(aside, run.partition.current)


def prune_versions(run: Run, version: str) -> None:
    """Delete the partition's oldest versions beyond publish.keep_versions, and what failed runs left aside."""
    store, published = run.store, run.partition.published
    made = {}
    for name in store.names(published):
        if name.startswith("_aside-"):
            store.delete(f"{published}/{name}")
        elif not name.startswith("_") and name != version:
            stages = json.loads(store.read(run.partition.version(name).run))["stages"]
            made[name] = stages["publish"]["started"]
    newest_first = sorted(made, key=lambda name: made[name], reverse=True)
    for name in newest_first[run.config.publish.keep_versions - 1 :]:
        store.delete(f"{published}/{name}")


def prune_runs(run: Run) -> None:
    """Delete the stages of the dataset's runs that are older than publish.retention_days."""
    oldest = datetime.now(UTC) - timedelta(days=run.config.publish.retention_days)
    dataset = DatasetPaths(run.partition.root, run.dataset)
    for partition in run.store.names(dataset.work):
        work = dataset.partition(partition)
        for name in run.store.names(work.work):
            base = f"{work.work}/{name}"
            if base not in (work.lock, run.paths.base) and run.store.modified(base) < oldest:
                run.store.delete(base)


def body(spark: SparkSession, run: Run) -> dict[str, Any]:
    started = time.time()
    rows = named_images(spark, run).cache()
    counts = {row.outcome: row["count"] for row in rows.groupBy("outcome").count().collect()}
    check_gates(run, counts)
    aside = run.partition.version(f"_aside-{paths.safe_run_id(run.run_id)}")
    run.store.delete(aside.base)
    version = write_manifest(rows, run, aside)
    target = run.partition.version(version)
    if not run.store.exists(target.run):
        write_images(rows, run, aside.images)
        write_about(rows, run, aside, version, started)
        run.store.replace(aside.base, target.base)
    switch(run, version)
    prune_versions(run, version)
    prune_runs(run)
    print(json.dumps({"version": version, "published": target.base}))
    return {"version": version}


if __name__ == "__main__":
    sys.exit(run_stage("publish", sys.argv[1:], body))
