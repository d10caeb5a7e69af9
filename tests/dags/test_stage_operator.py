"""What becomes of a stage's task, for every way that its job can end; the jobs are run by a real spark-submit."""

import json
import os
import signal
import sys
import textwrap
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from airflow.sdk import Asset
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowRescheduleException
from dataset_run import Dataset
from stage_operator import IngestOperator, PublishOperator, StageOperator

from chromapress.config import DatasetConfig, Execution
from chromapress.paths import DatasetPaths
from stack.process import read_process

RUN_ID = "manual__2026-11-24T07:00:00+00:00"


class TaskInstance:
    """As much of Airflow's as the operator asks."""

    dag_id = "quantize_scans"

    def __init__(self, waiting_since: datetime | None = None, try_number: int = 1):
        self.waiting_since = waiting_since
        self.try_number = try_number
        self.told = {}

    def xcom_push(self, key, value):
        self.told[key] = value

    def get_dr_count(self, dag_id, run_ids, states):
        return 0

    def get_first_reschedule_date(self, _context):
        return self.waiting_since


@pytest.fixture(autouse=True)
def spark(monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_SPARK_DEFAULT", json.dumps({"conn_type": "spark", "host": "local[1]"}))
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=":")
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)


def make(operator, stage, folder, script, config=None):
    (folder / f"{stage}.py").write_text(textwrap.dedent(script))
    dataset = Dataset("scans", config or DatasetConfig(), "/chromapress")
    return operator(stage=stage, dataset=dataset, jobs_folder=folder, retry_delay=timedelta(seconds=30))


def context(waiting_since=None, try_number=1, **parameters):
    dag_run = SimpleNamespace(
        run_id=RUN_ID, partition_key="2026-11-23", logical_date=None, run_after=datetime(2026, 11, 24, tzinfo=UTC)
    )
    return {"dag_run": dag_run, "params": parameters, "ti": TaskInstance(waiting_since, try_number)}


def execute(stage, ctx):
    try:
        stage.execute(ctx)
    finally:
        if stage._hook is not None:
            stage._hook._submit_sp.stdout.close()  # the hook leaves it to the end of the task's process


@pytest.mark.parametrize("code", [64, 65])
def test_what_will_not_heal_fails_at_once_with_the_jobs_own_last_words(tmp_path, code):
    stage = make(
        StageOperator,
        "select_k",
        tmp_path,
        f"""
        import sys
        print("chromapress: error: a first guess", file=sys.stderr)
        print("chromapress: error: palette.k: expected 2 to 256, got 1", file=sys.stderr)
        sys.exit({code})
        """,
    )
    asking = context()
    with pytest.raises(AirflowFailException, match=r"^palette.k: expected 2 to 256, got 1$"):
        execute(stage, asking)
    assert asking["ti"].told == {"reason": "palette.k: expected 2 to 256, got 1"}


def test_another_failure_may_heal_and_has_the_jobs_own_last_words(tmp_path):
    script = "import sys\nsys.exit('chromapress: error: the NameNode has gone')"
    with pytest.raises(AirflowException, match=r"^the NameNode has gone$") as raised:
        execute(make(StageOperator, "quantize", tmp_path, script), context())
    assert not isinstance(raised.value, AirflowFailException)


def test_a_job_that_dies_without_a_word_is_told_with_its_exception_and_the_master(tmp_path):
    with pytest.raises(AirflowException) as raised:
        execute(make(StageOperator, "quantize", tmp_path, "raise ValueError('no such colour')"), context())
    assert str(raised.value) == (
        "quantize: spark-submit ended with exit code 1 on master local[1] (connection spark_default): "
        "ValueError: no such colour"
    )


def test_a_killed_spark_may_heal(tmp_path):
    script = "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)"
    with pytest.raises(AirflowException, match="ended with signal 9 on master local") as raised:
        execute(make(StageOperator, "compress", tmp_path, script), context())
    assert not isinstance(raised.value, AirflowFailException)


def test_a_spark_does_not_outlive_its_task(tmp_path, monkeypatch):
    stage = make(StageOperator, "quantize", tmp_path, "")
    told = tmp_path / "pid"
    submit = tmp_path / "spark-submit"
    submit.write_text(f"#!/bin/sh\necho $$ > {told}.partial && mv {told}.partial {told}\nexec sleep 600\n")
    submit.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    task = os.fork()
    if not task:
        try:
            stage.execute(context())
        finally:
            os._exit(1)
    try:
        wait_for(told.exists)
    finally:
        os.kill(task, signal.SIGKILL)
        os.waitpid(task, 0)
    pid = int(told.read_text())
    wait_for(lambda: (process := read_process(pid)) is None or process.zombie)


def wait_for(what):
    deadline = time.monotonic() + 300
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_master_that_is_none_is_told_in_sparks_words(tmp_path, monkeypatch):
    wrong = {"conn_type": "spark", "host": "sprak://nowhere:7077"}
    monkeypatch.setenv("AIRFLOW_CONN_SPARK_DEFAULT", json.dumps(wrong))
    with pytest.raises(AirflowException, match=r"on master sprak://nowhere:7077 .*: .*Master"):
        execute(make(StageOperator, "quantize", tmp_path, ""), context())


LOCKED = "import sys\nprint('chromapress: error: run b holds dt=2026-11-23', file=sys.stderr)\nsys.exit(75)"


def test_a_locked_partition_is_waited_for_without_a_slot(tmp_path):
    with pytest.raises(AirflowRescheduleException) as raised:
        execute(make(StageOperator, "publish", tmp_path, LOCKED), context())
    assert timedelta(seconds=20) < raised.value.reschedule_date - datetime.now(UTC) <= timedelta(seconds=30)


def test_a_locked_partition_is_not_waited_for_for_ever(tmp_path):
    long_ago = datetime.now(UTC) - timedelta(minutes=121)
    with pytest.raises(AirflowFailException, match=r"^run b holds dt=2026-11-23; waited 2:00:00 for it$"):
        execute(make(StageOperator, "publish", tmp_path, LOCKED), context(waiting_since=long_ago))


TELL = """
    import json, sys
    from pathlib import Path
    import told
    told.write(Path(__file__).parent / "argv.json", sys.argv[1:])
    """


def test_a_job_is_told_its_run_and_finds_the_modules_beside_it(tmp_path):
    told = "import json\ndef write(path, argv):\n    path.write_text(json.dumps(argv))"
    (tmp_path / "told.py").write_text(told)
    execute(make(StageOperator, "quantize", tmp_path, TELL), context())
    argv = ["--root", "/chromapress", "--dataset", "scans", "--partition", "dt=2026-11-23", "--run", RUN_ID]
    assert json.loads((tmp_path / "argv.json").read_text()) == argv


def test_ingest_is_handed_the_configuration_with_the_parameters_of_the_run(tmp_path, client):
    told = "import json\ndef write(path, argv):\n    path.write_text(json.dumps(argv))"
    (tmp_path / "told.py").write_text(told)
    typed = "{{ 7 * 7 }} $(id) '\"\\"
    given = {"palette.k": 16, "source.ready_marker": typed}
    execute(make(IngestOperator, "ingest", tmp_path, TELL), context(**given))
    argv = json.loads((tmp_path / "argv.json").read_text())
    assert argv[-2] == "--config"
    config = DatasetConfig.model_validate_json(argv[-1])
    assert (config.palette.k, config.source.ready_marker) == (16, typed)


def test_ingest_does_not_start_spark_to_find_out_that_the_partition_is_held(tmp_path, client):
    lock = {"owner": "backfill__b", "expires": (datetime.now(UTC) + timedelta(hours=1)).isoformat()}
    client.write("/chromapress/scans/work/dt=2026-11-23/_lock/1", json.dumps(lock).encode())
    ingest = make(IngestOperator, "ingest", tmp_path, "")
    with pytest.raises(AirflowRescheduleException):
        execute(ingest, context())
    assert ingest._hook is None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"palette.kk": 3}, "palette.kk: unknown parameter"),
        ({"palette.candidates": [4, 2]}, "palette.candidates: must ascend"),
        ({"execution.retries": 9}, "execution.retries: unknown parameter"),
        ({"partition": "dt=2026-02-30"}, "partition: the run is for dt=2026-11-23"),
    ],
)
def test_what_the_form_cannot_refuse_the_task_refuses_before_it_starts_spark(tmp_path, given, message):
    stage = make(StageOperator, "quantize", tmp_path, "")
    with pytest.raises(AirflowFailException, match=message):
        execute(stage, context(**given))
    assert stage._hook is None


SMALL = DatasetConfig(execution=Execution(one_session_up_to=5))
RUN = DatasetPaths("/chromapress", "scans").partition("dt=2026-11-23").run(RUN_ID)


def test_a_stage_that_was_done_in_the_session_of_ingest_starts_no_spark_once(tmp_path, client):
    client.write(RUN.done_ahead("quantize"), b"")
    stage = make(StageOperator, "quantize", tmp_path, TELL, SMALL)
    execute(stage, context())
    assert stage._hook is None
    assert client.status(RUN.done_ahead("quantize"), strict=False) is None, "a task that is cleared does it again"


def test_publish_says_what_a_small_run_has_published(tmp_path, client):
    facts = {"images": 3, "outcomes": {"published": 3}, "bytes_in": 300, "bytes_out": 100}
    version = DatasetPaths("/chromapress", "scans").partition("dt=2026-11-23").version("v1")
    client.write(RUN.done_ahead("publish"), b"")
    client.write(RUN.facts("publish"), json.dumps({"version": "v1"}).encode())
    client.write(version.run, json.dumps(facts).encode())
    asset = Asset("scans.published")
    (tmp_path / "publish.py").touch()
    dataset = Dataset("scans", SMALL, "/chromapress")
    publish = PublishOperator(stage="publish", dataset=dataset, jobs_folder=tmp_path, asset=asset)
    event = SimpleNamespace(extra=None)
    publish.execute(context() | {"outlet_events": {asset: event}})
    assert event.extra == {"partition": "dt=2026-11-23", "version": "v1", "path": version.base, **facts}


@pytest.mark.parametrize(("try_number", "job"), [(1, "small_run"), (2, "ingest")])
def test_only_the_first_try_of_a_small_run_is_for_all_stages(tmp_path, client, try_number, job):
    leave_name = "from pathlib import Path\n(Path(__file__).parent / 'told').write_text('{}')"
    (tmp_path / "quantize.py").write_text(leave_name.format("small_run"))
    (tmp_path / "small_run.py").write_text("import quantize")
    ingest = make(IngestOperator, "ingest", tmp_path, leave_name.format("ingest"), SMALL)
    execute(ingest, context(try_number=try_number))
    assert (tmp_path / "told").read_text() == job
