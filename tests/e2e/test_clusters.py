"""The whole DAG where executors are processes of their own: a standalone Spark cluster, and YARN in both deploy modes.

The landing partition is the same in every dataset, so what is published must be, too, to the byte.
"""

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stack import airflow as stack_airflow
from stack import control, spark_cluster, yarn
from stack.home import Home
from stack.process import Process, family, processes, running, signal_all

pytestmark = [pytest.mark.long, pytest.mark.timeout(3600)]

# As many tasks as pictures in the stages that decode them: some for each executor.
PICTURES = 6
SMALL = {"retries": 2, "executor_memory": "512m", "timeout_minutes": 60, "partitions": PICTURES}
PATIENCE_S = 3000


@pytest.fixture(scope="module")
def on_local(pipeline) -> tuple[str, bytes]:
    """Version and manifest of the partition, made in one process."""
    succeed(pipeline, start(pipeline, "on_local"))
    return made(pipeline, "on_local")


@pytest.fixture(scope="module")
def hadoop(home: Home, hdfs) -> Iterator[Home]:
    """A running YARN on the HDFS."""
    try:
        yarn.prepare(home)
        control.up(home, yarn.services(home), print)
        yield home
    finally:
        control.down(home, yarn.ROLES[::-1], print)


@pytest.fixture
def connected(pipeline, home: Home) -> Iterator[Callable[[dict], None]]:
    """Lets the tasks find another Spark than local[2]."""
    with pytest.MonkeyPatch.context() as patch:

        def connect(connection: dict) -> None:
            patch.setenv("AIRFLOW_CONN_SPARK_DEFAULT", json.dumps(connection))
            restart_scheduler(home)

        yield connect
    restart_scheduler(home)


def restart_scheduler(home: Home) -> None:
    """Its workers take the connections from the environment with which it was started."""
    control.down(home, ["scheduler"], print)
    control.up(home, stack_airflow.services(home), print)


def start(pipeline, dataset: str) -> tuple[str, str]:
    """Land the partition and start its run."""
    dag_id = pipeline.describe(dataset, execution=SMALL)
    pipeline.land(dataset, pipeline.yesterday, count=PICTURES)
    return dag_id, pipeline.trigger(dag_id)


def made(pipeline, dataset: str) -> tuple[str, bytes]:
    """The version that readers find, and its manifest."""
    base = f"{dataset}/published/{pipeline.yesterday}"
    version = pipeline.read(f"{base}/_CURRENT").decode().strip()
    return version, pipeline.read(f"{base}/{version}/manifest.parquet")


def succeed(pipeline, run: tuple[str, str]) -> None:
    pipeline.end(*run, timeout_s=PATIENCE_S)
    pipeline.succeed(*run)


def test_a_standalone_cluster_publishes_the_same_though_a_task_and_a_worker_die(
    pipeline, standalone, connected, on_local
):
    connected(spark_cluster.connection(standalone))
    dag_id, run_id = start(pipeline, "on_standalone")
    pipeline.wait_for("driver of select_k", lambda: application(standalone, "select_k"), PATIENCE_S)
    kill_task(pipeline, dag_id, run_id, "select_k")
    pipeline.reach(dag_id, run_id, "select_k", PATIENCE_S)
    worker = pipeline.wait_for("worker in the middle of quantize", lambda: at_work(standalone, "quantize"), PATIENCE_S)
    signal_all(family(worker.pid), signal.SIGKILL)
    succeed(pipeline, (dag_id, run_id))
    assert "Lost executor" in pipeline.log(dag_id, run_id, "quantize")
    assert pipeline.task(dag_id, run_id, "quantize")["try_number"] == 1
    assert pipeline.task(dag_id, run_id, "select_k")["try_number"] == 2
    assert made(pipeline, "on_standalone") == on_local


def test_yarn_publishes_the_same_with_the_driver_here(pipeline, hadoop, connected, on_local):
    connected(yarn.connection(hadoop, "client"))
    succeed(pipeline, start(pipeline, "on_yarn"))
    assert made(pipeline, "on_yarn") == on_local


def test_yarn_publishes_the_same_with_the_driver_there_and_a_task_that_dies_finds_it_again(
    pipeline, hadoop, connected, on_local
):
    connected(yarn.connection(hadoop, "cluster"))
    dag_id, run_id = start(pipeline, "in_yarn")

    def followed() -> bool:
        return "Tracking YARN application" in pipeline.log(dag_id, run_id, "ingest")

    pipeline.wait_for("driver", followed, PATIENCE_S)
    kill_task(pipeline, dag_id, run_id, "ingest")
    succeed(pipeline, (dag_id, run_id))
    assert "Reconnecting to existing job" in pipeline.log(dag_id, run_id, "ingest", attempt=2)
    assert made(pipeline, "in_yarn") == on_local


def test_yarn_tells_what_a_driver_there_has_refused(pipeline, hadoop, connected):
    connected(yarn.connection(hadoop, "cluster"))
    dag_id = pipeline.describe("empty_in_yarn", execution=SMALL)
    pipeline.hdfs.makedirs(f"/chromapress/empty_in_yarn/landing/{pipeline.yesterday}")
    run_id = pipeline.trigger(dag_id)
    assert pipeline.end(dag_id, run_id, timeout_s=PATIENCE_S) == "failed"
    assert "AirflowFailException: nothing has landed: the directory" in pipeline.log(dag_id, run_id, "ingest")
    assert pipeline.task(dag_id, run_id, "ingest")["try_number"] == 1


def kill_task(pipeline, dag_id: str, run_id: str, task_id: str) -> None:
    """Kill the process in which a task is executed, as the kernel does when memory ends."""
    pid = pipeline.task(dag_id, run_id, task_id)["pid"]
    assert pid in {process.pid for process in processes()}
    os.kill(pid, signal.SIGKILL)


def application(home: Home, stage: str) -> str | None:
    """The id of a stage's application on the standalone cluster, while it has one."""
    apps = spark_cluster.state(home)["activeapps"]
    return next((app["id"] for app in apps if app["name"].endswith(f" {stage}")), None)


def at_work(home: Home, stage: str) -> Process | None:
    """A worker of the standalone cluster that executes Python for a stage in this moment: it has images in hand."""
    app_id = application(home, stage)
    if app_id is None:
        return None
    for worker in filter(None, (running(home, name) for name in spark_cluster.WORKERS)):
        executors = (process for process in family(worker.pid) if app_id in command_line(process))
        children = (child for executor in executors for child in family(executor.pid))
        if any("pyspark.daemon" in command_line(child) for child in children):
            return worker
    return None


def command_line(process: Process) -> list[str]:
    """A process's words; none of one that has ended."""
    try:
        return Path(f"/proc/{process.pid}/cmdline").read_bytes().decode().split("\0")
    except (FileNotFoundError, ProcessLookupError):
        return []
