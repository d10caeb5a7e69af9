"""Stage publish: gates, then files, manifest and report; and the partition is switched to them in one atomic step.

A version's name is a digest of what its bytes depend on. Publishing the same version again changes nothing.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from importlib.metadata import version as installed
from typing import Any, Final

import PIL
import pyarrow as pa
import pyarrow.parquet as pq
from lake import GateError, Run, read, read_facts, run_stage, stage_facts
from pyspark.sql import DataFrame, SparkSession, Window, functions
from pyspark.sql.pandas.types import from_arrow_schema

from chromapress import engine, naming, paths, report
from chromapress.outcome import Outcome
from chromapress.paths import STAGES, DatasetPaths, VersionPaths
from chromapress.press import under_floor
from chromapress.run_summary import summary
from chromapress.storage import hdfs
from chromapress.tables import COMPRESSED, INGESTED, MANIFEST, QUANTIZED, SELECTED

# A packed file is about one HDFS block.
_PACK_BYTES: Final = 128 << 20
_WRITERS: Final = 8
_PACK_ROW_GROUP: Final = 64
_MANIFEST_ROW_GROUP: Final = 1024

_NAMED: Final = pa.schema([("relative_path", pa.string()), ("published_path", pa.string())])
_PACKED: Final = pa.schema([("relative_path", pa.string()), ("published_path", pa.string()), ("content", pa.binary())])
# What the manifest needs of each stage: everything but pixels and files.
_SMALL_INGESTED: Final = tuple(set(INGESTED.names) - {"content", "colors", "counts"})
_SMALL_SELECTED: Final = ("relative_path", "reason", "curve", "k_by_rule", "flat_colors", "rules_disagree")
_SMALL_QUANTIZED: Final = ("relative_path", "palette", "cluster_sizes")
_SMALL_COMPRESSED: Final = tuple(set(COMPRESSED.names) - {"encoded"})

_VERSION: Final = pa.schema([("version", pa.string())])
_NOTHING: Final = pa.schema([("nothing", pa.bool_())])


def manifest(spark: SparkSession, run: Run) -> DataFrame:
    """One row for each landed file, tables.MANIFEST, unsorted."""
    ingested = read(spark, run, "ingest", INGESTED, *_SMALL_INGESTED).withColumnsRenamed(
        {"outcome": "ended", "reason": "end", "size_bytes": "source_size_bytes", "sha256": "source_sha256"}
    )
    selected = read(spark, run, "select_k", SELECTED, *_SMALL_SELECTED)
    quantized = read(spark, run, "quantize", QUANTIZED, *_SMALL_QUANTIZED)
    compressed = read(spark, run, "compress", COMPRESSED, *_SMALL_COMPRESSED)
    joined = (
        ingested.join(selected.withColumnRenamed("reason", "choice"), "relative_path", "left")
        .join(quantized, "relative_path", "left")
        .join(compressed, "relative_path", "left")
        # Whom no k brings to the floor, quantize has left out.
        .withColumn("outcome", functions.coalesce("ended", "outcome", functions.lit(under_floor(run.config))))
        .withColumn("reason", functions.coalesce("end", "reason", "choice"))
    )
    # A lossy file has no palette.
    for column in ("palette", "cluster_sizes"):
        joined = joined.withColumn(column, functions.when(functions.col("k").isNotNull(), functions.col(column)))
    return named(joined, run.config.publish.layout)


def named(rows: DataFrame, layout: str) -> DataFrame:
    """With published_path, published_size_bytes and pack: the columns of tables.MANIFEST."""
    is_new = rows.outcome.isin([str(one) for one in Outcome if one.is_new_file])
    is_published = rows.outcome != Outcome.REJECTED
    names = (
        rows.where(is_published)
        .select("relative_path", functions.when(is_new, rows.codec).alias("codec"))
        .groupBy(functions.regexp_extract("relative_path", naming.GROUP, 0))
        .applyInArrow(_name, from_arrow_schema(_NAMED))
    )
    size = functions.when(is_new, rows.encoded_size_bytes).when(is_published, rows.source_size_bytes)
    whole = rows.withColumn("published_size_bytes", size).join(names, "relative_path", "left")
    pack = functions.lit(None)
    if layout == "parquet":
        so_far = functions.sum("published_size_bytes").over(Window.orderBy("relative_path"))
        pack = functions.when(functions.col("published_path").isNotNull(), functions.floor(so_far / _PACK_BYTES))
    return whole.withColumn("pack", pack.cast("int")).select(*MANIFEST.names)


def _name(group: pa.Table) -> pa.Table:
    sources = list(zip(group["relative_path"].to_pylist(), group["codec"].to_pylist(), strict=True))
    paths = naming.published_paths(sources)
    return pa.table([list(paths), list(paths.values())], schema=_NAMED)


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


def write_images(
    spark: SparkSession, rows: DataFrame, run: Run, target: VersionPaths, outcomes: Collection[str]
) -> None:
    """The published files: new ones from what compress left, kept ones, if there are any, from what ingest read."""
    encoded = read(spark, run, "compress", COMPRESSED, "relative_path", "encoded")
    sources = read(spark, run, "ingest", INGESTED, "relative_path", "content")
    is_new = rows.outcome.isin([str(one) for one in Outcome if one.is_new_file])
    small = rows.select("relative_path", "published_path", "pack")
    new = (
        encoded.where("encoded is not null")
        .withColumnRenamed("encoded", "content")
        .join(small.where(is_new), "relative_path")
    )
    files = new
    if any(Outcome(one).is_kept for one in outcomes):
        kept = sources.join(small.where(~is_new & functions.col("published_path").isNotNull()), "relative_path")
        files = new.unionByName(kept)
    images = target.images
    if run.config.publish.layout == "files":

        def write_files(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            # Writing a small file is mostly waiting for NameNode and DataNodes: several wait at once.
            with ThreadPoolExecutor(_WRITERS) as writers:
                for batch in batches:
                    paths = [f"{images}/{path}" for path in batch["published_path"].to_pylist()]
                    list(writers.map(hdfs().write, paths, batch["content"].to_pylist()))
            yield pa.RecordBatch.from_pylist([], _NOTHING)

        _run(files.mapInArrow(write_files, from_arrow_schema(_NOTHING)))
        return

    def write_pack(pack: pa.Table) -> pa.Table:
        number = pack["pack"][0].as_py()
        with hdfs().writer(f"{images}/part-{number:05}.parquet") as sink:
            # Images do not compress again, and a reader wants one of them, not all.
            pq.write_table(
                pack.sort_by("relative_path").select(_PACKED.names).cast(_PACKED),
                sink,
                compression="none",
                use_dictionary=False,
                row_group_size=_PACK_ROW_GROUP,
            )
        return _NOTHING.empty_table()

    # As many parts as packs at most: those of the manifest, whose rows are small, would be too few.
    packs = 1 + read_facts(run, "ingest")["bytes"] // _PACK_BYTES
    _run(files.repartition(packs, "pack").groupBy("pack").applyInArrow(write_pack, from_arrow_schema(_NOTHING)))


def write_manifest(rows: DataFrame, run: Run, target: VersionPaths) -> str:
    """Write manifest.parquet, and return the version's name: a digest of inputs, configuration, engine and decoder.

    One sorted file: the same rows give the same bytes, however many executors there were.
    """
    made_with = json.dumps([run.config.result_json(), versions()], sort_keys=True)

    def write_file(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        digest = hashlib.sha256(made_with.encode())
        with hdfs().writer(target.manifest) as sink, pq.ParquetWriter(sink, MANIFEST, compression="zstd") as writer:
            for batch in batches:
                writer.write_table(pa.Table.from_batches([batch]).cast(MANIFEST))
                for row in batch.select(["relative_path", "source_size_bytes", "source_sha256"]).to_pylist():
                    digest.update(json.dumps(list(row.values())).encode())
        yield pa.RecordBatch.from_pylist([{"version": digest.hexdigest()[:16]}], _VERSION)

    # A batch is a row group: where it ends depends on the rows alone.
    rows.sparkSession.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", str(_MANIFEST_ROW_GROUP))
    ordered = rows.coalesce(1).sortWithinPartitions("relative_path")
    version: str = ordered.mapInArrow(write_file, from_arrow_schema(_VERSION)).collect()[0].version
    return version


def _run(frame: DataFrame) -> None:
    """Let the executors do it, for what it does and not for its rows."""
    frame.write.format("noop").mode("overwrite").save()


def write_about(spark: SparkSession, run: Run, made: VersionPaths, version: str, started: float) -> dict[str, Any]:
    """report.html and run.json of a version whose images and manifest are there; returns what run.json says."""
    with run.store.reader(made.manifest) as file:
        rows = report.read_rows(pq.ParquetFile(file))
    stages = {stage: read_facts(run, stage) for stage in STAGES if stage != "publish"}
    facts = {
        "dataset": run.dataset,
        "partition": run.partition.partition,
        "version": version,
        "run_id": run.run_id,
        **summary(rows),
        "stages": {**stages, "publish": stage_facts("publish", started, {})},
        "config": run.config.model_dump(mode="json"),
        "versions": versions(),
    }
    run.store.write(made.report, report.render(facts, rows, examples(spark, run, rows)).encode())
    run.store.write(made.run, json.dumps(facts, indent=1).encode())
    return facts


def examples(spark: SparkSession, run: Run, rows: pa.Table) -> list[report.Example]:
    """Before and after of the few images that the report shows."""
    wanted = dict(report.pick_examples(rows))
    chosen = functions.col("relative_path").isin(list(wanted))
    before = read(spark, run, "ingest", INGESTED, "relative_path", "content").where(chosen)
    after = read(spark, run, "compress", COMPRESSED, "relative_path", "encoded").where(chosen)
    found = {row.relative_path: row for row in before.join(after, "relative_path").collect()}
    return [
        report.Example(path, why, bytes(found[path].content), bytes(found[path].encoded))
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
    rows = manifest(spark, run).cache()
    counts = {row.outcome: row["count"] for row in rows.groupBy("outcome").count().collect()}
    check_gates(run, counts)
    aside = run.partition.version(f"_aside-{paths.safe_run_id(run.run_id)}")
    run.store.delete(aside.base)
    version = write_manifest(rows, run, aside)
    target = run.partition.version(version)
    if not run.store.exists(target.run):
        write_images(spark, rows, run, aside, counts)
        write_about(spark, run, aside, version, started)
        run.store.replace(aside.base, target.base)
    switch(run, version)
    prune_versions(run, version)
    prune_runs(run)
    print(json.dumps({"version": version, "published": target.base}))
    return {"version": version}


if __name__ == "__main__":
    sys.exit(run_stage("publish", sys.argv[1:], body))
