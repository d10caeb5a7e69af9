"""The stages' tables: a Parquet file for each of ingest's Spark partitions. Not a job itself.

Those who read and write them are Python's workers, with pyarrow and hdfs-native: an image's megabytes pass the JVM
nowhere. A part of one stage is made from the same part of the stages before it, whose rows have the same order, so that
joining them moves nothing. Spark can read the tables too: where rows meet that are not of one image, it does.
"""

from __future__ import annotations

import ctypes
import gc
import io
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any, Final, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq
from lake import Run
from pyspark import SparkContext

from chromapress.paths import STAGES, RunPaths
from chromapress.storage import hdfs

Row = dict[str, Any]
Work = TypeVar("Work")

# So many rows and bytes are a row group, which is what is read at a time: rows can have megabytes, and gigabytes.
_GROUP_ROWS: Final = 64
_GROUP_BYTES: Final = 16 << 20
# What gets smaller by half or more, at zstd's quickest; files do not compress again.
_COMPRESSED: Final = ("colors", "counts", "indices")
# Spark takes no file for a table's whose name begins so.
_UNFINISHED: Final = "_"
_PARTS_PER_TASK: Final = 8
TASKS_PER_CORE: Final = 2
# Options of glibc's malloc.h. In bytes: blocks up to the first come from a heap, which keeps the second where it is
# free, and grows by the third. And one heap for all threads, since only the first keeps what is free.
_MMAP_THRESHOLD: Final = (-3, 32 << 20)
_TRIM_THRESHOLD: Final = (-1, 256 << 20)
_TOP_PAD: Final = (-2, 64 << 20)
_ARENA_MAX: Final = (-8, 1)

# The lock by which a thread computes, where it is one of several that write parts.
_turn = threading.local()


def write_table(
    context: SparkContext,
    run: Run,
    stage: str,
    schema: pa.Schema,
    work: Sequence[Work],
    rows_of: Callable[[Work], Iterable[Row]],
) -> None:
    """Leave a stage's table, whole or not at all: a part for each piece of work."""
    target, aside = run.paths.stage(stage), f"{run.paths.base}/_aside-{STAGES[stage]}"

    def make_some(numbered: Sequence[tuple[int, Work]]) -> None:
        settle()
        computing = threading.Lock()

        def make(one: tuple[int, Work]) -> None:
            _compute_with(computing)
            number, piece = one
            # Two tries of a task may write at once; both would write the same.
            unfinished = f"{aside}/{_UNFINISHED}{number}-{uuid.uuid4().hex}"
            write_part(unfinished, schema, lambda: rows_of(piece), computing)
            hdfs().replace(unfinished, f"{aside}/{_part_name(number)}")

        # While HDFS makes one part wait, the next is computed; one image at a time is in memory.
        with ThreadPoolExecutor(2) as writers:
            list(writers.map(make, numbered))

    run.store.delete(aside)
    shares = in_shares(list(enumerate(work)), context.defaultParallelism)
    context.parallelize(shares, len(shares)).foreach(make_some)
    for name in run.store.names(aside):
        if name.startswith(_UNFINISHED):
            run.store.delete(f"{aside}/{name}")
    run.store.delete(target)
    run.store.replace(aside, target)


def _compute_with(lock: threading.Lock) -> None:
    """Say by which lock this thread computes. (What is local to threads cannot be pickled with a function.)"""
    _turn.lock = lock


@contextmanager
def waiting() -> Iterator[None]:
    """Let the worker's other part be computed while this one's rows wait for a store."""
    lock = getattr(_turn, "lock", None)
    if lock is None:
        yield
        return
    lock.release()
    try:
        yield
    finally:
        lock.acquire()


def settle() -> None:
    """Let a process keep the memory of one row group for the next, and leave what was imported out of its collections.

    Else its allocators would give the megabytes back to the kernel and get them again page by page, which takes a
    twentieth of all CPU; where the C library is not glibc, they do. And Python's collector would look through the
    imported modules each time, which takes a hundredth.
    """
    gc.freeze()
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt:
        for option in (_MMAP_THRESHOLD, _TRIM_THRESHOLD, _TOP_PAD, _ARENA_MAX):
            mallopt(*option)


def in_shares(work: Sequence[Work], cores: int) -> list[Sequence[Work]]:
    """What each of Spark's tasks does: several pieces, but few towards the end, when a core would wait for another."""
    shares: list[Sequence[Work]] = []
    first = 0
    while first < len(work):
        size = min(_PARTS_PER_TASK, -(-(len(work) - first) // (TASKS_PER_CORE * cores)))
        shares.append(work[first : first + size])
        first += size
    return shares


def part_numbers(run: Run) -> range:
    """The parts that ingest left, as every later stage does."""
    return range(len(run.store.names(run.paths.stage("ingest"))))


def part_path(paths: RunPaths, stage: str, number: int) -> str:
    """A part of a stage's table."""
    return f"{paths.stage(stage)}/{_part_name(number)}"


def _part_name(number: int) -> str:
    return f"part-{number:06}.parquet"


def read_part(path: str, *columns: str) -> Iterator[Row]:
    """The rows of a part, in their order."""
    with ExitStack() as files:
        with waiting():
            part = files.enter_context(pq.ParquetFile(files.enter_context(hdfs().reader(path))))
        for number in range(part.num_row_groups):
            with waiting():
                group = part.read_row_group(number, list(columns))
            for i in range(len(group)):
                # One at a time as Python objects: a group's megabytes are not all copied at once.
                yield group.slice(i, 1).to_pylist()[0]


def find_row(path: str, relative_path: str, *columns: str) -> Row:
    """One image's row of a part; of the others, little is read. KeyError where it is not there."""
    with hdfs().reader(path) as stream, pq.ParquetFile(stream) as part:
        for number in range(part.num_row_groups):
            names = part.read_row_group(number, ["relative_path"])["relative_path"].to_pylist()
            if relative_path in names:
                group = part.read_row_group(number, list(columns), use_threads=False)
                return dict(group.slice(names.index(relative_path), 1).to_pylist()[0])
    raise KeyError(f"{relative_path} is not in {path}")


def write_part(
    path: str, schema: pa.Schema, rows: Callable[[], Iterable[Row]], computing: AbstractContextManager[Any]
) -> None:
    """A part's file, in row groups of bounded size; `computing` is held while rows are made, not while written."""

    def write_to(sink: io.RawIOBase) -> None:
        batches = in_batches(rows(), schema)

        def next_batch() -> pa.RecordBatch | None:
            with computing:
                return next(batches, None)

        with pq.ParquetWriter(
            sink,
            schema,
            compression=dict.fromkeys(_COMPRESSED, "zstd"),
            compression_level=dict.fromkeys(_COMPRESSED, 1),
            use_dictionary=False,  # no two images are alike
            write_statistics=["relative_path"],
        ) as part:
            while (batch := next_batch()) is not None:
                part.write_batch(batch)

    hdfs().fill(path, write_to)


def in_batches(rows: Iterable[Row], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Rows as record batches of bounded size."""
    some: list[Row] = []
    size = 0
    for row in rows:
        some.append(row)
        size += sum(len(value) for value in row.values() if isinstance(value, bytes))
        if len(some) == _GROUP_ROWS or size >= _GROUP_BYTES:
            yield pa.RecordBatch.from_pylist(some, schema)
            some, size = [], 0
    if some:
        yield pa.RecordBatch.from_pylist(some, schema)


def beside(rows: Iterable[Row], others: Iterable[Row]) -> Iterator[tuple[Row, Row | None]]:
    """Each row, and the one of the same image from another table of the same order, if it has one."""
    rest = iter(others)
    other = next(rest, None)
    for row in rows:
        if other is not None and other["relative_path"] == row["relative_path"]:
            yield row, other
            other = next(rest, None)
        else:
            yield row, None
