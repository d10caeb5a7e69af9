"""A small run in one session, beside the same images taken through the stages one by one."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import pytest
from pyspark.sql import SparkSession

from chromapress import publication
from chromapress.config import parse
from chromapress.paths import STAGES, DatasetPaths
from chromapress.storage import Hdfs
from chromapress.storage import hdfs as store_of
from tests.landing_set import landing_set

if TYPE_CHECKING:
    from lake import Run

CHOSEN = ("photos/coffee-0.png", "flat/chart-5.png", "icons/icon-1.png", "kinds/plain.bmp", "frames/animated.gif")
BAD = "bad/text.png"


def images(*paths: str) -> dict[str, bytes]:
    landed = landing_set()
    return {path: landed[path].content for path in paths}


@pytest.fixture
def start_small(spark: SparkSession) -> Callable[..., Run]:
    """Land files, and take them as far as a small run's job does."""
    import ingest
    import lake
    import small_run

    def start(root: str, files: Mapping[str, bytes], **execution: int) -> Run:
        store = store_of()
        partition = DatasetPaths(root, "set").partition("upload=one")
        for path, content in files.items():
            store.write(f"{partition.landing}/{path}", content)
        run = lake.Run(store, "set", partition, "small", parse({"execution": execution}, "test"))
        started = time.time()
        lake.end_stage(run, "ingest", started, ingest.body(spark.sparkContext, run))
        small_run.go_on(spark.sparkContext, run)
        return run

    return start


def published(store: Hdfs, made: publication.Publication) -> dict[str, str]:
    """{file: sha256} of what is published but run.json and the report, which tell of the run."""
    contents = {path: store.read(f"{made.paths.base}/{path}") for path in ["manifest.parquet"]}
    for file in store.files(made.paths.images):
        contents[file.relative_path] = store.read(f"{made.paths.images}/{file.relative_path}")
    return {path: hashlib.sha256(content).hexdigest() for path, content in contents.items()}


def test_one_session_publishes_the_same_bytes_as_stage_by_stage(
    start_small: Callable[..., Run], press_partition: Callable[..., Run]
) -> None:
    run = start_small("/small-one", images(*CHOSEN), one_session_up_to=len(CHOSEN))
    by_stage = press_partition("/small-five", "five", images(*CHOSEN), parse({}, "test"))
    one, five = (publication.current(each.store, each.partition) for each in (run, by_stage))
    assert one.version == five.version
    assert published(run.store, one) == published(run.store, five)
    assert len(published(run.store, one)) == len(CHOSEN) + 1
    assert run.store.names(run.paths.ahead) == sorted(set(STAGES) - {"ingest"})
    assert one.run()["stages"].keys() == five.run()["stages"].keys() == STAGES.keys()


def test_more_images_than_configured_are_left_to_the_other_tasks(start_small: Callable[..., Run]) -> None:
    run = start_small("/small-many", images(*CHOSEN[:2]), one_session_up_to=1)
    assert run.store.exists(run.paths.stage("ingest"))
    assert not run.store.exists(run.paths.ahead)
    assert not run.store.exists(run.paths.stage("select_k"))


def test_a_gate_that_holds_leaves_the_stage_to_its_own_task_to_tell(start_small: Callable[..., Run]) -> None:
    run = start_small("/small-bad", images(CHOSEN[1], BAD), one_session_up_to=100)
    assert run.store.names(run.paths.ahead) == ["compress", "quantize", "select_k"]
    with pytest.raises(publication.NotPublishedError):
        publication.current(run.store, run.partition)
