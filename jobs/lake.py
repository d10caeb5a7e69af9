"""What the five jobs have in common: arguments, lock, session, and how a job ends. Not a job itself.

A stage is a transaction: it writes its table aside (parts.py) and renames it when it is whole, so that a retry starts
clean and a reader never sees half a result.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pyarrow as pa
from pyspark import SparkConf, SparkContext
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import from_arrow_schema

from chromapress import lock
from chromapress.config import ConfigError, DatasetConfig, check_partition, parse
from chromapress.paths import DEFAULT_ROOT, DatasetPaths, PartitionPaths, RunPaths
from chromapress.storage import Hdfs, hdfs

# sysexits.h's words; what is not among them may heal by trying again.
EXIT_OTHER: Final = 1
EXIT_USAGE: Final = 64  # the configuration or the arguments are wrong
EXIT_DATAERR: Final = 65  # a gate: the data must not go on like this
EXIT_TEMPFAIL: Final = 75  # another run holds the partition

# What does go between Python and the JVM, goes in batches of a few images: rows have megabytes.
_BATCH_ROWS: Final = 16
_BATCH_BYTES: Final = 16 << 20

# So much of what has landed is a part, as Spark reads it: little enough that the last does not keep a cluster waiting.
PARTITION_BYTES: Final = 32 << 20

_SHUFFLE_PARTITIONS: Final = "spark.sql.shuffle.partitions"
# So much of what has landed to a part: a shuffled row can be several times as large as the file that it is of.
_SHUFFLE_BYTES: Final = 4 << 20
# With more parts than this, each costs more than it spares: then they grow, up to what an executor sorts in memory.
_MANY_PARTITIONS: Final = 200
_MOST_SHUFFLE_BYTES: Final = 64 << 20

_SESSION: Final = {
    "spark.sql.execution.arrow.maxRecordsPerBatch": str(_BATCH_ROWS),
    "spark.sql.execution.arrow.maxBytesPerBatch": str(_BATCH_BYTES),
    "spark.sql.files.maxPartitionBytes": str(PARTITION_BYTES),
    "spark.sql.files.openCostInBytes": "0",
}


class GateError(Exception):
    """The data must not go on like this, and trying again will not change it."""


_REFUSALS: Final = {lock.LockedError: EXIT_TEMPFAIL, ConfigError: EXIT_USAGE, GateError: EXIT_DATAERR}


@dataclass(frozen=True)
class Run:
    """One run of a dataset's partition."""

    store: Hdfs
    dataset: str
    partition: PartitionPaths
    run_id: str
    config: DatasetConfig

    @property
    def paths(self) -> RunPaths:
        return self.partition.run(self.run_id)


# A stage's work; it returns facts about it.
Body = Callable[[SparkContext, Run], dict[str, Any]]


def parse_args(stage: str, argv: Sequence[str]) -> argparse.Namespace:
    """The arguments that every job takes; ingest takes the configuration too."""
    parser = argparse.ArgumentParser(f"{stage}.py", description=f"The stage {stage} of one run.")
    parser.add_argument("--root", default=DEFAULT_ROOT, help="the directory of all datasets in HDFS (%(default)s)")
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--partition", required=True, help="dt=2026-11-23 or upload=<id>")
    parser.add_argument("--run", required=True, help="the run's id")
    if stage == "ingest":
        parser.add_argument("--config", required=True, help="the run's configuration, as JSON")
    return parser.parse_args(argv)


def run_stage(
    stage: str, argv: Sequence[str], body: Body, then: Callable[[SparkContext, Run], None] | None = None
) -> int:
    """Run a job's body under the partition's lock, and say by the exit code how it ended.

    `body` returns facts about what it did; they are kept with the stage's times for run.json. `then` is called, in the
    same session, when the stage is done.
    """
    try:
        args = parse_args(stage, argv)
    except SystemExit as end:
        return EXIT_USAGE if end.code else 0
    partition = DatasetPaths(args.root, args.dataset).partition(args.partition)
    held = False
    store = None
    try:
        check_partition(args.partition, "--partition")
        store = hdfs()
        config = _resolved(stage, args, store, partition)
        # A retry may come late: the lock lasts for a stage at its longest, and that again for the wait.
        lock.acquire(store, partition.lock, args.run, timedelta(minutes=2 * config.execution.timeout_minutes))
        held = True
        run = Run(store, args.dataset, partition, args.run, config)
        _begin(stage, run)
        started = time.time()
        with _spark(f"chromapress {args.dataset} {args.partition} {stage}") as context:
            end_stage(run, stage, started, body(context, run))
            if then:
                then(context, run)
    except (lock.LockedError, ConfigError, GateError) as error:
        code = next(code for kind, code in _REFUSALS.items() if isinstance(error, kind))
        if store is not None:
            if held:
                lock.release(store, partition.lock, args.run)
            # Where the driver runs in a cluster, its exit code and its last line do not come back to who sent it.
            told = {"code": code, "error": sentence(error)}
            store.write(partition.run(args.run).end(stage), json.dumps(told).encode())
        return _failed(error, code)
    except OSError as error:
        # HDFS, most likely; what Spark raises tells its cause itself.
        traceback.print_exc()
        return _failed(error, EXIT_OTHER)
    return 0


def end_stage(run: Run, stage: str, started: float, facts: dict[str, Any]) -> None:
    """What is left to do when a stage's body has done its work: its facts, and after the last one the lock."""
    keep_facts(run, stage, started, facts)
    if stage == "publish":
        lock.release(run.store, run.partition.lock, run.run_id)


def stage_facts(stage: str, started: float, facts: dict[str, Any]) -> dict[str, Any]:
    """What run.json tells of a stage."""
    return {
        "started": datetime.fromtimestamp(started, UTC).isoformat(timespec="seconds"),
        "seconds": round(time.time() - started, 2),
        **facts,
    }


def keep_facts(run: Run, stage: str, started: float, facts: dict[str, Any]) -> None:
    run.store.write(run.paths.facts(stage), json.dumps(stage_facts(stage, started, facts)).encode())


def read_facts(run: Run, stage: str) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads(run.store.read(run.paths.facts(stage)))
    return facts


@contextmanager
def _spark(name: str) -> Iterator[SparkContext]:
    # Arrow takes its memory where Python does, from the allocator that keeps what it has: see parts.settle.
    conf = SparkConf().setAppName(name).setExecutorEnv("ARROW_DEFAULT_MEMORY_POOL", "system")
    context = SparkContext.getOrCreate(conf)
    try:
        yield context
    finally:
        # Its server of accumulators, which no stage has, looks once a second whether it is to stop; it ends with us.
        context._accumulatorServer = None  # type: ignore[assignment]
        context.stop()


def read(context: SparkContext, run: Run, stage: str, schema: pa.Schema, *columns: str) -> DataFrame:
    """Some columns of what a stage left, as Spark SQL's frame; most runs need none, and not the second of its start."""
    spark = SparkSession.builder.getOrCreate()
    for key, value in _SESSION.items():
        spark.conf.set(key, value)
    if not context.getConf().contains(_SHUFFLE_PARTITIONS):  # the Spark connection's word comes first
        parts = shuffle_partitions(read_facts(run, "ingest")["bytes"], context.defaultParallelism)
        spark.conf.set(_SHUFFLE_PARTITIONS, parts)
    return spark.read.schema(from_arrow_schema(schema)).parquet(run.paths.stage(stage)).select(*columns)


def shuffle_partitions(landed_bytes: int, cores: int) -> int:
    """Into how many parts rows are shuffled: of a few images not the usual 200, mostly empty."""
    parts = -(-landed_bytes // _SHUFFLE_BYTES)
    return max(cores, min(parts, max(_MANY_PARTITIONS, -(-landed_bytes // _MOST_SHUFFLE_BYTES))))


def _resolved(stage: str, args: argparse.Namespace, store: Hdfs, partition: PartitionPaths) -> DatasetConfig:
    """The run's configuration: what ingest was given, and kept for the later stages."""
    if stage == "ingest":
        text = args.config
    else:
        path = partition.run(args.run).config
        try:
            text = store.read(path)
        except FileNotFoundError:
            raise ConfigError(f"there is no {path}: the stage ingest of this run has not been done") from None
    try:
        data = json.loads(text)
    except ValueError as error:
        raise ConfigError(f"--config: not JSON: {error}") from None
    return parse(data, "--config")


def _begin(stage: str, run: Run) -> None:
    if stage == "ingest":
        # What an earlier try has done ahead, it did with what that one had read.
        run.store.delete(run.paths.ahead)
        run.store.write(run.paths.config, run.config.canonical_json().encode())


def sentence(error: BaseException) -> str:
    """What an error says, on one line."""
    return " ".join(str(error).split())


def _failed(error: BaseException, code: int) -> int:
    print(f"chromapress: error: {sentence(error)}", file=sys.stderr)
    return code
