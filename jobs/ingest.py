"""Stage ingest: the landing partition's files as rows, decoded once, each with its colour histogram or a reason."""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from lake import PARTITION_BYTES, GateError, Run, map_rows, run_stage, write
from pyspark.sql import DataFrame, SparkSession

from chromapress.config import DatasetConfig, Limits
from chromapress.decode import Undecodable, check_size, decode
from chromapress.histogram import Histogram
from chromapress.outcome import Outcome
from chromapress.storage import File, Source, open_source
from chromapress.tables import INGESTED

# A file that HDFS could not give is asked for again: a DataNode that went away is replaced by then.
_READ_AGAIN_AFTER_S = (1, 4)

_LISTED = pa.schema([("part", pa.int32()), ("relative_path", pa.string()), ("size_bytes", pa.int64())])


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


def part_numbers(files: Sequence[File], partitions: int | None, cores: int) -> tuple[int, list[int]]:
    """How many Spark partitions, and the one of each file: about the same number of bytes in each.

    Without a configured number, by size, and at least one for each core: large JPEGs decode to many pixels.
    """
    sizes = np.array([file.size_bytes for file in files], np.float64) + 1
    total = float(sizes.sum())
    wanted = partitions or max(cores, -(-int(total) // PARTITION_BYTES))
    number = min(wanted, len(files))
    middles = np.cumsum(sizes) - sizes / 2
    return number, np.minimum(middles * number // total, number - 1).astype(int).tolist()


def ingest(spark: SparkSession, files: Sequence[File], uri: str, config: DatasetConfig) -> DataFrame:
    """One row for each file, tables.INGESTED."""
    number, parts = part_numbers(files, config.execution.partitions, spark.sparkContext.defaultParallelism)
    listed = pa.table(
        [parts, [file.relative_path for file in files], [file.size_bytes for file in files]], schema=_LISTED
    )
    limits = config.limits

    def row(listed_row: dict[str, Any]) -> dict[str, Any]:
        return ingest_file(uri, File(listed_row["relative_path"], listed_row["size_bytes"]), limits)

    return map_rows(spark.createDataFrame(listed).repartitionById(number, "part"), INGESTED, row)


def ingest_file(uri: str, file: File, limits: Limits) -> dict[str, Any]:
    """One file's row. What is wrong with the file is in its row; what is wrong with the store is raised."""
    row: dict[str, Any] = {"relative_path": file.relative_path, "size_bytes": file.size_bytes}
    try:
        check_size(file.size_bytes, limits)
        source, path = open_source(uri)
        content = _read(source, f"{path.rstrip('/')}/{file.relative_path}")
        row |= {"size_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        try:
            decoded = decode(content, limits)
        except Undecodable as told:
            return row | _ended(told, content)
    except Undecodable as told:
        return row | _ended(told, None)
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
    write(ingest(spark, files, uri, run.config), run, "ingest")
    return {"images": len(files), "bytes": sum(file.size_bytes for file in files), "source": uri}


if __name__ == "__main__":
    sys.exit(run_stage("ingest", sys.argv[1:], body))
