"""Stage publish: gates, then files, manifest and report; and the partition is switched to them in one atomic step.

A version's name is a digest of what its bytes depend on. Publishing the same version again changes nothing.
"""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, nullcontext
from datetime import UTC, datetime, timedelta
from importlib.metadata import version as installed
from itertools import islice
from typing import Any, Final, TypeVar

import PIL
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from catalogue import Catalogue
from lake import GateError, Run, read_facts, run_stage, stage_facts
from landed import FOUND, PLACE, WHERE, Landed, landing, sources
from parts import (
    Row,
    beside,
    find_row,
    in_batches,
    in_shares,
    part_numbers,
    part_path,
    read_part,
    settle,
    write_part,
    write_table,
)
from pyspark import SparkContext, SparkFiles

from chromapress import engine, paths, report
from chromapress.decode import Undecodable
from chromapress.outcome import KEPT, Outcome
from chromapress.paths import STAGES, DatasetPaths, RunPaths, VersionPaths
from chromapress.press import under_floor
from chromapress.run_summary import summary
from chromapress.storage import hdfs
from chromapress.tables import COMPRESSED, ENDED, INGESTED, MANIFEST, NAMED, PACKED

T = TypeVar("T")

# A packed file is about one HDFS block.
_PACK_BYTES: Final = 128 << 20
# A client that closes a file before a DataNode has told the NameNode of it, waits half a second before it asks again.
_WRITERS: Final = 32
# Rows of a row group of the manifest: where it ends depends on the rows alone.
_ROW_GROUP: Final = 1024
# Row groups of a part that are read at once: some hundred rows of some kilobytes.
_READ_AT_ONCE: Final = 4

# What the manifest needs of each stage: everything but pixels and files.
_SMALL_INGESTED: Final = [name for name in INGESTED.names if name not in (*PLACE, "colors", "counts")]
_SMALL: Final = {
    "select_k": ("relative_path", "reason", "curve", "k_by_rule", "flat_colors", "rules_disagree"),
    "quantize": ("relative_path", *FOUND, "outcome", "width", "height", "palette", "cluster_sizes"),
    "compress": [name for name in COMPRESSED.names if name != "encoded"],
}

# What the manifest tells of an image, however others are called: pickled in `told`, which nobody reads on the way.
_TOLD: Final = [name for name in MANIFEST.names if name not in ("published_path", "pack")]
# What a version is named after; the outcome, since what had changed and was rejected may be there again.
_DIGESTED: Final = ["relative_path", "source_size_bytes", "source_sha256", "pack", "outcome"]


def write_ended(context: SparkContext, run: Run) -> None:
    """Leave what all stages tell of each image, in the order of their parts: ENDED."""
    stages, given_up, parts = run.paths, under_floor(run.config), part_numbers(run)
    some, uri, limits = in_shares(parts, context.defaultParallelism), landing(run), run.config.limits

    def rows(of: Sequence[int]) -> Iterator[Row]:
        for part in of:
            for row in still_there(part, stages, ended_rows(part, stages, given_up), Landed(uri, limits)):
                yield row | {"part": part, "told": pickle.dumps([row.get(name) for name in _TOLD])}

    write_table(context, run, "publish", ENDED, some, rows)


def ended_rows(part: int, stages: RunPaths, given_up: Outcome | None) -> Iterator[Row]:
    """What all stages tell of a part's images: MANIFEST before names are given, and some more.

    Whom no k brings to the floor, quantize may have left out.
    """
    images = list(read_part(part_path(stages, "ingest", part), *_SMALL_INGESTED))
    told = [beside(images, read_part(part_path(stages, stage, part), *columns)) for stage, columns in _SMALL.items()]
    for (image, selected), (_, quantized), (_, compressed) in zip(*told, strict=True):
        palette, end = quantized or {}, compressed or {}
        # What turned out not to be an image got no k.
        choice = {} if palette.get("outcome") else selected or {}
        outcome = Outcome(image["outcome"] or end.get("outcome") or str(given_up))
        found = {name: (quantized or image)[name] for name in FOUND}
        published_size = end["encoded_size_bytes"] if outcome.is_new_file else found["size_bytes"]
        is_palette = end.get("k") is not None  # a lossy file has none
        yield (
            image
            | choice
            | end
            | found
            | {
                "source_size_bytes": found["size_bytes"] or 0,
                "source_sha256": found["sha256"],
                "width": palette.get("width") or image["width"],
                "height": palette.get("height") or image["height"],
                "outcome": str(outcome),
                "reason": image["reason"] or end.get("reason") or choice["reason"],
                "choice": choice.get("reason"),
                "palette": palette["palette"] if is_palette else None,
                "cluster_sizes": palette["cluster_sizes"] if is_palette else None,
                "published_size_bytes": None if outcome == Outcome.REJECTED else published_size,
            }
        )


def still_there(part: int, stages: RunPaths, ended: Iterable[Row], landed: Landed) -> Iterator[Row]:
    """What `ended_rows` tells of a part, where what is kept as it is has changed since: rejected."""
    rows = list(ended)
    kept = {row["relative_path"] for row in rows if row["outcome"] in KEPT}
    changed = {}
    if kept:
        for source, file in landed.contents(row for row in sources(part, stages) if row["relative_path"] in kept):
            try:
                file()
            except Undecodable as told:
                changed[source["relative_path"]] = {"outcome": str(told.outcome), "reason": str(told)}
    for row in rows:
        path = row["relative_path"]
        yield row | changed[path] | {"published_size_bytes": None} if path in changed else row


def read_ended(run: Run) -> Iterator[Row]:
    """What `write_ended` left, of all images, with the number of its `file`."""
    for number in range(len(run.store.names(run.paths.stage("publish")))):
        path = part_path(run.paths, "publish", number)
        with run.store.reader(path) as stream, pq.ParquetFile(stream, pre_buffer=True) as ended:
            for some in in_lists(range(ended.num_row_groups), _READ_AT_ONCE):
                for row in ended.read_row_groups(some, use_threads=False).to_pylist():
                    yield row | {"file": number}


def grouped(images: Iterable[Row], layout: str) -> Iterator[Row]:
    """With `pack`, and with `group`: what is of one is written by one task.

    A pack is made of neighbours as they landed, a group of files of the parts that one file of ENDED is of.
    """
    so_far = 0
    for image in images:
        so_far += image["published_size_bytes"] or 0
        pack = so_far // _PACK_BYTES if layout == "parquet" and image["outcome"] != Outcome.REJECTED else None
        yield image | {"pack": pack, "group": pack if layout == "parquet" else image["file"]}


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


def write_images(context: SparkContext, run: Run, catalogue: Catalogue, images: str) -> None:
    """The published files: new ones from what compress left, kept ones as they landed.

    Only names go through the driver, in a file: a task takes those of a pack, or of some parts of the stages' tables.
    """
    stages, uri, limits = run.paths, landing(run), run.config.limits
    named = f"{stages.stage('publish')}/_named.parquet"
    groups = write_named(run, catalogue, named)

    def contents(group: pa.Table) -> Iterator[Row]:
        """The group's images, in the order in which they landed: PACKED."""
        landed = Landed(uri, limits)
        for part in sorted(set(group["part"].to_pylist())):
            of_part = group.filter(pc.equal(group["part"], part))
            names = dict(zip(of_part["relative_path"].to_pylist(), of_part["published_path"].to_pylist(), strict=True))
            some_kept = bool(pc.any(pc.is_in(of_part["outcome"], pa.array(KEPT))).as_py())
            landed_here = sources(part, stages) if some_kept else read_part(part_path(stages, "ingest", part), WHERE[0])
            encoded = read_part(part_path(stages, "compress", part), "relative_path", "encoded")
            published = (
                source | {"content": end["encoded"]} if end and end["encoded"] else source
                for source, end in beside(landed_here, encoded)
                if source["relative_path"] in names
            )
            for source, read in landed.contents(published):
                path = source["relative_path"]
                yield {"relative_path": path, "published_path": names[path], "content": read()}

    def write_files(group: pa.Table) -> None:
        # Writing a small file is mostly waiting: many wait at once.
        with ThreadPoolExecutor(_WRITERS) as writers:
            before: list[Future[None]] = []
            for batch in in_batches(contents(group), PACKED):
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
        write_part(f"{images}/part-{number:05}.parquet", PACKED, lambda: contents(group), nullcontext())

    write = write_files if run.config.publish.layout == "files" else write_pack

    def write_group(row_groups: range) -> None:
        settle()
        with hdfs().reader(named) as stream, pq.ParquetFile(stream) as file:
            group = file.read_row_groups(list(row_groups))
        write(group)

    if groups:
        context.parallelize(groups, len(groups)).foreach(write_group)


def write_named(run: Run, catalogue: Catalogue, path: str) -> list[range]:
    """What is published, group by group, in one file: NAMED. Returns the row groups of each."""
    groups: list[range] = []

    def write_to(sink: io.RawIOBase) -> None:
        groups.clear()
        number = 0
        with pq.ParquetWriter(sink, NAMED) as writer:
            for group in catalogue.by_group():
                first = number
                for rows in in_lists(group, _ROW_GROUP):
                    writer.write_table(pa.Table.from_pylist(rows, NAMED))
                    number += 1
                groups.append(range(first, number))

    run.store.fill(path, write_to)
    return groups


def write_manifest(run: Run, catalogue: Catalogue, target: VersionPaths) -> str:
    """Write manifest.parquet, and return the version's name: a digest of inputs, outcomes, configuration and programs.

    One sorted file: the same rows give the same bytes, however many executors there were.
    """
    made_with = json.dumps([run.config.result_json(), versions()], sort_keys=True).encode()
    digest = hashlib.sha256()

    def table(some: Iterable[tuple[str, int | None, bytes]]) -> pa.Table:
        rows = []
        for published_path, pack, told in some:
            row = dict(zip(_TOLD, pickle.loads(told), strict=True))  # noqa: S301 (it is ours)
            rows.append(row | {"published_path": published_path, "pack": pack})
            digest.update(json.dumps([rows[-1][name] for name in _DIGESTED]).encode())
        return pa.Table.from_pylist(rows, MANIFEST)

    def write_to(sink: io.RawIOBase) -> None:
        nonlocal digest
        digest = hashlib.sha256(made_with)
        with pq.ParquetWriter(sink, MANIFEST, compression="zstd") as writer:
            for some in in_lists(catalogue.by_path(), _ROW_GROUP):
                writer.write_table(table(some))

    run.store.fill(target.manifest, write_to)
    return digest.hexdigest()[:16]


def in_lists(items: Iterable[T], length: int) -> Iterator[list[T]]:
    """So many of them at a time, and the rest."""
    rest = iter(items)
    while some := list(islice(rest, length)):
        yield some


def write_about(run: Run, catalogue: Catalogue, made: VersionPaths, version: str, started: float) -> None:
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
    run.store.write(made.report, report.render(facts, ended, examples(run, catalogue, ended)).encode())
    run.store.write(made.run, json.dumps(facts, indent=1).encode())


def examples(run: Run, catalogue: Catalogue, ended: pa.Table) -> list[report.Example]:
    """Before and after of the few images that the report shows."""

    def row(path: str, stage: str, *columns: str) -> Row:
        return find_row(part_path(run.paths, stage, catalogue.part(path)), path, *columns)

    landed = Landed(landing(run), run.config.limits)
    made = []
    for path, why in report.pick_examples(ended):
        source = row(path, "ingest", *WHERE)
        if source["sha256"] is None:
            source |= row(path, "quantize", "sha256")
        try:
            before = landed.content(source)
        except Undecodable:
            continue  # it went away since it was quantized: there is nothing to show it beside
        made.append(report.Example(path, why, before, row(path, "compress", "encoded")["encoded"]))
    return made


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


def body(context: SparkContext, run: Run) -> dict[str, Any]:
    started = time.time()
    settle()
    write_ended(context, run)
    with (
        tempfile.TemporaryDirectory(dir=SparkFiles.getRootDirectory()) as folder,
        closing(Catalogue(folder, grouped(read_ended(run), run.config.publish.layout))) as catalogue,
    ):
        check_gates(run, catalogue.outcomes())
        aside = run.partition.version(f"_aside-{paths.safe_run_id(run.run_id)}")
        run.store.delete(aside.base)
        version = write_manifest(run, catalogue, aside)
        target = run.partition.version(version)
        if not run.store.exists(target.run):
            write_images(context, run, catalogue, aside.images)
            write_about(run, catalogue, aside, version, started)
            run.store.replace(aside.base, target.base)
    run.store.delete(run.paths.stage("publish"))
    switch(run, version)
    prune_versions(run, version)
    prune_runs(run)
    print(json.dumps({"version": version, "published": target.base}))
    return {"version": version}


if __name__ == "__main__":
    sys.exit(run_stage("publish", sys.argv[1:], body))
