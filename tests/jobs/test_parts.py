"""The stages' tables, a file for each part."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from chromapress import publication
from chromapress.config import DatasetConfig, parse
from chromapress.paths import DatasetPaths
from chromapress.storage import hdfs
from tests.landing_set import Landed, landing_set

if TYPE_CHECKING:
    from lake import Run

SCHEMA = pa.schema([("relative_path", pa.string()), ("content", pa.binary()), ("colors", pa.binary())])


def row(name: int, size_bytes: int = 1) -> dict[str, Any]:
    return {"relative_path": f"{name:04}", "content": bytes(size_bytes), "colors": None}


@pytest.fixture
def run(spark: SparkSession, request: pytest.FixtureRequest) -> Run:
    from lake import Run

    partition = DatasetPaths(f"/parts-{request.node.name}", "set").partition("dt=2026-11-23")
    return Run(hdfs(), "set", partition, "run", parse({}, "test"))


def read(run: Run, part: int, *columns: str) -> list[dict[str, Any]]:
    from parts import part_path, read_part

    return list(read_part(part_path(run.paths, "ingest", part), *columns))


def test_a_table_has_a_part_for_each_piece_of_work_also_where_it_gives_no_row(spark: SparkSession, run: Run) -> None:
    from parts import part_numbers, write_table

    work = [[0, 1], [], [2]]
    write_table(spark.sparkContext, run, "ingest", SCHEMA, work, lambda names: (row(name) for name in names))
    assert [read(run, number, "relative_path") for number in part_numbers(run)] == [
        [{"relative_path": f"{name:04}"} for name in piece] for piece in work
    ]
    assert [
        one.relative_path for one in spark.read.parquet(run.paths.stage("ingest")).sort("relative_path").collect()
    ] == [
        "0000",
        "0001",
        "0002",
    ]


@pytest.mark.parametrize(
    ("parts", "cores", "sizes"),
    [
        (1, 2, [1]),
        (3, 2, [1, 1, 1]),
        (13, 2, [4, 3, 2, 1, 1, 1, 1]),
        (40, 2, [8, 8, 6, 5, 4, 3, 2, 1, 1, 1, 1]),
        (13, 8, [1] * 13),
    ],
)
def test_tasks_have_several_parts_while_there_are_many(parts: int, cores: int, sizes: list[int]) -> None:
    from parts import in_shares

    shares = in_shares(range(parts), cores)
    assert [len(share) for share in shares] == sizes
    assert [part for share in shares for part in share] == list(range(parts))


@pytest.mark.parametrize(
    ("megabytes", "cores", "parts"),
    [(3, 4, 3), (32, 4, 4), (320, 2, 10), (1024, 2, 32), (2560, 2, 32), (2560, 100, 100), (8192, 2, 64)],
)
def test_parts_grow_where_there_are_many_for_each_core(megabytes: int, cores: int, parts: int) -> None:
    from ingest import in_parts

    pieces = range(megabytes)
    cut = in_parts(pieces, lambda _: (1 << 20) - 1, None, cores)
    assert len(cut) == parts
    assert [piece for part in cut for piece in part] == list(pieces)


def test_row_groups_are_bounded_in_rows_and_bytes(spark: SparkSession, run: Run) -> None:
    from parts import write_part

    for sizes, groups in (([1] * 150, [64, 64, 22]), ([9 << 20] * 5, [2, 2, 1])):
        path = f"{run.paths.base}/part"
        write_part(path, SCHEMA, [row(name, size) for name, size in enumerate(sizes)].copy, nullcontext())
        with hdfs().reader(path) as stream, pq.ParquetFile(stream) as part:
            footer = part.metadata
        assert [footer.row_group(number).num_rows for number in range(footer.num_row_groups)] == groups


def test_one_row_is_found_among_many(spark: SparkSession, run: Run) -> None:
    from parts import find_row, write_part

    path = f"{run.paths.base}/part"
    write_part(path, SCHEMA, [row(name, name) for name in range(150)].copy, nullcontext())
    assert find_row(path, "0100", "content") == {"content": bytes(100)}


def test_what_an_unfinished_try_left_is_no_part(spark: SparkSession, run: Run) -> None:
    from parts import part_numbers, write_table

    flag = f"{run.paths.base}/tried"

    def fails_once(name: int) -> Iterator[dict[str, Any]]:
        yield row(name, 20 << 20)
        if hdfs().create(flag, b""):
            raise OSError("once")
        yield row(name + 1)

    # local[2] gives a task one try: the failed run's leftovers are what a retry of the stage finds.
    with pytest.raises(Exception, match="once"):
        write_table(spark.sparkContext, run, "ingest", SCHEMA, [0], fails_once)
    assert not run.store.exists(run.paths.stage("ingest"))
    write_table(spark.sparkContext, run, "ingest", SCHEMA, [0], fails_once)
    assert run.store.names(run.paths.stage("ingest")) == ["part-000000.parquet"]
    assert part_numbers(run) == range(1)


def test_rows_of_two_tables_meet_by_their_path() -> None:
    from parts import beside

    met = beside([row(name) for name in range(5)], [row(name, 7) for name in (1, 3)])
    assert [(one["relative_path"], other and len(other["content"])) for one, other in met] == [
        ("0000", None),
        ("0001", 7),
        ("0002", None),
        ("0003", 7),
        ("0004", None),
    ]


def test_a_k_that_is_fixed_takes_no_histograms(press_partition: Callable[..., Run]) -> None:
    landed: dict[str, Landed] = landing_set()
    config: DatasetConfig = parse(
        {"palette": {"rule": "fixed", "k": 8, "candidates": []}, "limits": {"max_rejected_percent": 50}}, "test"
    )
    run = press_partition("/fixed", "run", {path: file.content for path, file in landed.items()}, config)
    manifest = publication.current(run.store, run.partition).manifest()
    rows = {row["relative_path"]: row for row in manifest.to_pylist()}
    assert rows.keys() == landed.keys()
    for path, file in landed.items():
        told = rows[path]
        if file.outcomes <= {"rejected", "kept_animated", "kept_multipage"}:
            assert told["outcome"] in file.outcomes
            assert told["reason"].startswith(file.reason)
        else:
            assert file.size in (None, (told["width"], told["height"]))
            assert told["codec"] == "png"
            assert (told["curve"], told["choice"]) == ([], "8 colours as configured, or all that there are")
    assert rows["flat/chart-5.png"]["outcome"] == "published_lossless"
    assert rows["photos/coffee-0.png"]["k"] == 8
