"""Images that land packed: Parquet files whose rows are files, for datasets of too many files for a NameNode.

Not a job itself. A pack has the columns `relative_path` (string) and `content` (binary); others are left alone, so that
what a dataset publishes with publish.layout `parquet` is a pack. A row group is read at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq
from lake import GateError, Run, read
from pyspark.sql import SparkSession, functions

from chromapress.storage import File, Source, open_source
from chromapress.tables import INGESTED

_COLUMNS: Final = {"relative_path": pa.string(), "content": pa.binary()}
_READERS: Final = 16
# Below a directory, without detours, and of letters that HDFS takes (for Java and Python alike).
SAFE_PATH: Final = r"^(?:(?!\.{1,2}(?:/|$))[^/:\x00-\x1f]+/)*(?!\.{1,2}$)[^/:\x00-\x1f]+$"


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
            raise GateError(f"{file.relative_path} is not a pack: {' '.join(str(error).split())}") from None
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


def read_row_group(source: Source, path: str, number: int) -> Iterator[tuple[str | None, bytes | None]]:
    """Relative path and content of each row."""
    with source.reader(path) as stream, pq.ParquetFile(stream) as pack:
        rows = pack.read_row_group(number, list(_COLUMNS))
    for name, content in zip(rows["relative_path"], rows["content"], strict=True):
        yield name.as_py(), content.as_py()


def check_paths(spark: SparkSession, run: Run) -> None:
    """GateError where a path that was ingested cannot be published, or is there twice."""
    paths = read(spark, run, "ingest", INGESTED, "relative_path")
    bad = paths.where(~functions.coalesce(functions.col("relative_path"), functions.lit("")).rlike(SAFE_PATH)).first()
    if bad is not None:
        raise GateError(f"the packs name a file {bad.relative_path!r}, which is no path below a directory")
    twice = paths.groupBy("relative_path").count().where("count > 1").first()
    if twice is not None:
        raise GateError(f"{twice.relative_path} is in the packs {twice['count']} times")
