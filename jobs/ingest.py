"""Stage ingest: the landing partition's files as rows, decoded once, each with its colour histogram or a reason."""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from lake import PARTITION_BYTES, GateError, Run, in_batches, map_rows, run_stage, write
from packs import RowGroup, check_paths, read_row_group, row_groups
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import from_arrow_schema

from chromapress.config import DatasetConfig, Limits
from chromapress.decode import Undecodable, check_size, decode
from chromapress.histogram import Histogram
from chromapress.outcome import Outcome
from chromapress.storage import File, Source, open_source
from chromapress.tables import INGESTED

# A file that HDFS could not give is asked for again: a DataNode that went away is replaced by then.
_READ_AGAIN_AFTER_S = (1, 4)

_FILES = pa.schema([("relative_path", pa.string()), ("size_bytes", pa.int64())])
_ROW_GROUPS = pa.schema([("path", pa.string()), ("number", pa.int32())])


def landing(run: Run) -> str:
    """The URI of the partition's landing directory."""
    uri = run.config.source.uri
    return run.partition.landing if uri == "landing" else uri.replace("{partition}", run.partition.partition)


def list_files(uri: str, config: DatasetConfig) -> list[File]:
    """What has landed, sorted; GateError where there is nothing. Files that are still being written are left out."""
    source, path = open_source(uri)
    if not source.is_directory(path):
        raise GateError(f"nothing has landed: there is no directory {uri}")
    found = [
        file
        for file in source.files(path)
        if file.relative_path != config.source.ready_marker and not file.relative_path.endswith("._COPYING_")
    ]
    if not found:
        raise GateError(f"nothing has landed: the directory {uri} is empty")
    return sorted(found, key=lambda file: file.relative_path)


def part_numbers(sizes_bytes: Sequence[int], partitions: int | None, cores: int) -> tuple[int, list[int]]:
    """How many Spark partitions, and the one of each piece of work: about the same number of bytes in each.

    Without a configured number, by size, and at least one for each core: large JPEGs decode to many pixels.
    """
    sizes = np.array(sizes_bytes, np.float64) + 1
    total = float(sizes.sum())
    wanted = partitions or max(cores, -(-int(total) // PARTITION_BYTES))
    number = min(wanted, len(sizes))
    middles = np.cumsum(sizes) - sizes / 2
    return number, np.minimum(middles * number // total, number - 1).astype(int).tolist()


def spread(spark: SparkSession, work: pa.Table, sizes_bytes: Sequence[int], config: DatasetConfig) -> DataFrame:
    """The pieces of work, in Spark partitions by part_numbers."""
    cores = spark.sparkContext.defaultParallelism
    number, parts = part_numbers(sizes_bytes, config.execution.partitions, cores)
    numbered = work.append_column("part", pa.array(parts, pa.int32()))
    return spark.createDataFrame(numbered).repartitionById(number, "part")


def ingest(spark: SparkSession, files: Sequence[File], uri: str, config: DatasetConfig) -> DataFrame:
    """One row for each file, tables.INGESTED."""
    sizes = [file.size_bytes for file in files]
    listed = pa.table([[file.relative_path for file in files], sizes], schema=_FILES)
    limits = config.limits

    def row(listed_row: dict[str, Any]) -> dict[str, Any]:
        return ingest_file(uri, File(listed_row["relative_path"], listed_row["size_bytes"]), limits)

    return map_rows(spread(spark, listed, sizes, config), INGESTED, row)


def ingest_packs(spark: SparkSession, groups: Sequence[RowGroup], uri: str, config: DatasetConfig) -> DataFrame:
    """One row for each row of the packs below a directory, tables.INGESTED."""
    listed = pa.table([[group.pack for group in groups], [group.number for group in groups]], schema=_ROW_GROUPS)
    limits = config.limits

    def rows(batches: Iterable[pa.RecordBatch]) -> Iterator[dict[str, Any]]:
        source, path = open_source(uri)
        for batch in batches:
            for group in batch.to_pylist():
                pack = f"{path.rstrip('/')}/{group['path']}"
                for name, content in read_row_group(source, pack, group["number"]):
                    yield ingest_content(name, content or b"", limits)

    def mapped(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        return in_batches(rows(batches), INGESTED)

    work = spread(spark, listed, [group.size_bytes for group in groups], config)
    return work.mapInArrow(mapped, from_arrow_schema(INGESTED))


def ingest_file(uri: str, file: File, limits: Limits) -> dict[str, Any]:
    """One file's row. What is wrong with the file is in its row; what is wrong with the store is raised."""
    row: dict[str, Any] = {"relative_path": file.relative_path, "size_bytes": file.size_bytes}
    try:
        check_size(file.size_bytes, limits)
        source, path = open_source(uri)
        content = _read(source, f"{path.rstrip('/')}/{file.relative_path}")
    except Undecodable as told:
        return row | _ended(told, None)
    return ingest_content(file.relative_path, content, limits)


def ingest_content(relative_path: str | None, content: bytes, limits: Limits) -> dict[str, Any]:
    """The row of a file that has been read."""
    row: dict[str, Any] = {"relative_path": relative_path, "size_bytes": len(content)}
    try:
        check_size(len(content), limits)
        row["sha256"] = hashlib.sha256(content).hexdigest()
        decoded = decode(content, limits)
    except Undecodable as told:
        return row | _ended(told, content)
    height, width = decoded.pixels.shape[:2]
    colors, counts = Histogram.of(decoded.pixels).packed()
    return row | {
        "content": content,
        "format": decoded.format,
        "mode": decoded.mode,
        "width": width,
        "height": height,
        "colors": colors,
        "counts": counts,
    }


def _read(source: Source, path: str) -> bytes:
    for pause in _READ_AGAIN_AFTER_S:
        try:
            return source.read(path)
        except OSError:
            time.sleep(pause)
    try:
        return source.read(path)
    except OSError as error:
        # Whoever still answers for the directory tells a lost file from a lost store.
        source.exists(path)
        raise Undecodable(Outcome.REJECTED, "unreadable", " ".join(str(error).split())) from None


def _ended(told: Undecodable, content: bytes | None) -> dict[str, Any]:
    kept = content if told.outcome.is_kept else None
    return {"outcome": str(told.outcome), "reason": str(told), "content": kept}


def body(spark: SparkSession, run: Run) -> dict[str, Any]:
    uri = landing(run)
    files = list_files(uri, run.config)
    images = len(files)
    if run.config.source.layout == "files":
        write(ingest(spark, files, uri, run.config), run, "ingest")
    else:
        groups = row_groups(uri, files)
        images = sum(group.rows for group in groups)
        if not images:
            raise GateError(f"nothing has landed: the packs in {uri} are empty")
        write(ingest_packs(spark, groups, uri, run.config), run, "ingest")
        check_paths(spark, run)
    return {"images": images, "bytes": sum(file.size_bytes for file in files), "source": uri}


if __name__ == "__main__":
    sys.exit(run_stage("ingest", sys.argv[1:], body))
