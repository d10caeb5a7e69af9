"""A Spark session in the test's own process, on the real HDFS, for the jobs' bodies."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pyspark.sql import SparkSession

from chromapress.config import DatasetConfig
from chromapress.paths import DatasetPaths
from chromapress.storage import hdfs as store_of
from stack.hdfs import Address

if TYPE_CHECKING:
    from lake import Run

JOBS = Path(__file__).parents[2] / "jobs"


@pytest.fixture(scope="session")
def spark(hdfs: Address, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in hdfs.environ.items():
            patch.setenv(name, value)
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        patch.setenv("PYTHONPATH", os.pathsep.join([str(JOBS), os.environ.get("PYTHONPATH", "")]))
        patch.syspath_prepend(str(JOBS))
        session = (
            SparkSession.builder.master("local[2]")
            .config("spark.ui.enabled", "false")
            .config("spark.driver.host", "localhost")
            .config("spark.driver.bindAddress", "127.0.0.1")
            .config("spark.local.dir", str(tmp_path_factory.mktemp("spark")))
            .config("spark.sql.shuffle.partitions", "4")
            .getOrCreate()
        )
        session.sparkContext.setLogLevel("ERROR")
        yield session
        session.stop()


@pytest.fixture(scope="session")
def press_partition(spark: SparkSession) -> Callable[..., Run]:
    """Land files in a dataset of its own and take them through the five stages; `then` is called after one of them."""
    import compress
    import ingest
    import lake
    import publish
    import quantize
    import select_k

    stages = {"ingest": ingest, "select_k": select_k, "quantize": quantize, "compress": compress, "publish": publish}

    def press(
        root: str,
        run_id: str,
        files: Mapping[str, bytes],
        config: DatasetConfig,
        then: Callable[[Run], object] = lambda run: None,
        after: str = "ingest",
    ) -> Run:
        store = store_of()
        partition = DatasetPaths(root, "set").partition("dt=2026-11-23")
        for path, content in files.items():
            store.write(f"{partition.landing}/{path}", content)
        run = lake.Run(store, "set", partition, run_id, config)
        for stage, job in stages.items():
            started = time.time()
            lake.keep_facts(run, stage, started, job.body(spark.sparkContext, run))
            if stage == after:
                then(run)
        return run

    return press
