"""Images that land packed: Parquet files whose rows are files, for datasets of too many files for a NameNode.

Not a job itself. A pack has the columns `relative_path` (string) and `content` (binary); others are left alone, so that
what a dataset publishes with publish.layout `parquet` is a pack. A row group is read at a time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from operator import add
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq
from lake import GateError, sentence
from parts import TASKS_PER_CORE, waiting
from pyspark import SparkContext

from chromapress.storage import File, open_source

_COLUMNS: Final = {"relative_path": pa.string(), "content": pa.binary()}
_READERS: Final = 16
# Below a directory, without detours, and of letters that HDFS takes.
SAFE_PATH: Final = re.compile(r"(?:(?!\.{1,2}(?:/|$))[^/:\x00-\x1f]+/)*(?!\.{1,2}$)[^/:\x00-\x1f]+")


@dataclass(frozen=True)
class RowGroup:
    """Some of the rows of a pack."""

    pack: str  # relative path
    number: int
    rows: int
    size_bytes: int


def row_groups(uri: str, files: Sequence[File]) -> list[RowGroup]:
    """What the packs below a directory hold, in order; GateError for a file that is not one."""
    source, path = open_source(uri)

    def of_pack(file: File) -> list[RowGroup]:
        try:
            with source.reader(f"{path.rstrip('/')}/{file.relative_path}") as stream, pq.ParquetFile(stream) as pack:
                schema, footer = pack.schema_arrow, pack.metadata
        except pa.ArrowInvalid as error:
            raise GateError(f"{file.relative_path} is not a pack: {sentence(error)}") from None
        for name, kind in _COLUMNS.items():
            if name not in schema.names or schema.field(name).type != kind:
                told = f"{name} of type {schema.field(name).type}" if name in schema.names else f"no column {name}"
                raise GateError(f"{file.relative_path} is not a pack: it has {told}, {kind} is expected")
        groups = [footer.row_group(number) for number in range(footer.num_row_groups)]
        return [
            RowGroup(file.relative_path, number, group.num_rows, group.total_byte_size)
            for number, group in enumerate(groups)
        ]

    with ThreadPoolExecutor(_READERS) as readers:
        return [group for groups in readers.map(of_pack, files) for group in groups]


def read_row_group(uri: str, pack: str, number: int, *columns: str) -> pa.Table:
    """Columns of a row group of a pack below a directory."""
    source, path = open_source(uri)
    with waiting(), source.reader(f"{path.rstrip('/')}/{pack}") as stream, pq.ParquetFile(stream) as file:
        return file.read_row_group(number, list(columns))


def check_paths(context: SparkContext, uri: str, groups: Sequence[RowGroup]) -> None:
    """GateError where a path cannot be published, or is there twice."""

    def paths(group: RowGroup) -> Iterator[tuple[str | None, int]]:
        rows = read_row_group(uri, group.pack, group.number, "relative_path")
        return ((path, 1) for path in rows["relative_path"].to_pylist())

    def is_wrong(counted: tuple[str | None, int]) -> bool:
        path, times = counted
        return times > 1 or not SAFE_PATH.fullmatch(path or "")

    # Few, since each hands something to each.
    tasks = min(len(groups), TASKS_PER_CORE * context.defaultParallelism)
    counted = context.parallelize(groups, tasks).flatMap(paths).reduceByKey(add)
    for path, times in counted.filter(is_wrong).takeOrdered(1, key=lambda one: one[0] or ""):
        if SAFE_PATH.fullmatch(path or ""):
            raise GateError(f"{path} is in the packs {times} times")
        raise GateError(f"the packs name a file {path!r}, which is no path below a directory")
