"""What becomes of a stage's task when its driver runs in a cluster, where neither exit code nor last line come back.

The cluster is as much of YARN as the operator sees: a spark-submit that tells an application's id, and a
ResourceManager's answer about it. tests/e2e runs a whole one.
"""

import json
import re
import sys
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowRescheduleException
from dataset_run import Dataset
from stage_operator import StageOperator

from chromapress.config import DatasetConfig
from chromapress.paths import DatasetPaths

RUN_ID = "run"
END = DatasetPaths("/chromapress", "scans").partition("dt=2026-11-23").run(RUN_ID).end("quantize")
APPLICATION = "application_1795656731505_0001"
SUBMIT = f"""#!{sys.executable}
import pathlib, sys
pathlib.Path(sys.argv[0]).with_name("submitted").write_text("\\n".join(sys.argv))
print("INFO YarnClientImpl: Submitted application {APPLICATION}")
"""


RUNNING = ("RUNNING", "UNDEFINED")
FAILED = ("FINISHED", "FAILED")
SUCCEEDED = ("FINISHED", "SUCCEEDED")


class ResourceManager(HTTPServer):
    """Tells one state of an application after the other, and then the last one."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answer)
        self.states = [FAILED]


class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        states = self.server.states
        state, final = states.pop(0) if len(states) > 1 else states[0]
        app = {"state": state, "finalStatus": final, "diagnostics": "User application exited with status 1"}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"app": app}).encode())

    def log_message(self, *_args):
        """Not among the test's output."""


@pytest.fixture
def yarn():
    """A ResourceManager that knows one application."""
    server = ResourceManager()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def quantize(yarn, client, tmp_path, monkeypatch):
    """The operator of a stage whose Spark connection is this YARN in deploy-mode cluster."""
    submit = tmp_path / "spark-submit"
    submit.write_text(SUBMIT)
    submit.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    address = f"http://127.0.0.1:{yarn.server_port}"
    conf = {"spark.yarn.queue": "images", "spark.log.level": "INFO"}
    extra = {"deploy-mode": "cluster", "yarn_resourcemanager_webapp_address": address, "conf": conf}
    connection = {"conn_type": "spark", "host": "yarn", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_SPARK_DEFAULT", json.dumps(connection))
    dataset = Dataset("scans", DatasetConfig(), "/chromapress")
    return StageOperator(stage="quantize", dataset=dataset, jobs_folder=tmp_path, retry_delay=timedelta(seconds=30))


class TaskStates(dict):
    """As much of Airflow's store as the operator asks; `kept` is all it was ever given."""

    def __init__(self, **earlier):
        super().__init__(earlier)
        self.kept = []

    def set(self, key, value):
        self[key] = value
        self.kept.append((key, value))


class TaskInstance:
    """As much of Airflow's as the operator asks."""

    def __init__(self):
        self.stats_tags = {}

    def xcom_push(self, key, value):
        assert key == "reason"

    def get_first_reschedule_date(self, _context):
        return None


def execute(stage, states=None):
    """Run the task, with what an earlier process of it has kept."""
    dag_run = SimpleNamespace(
        run_id=RUN_ID, partition_key="2026-11-23", logical_date=None, run_after=datetime(2026, 11, 24, tzinfo=UTC)
    )
    states = TaskStates() if states is None else states
    try:
        stage.execute({"dag_run": dag_run, "params": {}, "ti": TaskInstance(), "task_state_store": states})
    finally:
        if stage._hook is not None and stage._hook._submit_sp is not None:
            stage._hook._submit_sp.stdout.close()


def leave(client, code, sentence):
    """What a job leaves that has refused to go on."""
    client.write(END, json.dumps({"code": code, "error": sentence}).encode(), overwrite=True)


@pytest.mark.parametrize(
    ("code", "kind"), [(64, AirflowFailException), (65, AirflowFailException), (75, AirflowRescheduleException)]
)
def test_the_end_that_a_job_has_left_is_the_tasks(quantize, yarn, client, tmp_path, code, kind):
    yarn.states = [RUNNING, FAILED]
    leave(client, code, "palette.k: expected 2 to 256, got 1")
    with pytest.raises(kind) as raised:
        execute(quantize, TaskStates(spark_job_id=APPLICATION))
    if kind is AirflowFailException:
        assert str(raised.value) == "palette.k: expected 2 to 256, got 1"
    assert not (tmp_path / "submitted").exists()


def test_the_end_of_a_driver_before_is_not_this_ones(quantize, client):
    leave(client, 65, "too many images are rejected")
    with pytest.raises(RuntimeError, match="User application exited with status 1"):
        execute(quantize, TaskStates(spark_job_id=APPLICATION))
    assert client.status(END, strict=False) is None


def test_a_driver_is_submitted_once_with_the_settings_of_the_connection(quantize, yarn, tmp_path):
    yarn.states = [SUCCEEDED]
    states = TaskStates()
    execute(quantize, states)
    submitted = (tmp_path / "submitted").read_text().split("\n")
    assert {"spark.yarn.queue=images", "spark.log.level=INFO", "spark.yarn.maxAppAttempts=1"} < set(submitted)
    assert states.kept == [("spark_job_id", APPLICATION)]


def test_a_task_that_is_cleared_submits_a_driver_again(quantize, yarn, tmp_path):
    yarn.states = [SUCCEEDED]
    states = TaskStates()
    execute(quantize, states)
    (tmp_path / "submitted").unlink()
    execute(quantize, states)
    assert (tmp_path / "submitted").exists()


def test_a_task_that_died_finds_its_driver_again(quantize, yarn, tmp_path):
    yarn.states = [RUNNING, SUCCEEDED]
    execute(quantize, TaskStates(spark_job_id=APPLICATION))
    assert not (tmp_path / "submitted").exists()


def test_a_driver_in_kubernetes_is_given_the_name_by_which_it_is_followed():
    stage = StageOperator(stage="quantize", dataset=None, jobs_folder=Path("jobs"))
    hook = SimpleNamespace(
        _connection={"master": "k8s://https://api:6443", "deploy_mode": "cluster"},
        _conf={},
        _is_yarn=False,
        _is_kubernetes=True,
        _validate_track_driver_via_k8s_api_config=lambda: None,
    )
    stage._follow_driver(hook)
    assert hook._conf["spark.kubernetes.driver.pod.name"] == hook._kubernetes_driver_pod
    assert re.fullmatch(r"[a-z0-9-]{1,63}", hook._kubernetes_driver_pod)
    assert hook._track_driver_via_k8s_api
