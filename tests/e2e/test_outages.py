"""What is said when HDFS or Spark is not where it should be, and that what can heal does."""

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


def restart_scheduler(home) -> None:
    """Its workers take the connections from the environment with which it was started."""
    control.down(home, ["scheduler"], print)
    control.up(home, stack_airflow.services(home), print)
