"""What is said when HDFS or Spark is not where it should be, that what can heal does, and that a crowd is served."""

import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from stack import airflow as stack_airflow
from stack import control
from stack import hdfs as stack_hdfs

pytestmark = pytest.mark.timeout(1800)

SMALL = {"retries": 0, "executor_memory": "512m", "timeout_minutes": 10}


def test_hdfs_away_is_told_and_waited_for(pipeline, home):
    dag_id = pipeline.describe("patient", execution=SMALL)
    pipeline.land("patient", pipeline.yesterday)
    control.down(home, ["namenode"], print)
    try:
        run = pipeline.trigger(dag_id)
        told = f"the NameNode at localhost:{home.ports['namenode_http']} (connection webhdfs_default) does not answer"
        pipeline.wait_for("word of it", lambda: told in pipeline.log(dag_id, run, "wait_for_landing"))
    finally:
        control.up(home, stack_hdfs.services(home), print)
    pipeline.reach(dag_id, run, "wait_for_landing")
    pipeline.stop(dag_id, run)  # what comes after is shown elsewhere


def test_a_spark_master_that_does_not_answer_is_told(pipeline, home):
    dag_id = pipeline.describe("astray", execution=SMALL)
    pipeline.land("astray", pipeline.yesterday)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_SPARK_DEFAULT", '{"conn_type": "spark", "host": "spark://localhost:1"}')
        restart_scheduler(home)
    try:
        run = pipeline.trigger(dag_id)
        assert pipeline.end(dag_id, run) == "failed"
    finally:
        restart_scheduler(home)
    master = "spark://localhost:1 (connection spark_default)"
    assert f"AirflowException: ingest: the Spark master {master} does not answer" in pipeline.log(dag_id, run, "ingest")


def test_all_who_start_and_stop_runs_at_once_are_answered(pipeline):
    """While tasks tell the API server how they do: SQLite has one writer at a time. And the scheduler goes on."""
    dag_id = pipeline.describe("crowd", execution=SMALL)

    def start_and_stop(number: int) -> str:
        run = pipeline.trigger(dag_id, partition=f"dt=2026-10-{1 + number:02}")
        time.sleep(1.5)  # so that a task begins
        pipeline.stop(dag_id, run)
        return run

    with ThreadPoolExecutor(4) as people:
        for run in people.map(start_and_stop, range(24)):
            pipeline.end(dag_id, run)
    last = pipeline.trigger(dag_id, partition="dt=2026-09-01")
    pipeline.wait_for("task", lambda: pipeline.task(dag_id, last, "wait_for_landing")["state"] == "up_for_reschedule")
    pipeline.stop(dag_id, last)


def test_a_database_that_is_busy_for_long_is_waited_for(pipeline, home):
    dag_id = pipeline.describe("behind", execution=SMALL)
    with ThreadPoolExecutor(1) as person:
        with sqlite3.connect(home.airflow / "airflow.db", timeout=60, isolation_level=None) as other:
            other.execute("BEGIN IMMEDIATE")
            run = person.submit(pipeline.trigger, dag_id)
            time.sleep(8)  # SQLite's own patience is 5 s
            assert not run.done()
            other.execute("ROLLBACK")
        other.close()
        pipeline.stop(dag_id, run.result())


def restart_scheduler(home) -> None:
    """Its workers take the connections from the environment with which it was started."""
    control.down(home, ["scheduler"], print)
    control.up(home, stack_airflow.services(home), print)
