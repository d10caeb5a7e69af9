"""Stage ingest: the landing partition's files as rows, each with its colour histogram or a reason.

Where k is fixed and there is nothing to choose from, no histogram is needed: then nothing is read but the paths in
packs, and quantize finds out what an image is.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, TypeVar

import numpy as np
from lake import PARTITION_BYTES, GateError, Run, run_stage
from landed import Landed, landing
from packs import RowGroup, check_paths, read_row_group, row_groups
from parts import Row, write_table
from pyspark import SparkContext

from chromapress.config import DatasetConfig
from chromapress.decode import Undecodable, check_size, decode
from chromapress.histogram import Histogram
from chromapress.storage import File, open_source
from chromapress.tables import INGESTED

# Up to here, a file is copied into the table: reading it there again is cheaper than reading it alone.
_COPIED_BYTES: Final = 256 << 10
# With more parts than this for each core, each costs every stage more than it spares at the end: then they grow.
_PARTS_PER_CORE: Final = 16
_MOST_PARTITION_BYTES: Final = 128 << 20

Work = TypeVar("Work")


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


def in_parts(
    work: Sequence[Work], size_bytes: Callable[[Work], int], partitions: int | None, cores: int
) -> list[list[Work]]:
    """The pieces of work in their order, in parts of about the same number of bytes.

    Without a configured number of parts, by size, and at least one for each core: large JPEGs decode to many pixels.
    """
    sizes = np.array([size_bytes(piece) for piece in work], np.float64) + 1
    total = float(sizes.sum())
    most, least = (-(-int(total) // limit) for limit in (PARTITION_BYTES, _MOST_PARTITION_BYTES))
    number = min(partitions or max(cores, least, min(most, _PARTS_PER_CORE * cores)), len(work))
    middles = np.cumsum(sizes) - sizes / 2
    parts: list[list[Work]] = [[] for _ in range(number)]
    for piece, part in zip(work, np.minimum(middles * number // total, number - 1).astype(int).tolist(), strict=True):
        parts[part].append(piece)
    return parts


def ingest_packed(uri: str, groups: Iterable[RowGroup], config: DatasetConfig) -> Iterator[Row]:
    """The rows of some row groups of packs, tables.INGESTED."""
    columns = ["relative_path", *(["content"] if config.palette.needs_histograms else [])]
    for group in groups:
        rows = read_row_group(uri, group.pack, group.number, *columns)
        for number in range(group.rows):
            where = {"content": None, "pack": group.pack, "row_group": group.number, "row": number}
            path = rows["relative_path"][number].as_py()
            if config.palette.needs_histograms:
                yield ingest_content(path, rows["content"][number].as_py() or b"", config) | where
            else:
                yield {"relative_path": path} | where


def ingest_files(uri: str, files: Iterable[File], config: DatasetConfig) -> Iterator[Row]:
    """The rows of some files. What is wrong with a file is in its row; what is wrong with the store is raised."""
    empty = dict.fromkeys(INGESTED.names)
    rows = (empty | {"relative_path": file.relative_path, "size_bytes": file.size_bytes} for file in files)
    if not config.palette.needs_histograms:
        yield from rows
        return
    for row, content in Landed(uri, config.limits).contents(rows):
        try:
            read = content()
        except Undecodable as told:
            yield row | _ended(told, None)
        else:
            yield ingest_content(row["relative_path"], read, config)


def ingest_content(relative_path: str, content: bytes, config: DatasetConfig) -> Row:
    """The row of a file that has been read, tables.INGESTED."""
    row: Row = {"relative_path": relative_path, "size_bytes": len(content)}
    copied = content if len(content) <= _COPIED_BYTES else None
    try:
        check_size(len(content), config.limits)
        row["sha256"] = hashlib.sha256(content).hexdigest()
        decoded = decode(content, config.limits)
    except Undecodable as told:
        return row | _ended(told, copied)
    height, width = decoded.pixels.shape[:2]
    colors, counts = Histogram.of(decoded.pixels).packed()
    return row | {
        "content": copied,
        "format": decoded.format,
        "mode": decoded.mode,
        "width": width,
        "height": height,
        "colors": colors,
        "counts": counts,
    }


def _ended(told: Undecodable, content: bytes | None) -> Row:
    kept = content if told.outcome.is_kept else None
    return {"outcome": str(told.outcome), "reason": str(told), "content": kept}


def body(context: SparkContext, run: Run) -> dict[str, Any]:
    uri, config = landing(run), run.config
    files = list_files(uri, config)
    facts = {"images": len(files), "bytes": sum(file.size_bytes for file in files), "source": uri}
    partitions, cores = config.execution.partitions, context.defaultParallelism
    if config.source.layout == "files":
        work = in_parts(files, lambda file: file.size_bytes, partitions, cores)
        write_table(context, run, "ingest", INGESTED, work, lambda some: ingest_files(uri, some, config))
        return facts
    groups = row_groups(uri, files)
    facts["images"] = sum(group.rows for group in groups)
    if not facts["images"]:
        raise GateError(f"nothing has landed: the packs in {uri} are empty")
    check_paths(context, uri, groups)
    packed = in_parts(groups, lambda group: group.size_bytes, partitions, cores)
    write_table(context, run, "ingest", INGESTED, packed, lambda some: ingest_packed(uri, some, config))
    return facts


if __name__ == "__main__":
    sys.exit(run_stage("ingest", sys.argv[1:], body))
