"""Stage ingest: the landing partition's files as rows, each with its colour histogram or a reason.

Where k is fixed and there is nothing to choose from, no histogram is needed: then quantize decodes, of files heads are
read, and packs are not read but for their paths.
"""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import asdict
from typing import Any, Final, TypeVar

import numpy as np
from lake import PARTITION_BYTES, GateError, Run, run_stage
from landed import landing
from packs import RowGroup, check_paths, read_row_group, row_groups
from parts import Row, waiting, write_table
from pyspark import SparkContext

from chromapress.config import DatasetConfig
from chromapress.decode import Undecodable, check_size, decode, identify
from chromapress.histogram import Histogram
from chromapress.outcome import Outcome
from chromapress.storage import File, open_source
from chromapress.tables import INGESTED

# A file that HDFS could not give is asked for again: a DataNode that went away is replaced by then.
_READ_AGAIN_AFTER_S: Final = (1, 4)
# So many files, and bytes, are read at once.
_READERS: Final = 8
_READ_BYTES: Final = 16 << 20
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
    # Reading a small file is mostly waiting: some wait at once.
    with ThreadPoolExecutor(_READERS) as readers:
        for some in _at_once(files):
            with waiting():
                reading = [readers.submit(_read, uri, file, config) for file in some]
                wait(reading)
            for file, read in zip(some, reading, strict=True):
                try:
                    content = read.result()
                except Undecodable as told:
                    yield {"relative_path": file.relative_path, "size_bytes": file.size_bytes} | _ended(told, None)
                else:
                    yield ingest_content(file.relative_path, content, config)


def _at_once(files: Iterable[File]) -> Iterator[list[File]]:
    """In their order, so many files that they fit in memory together."""
    some: list[File] = []
    for file in files:
        if some and (len(some) == _READERS or sum(one.size_bytes for one in [*some, file]) > _READ_BYTES):
            yield some
            some = []
        some.append(file)
    yield some


def ingest_content(relative_path: str, content: bytes, config: DatasetConfig) -> Row:
    """The row of a file that has been read, tables.INGESTED."""
    row: Row = {"relative_path": relative_path, "size_bytes": len(content)}
    try:
        check_size(len(content), config.limits)
        row["sha256"] = hashlib.sha256(content).hexdigest()
        if not config.palette.needs_histograms:
            # Quantize decodes it anyway, and tells what cannot be.
            return row | {"content": content, **asdict(identify(content, config.limits))}
        decoded = decode(content, config.limits)
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


def _read(uri: str, file: File, config: DatasetConfig) -> bytes:
    check_size(file.size_bytes, config.limits)
    source, path = open_source(uri)
    path = f"{path.rstrip('/')}/{file.relative_path}"
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
