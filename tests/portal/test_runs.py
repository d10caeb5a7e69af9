"""Runs of uploads, with an Airflow that does what the test says; the real one runs them in tests/e2e."""

import json
import secrets
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, update

from chromapress.config import load, run_parameters
from chromapress.paths import DatasetPaths
from chromapress.storage import Hdfs

API = "/chromapress/api/v1"
DATASETS = Path(__file__).parents[2] / "dags" / "datasets"


class Airflow:
    """Runs that are as the test says."""

    def __init__(self):
        self.started = []
        self.seen = {}
        self.broken = False

    def trigger(self, dag_id, run_id, partition, parameters, person):
        from portal.airflow_runs import NoDagError, Seen

        if self.broken:
            raise NoDagError(dag_id)
        self.started.append((dag_id, partition, parameters, person))
        self.seen[run_id] = Seen("queued", None, None)

    def states(self, dag_id, run_ids):
        return {run_id: self.seen[run_id] for run_id in run_ids if run_id in self.seen}

    def look(self, dag_id, run_id):
        return self.seen.get(run_id)


@pytest.fixture
def settings():
    from portal.settings import Settings

    return Settings(base_url="http://testserver", datasets_folder=DATASETS)


@pytest.fixture
def airflow(app):
    from portal.runs import Runs

    portal = app.state.portal
    airflow = Airflow()
    app.state.runs = Runs(portal.settings, portal.storage, portal.records, airflow)
    return airflow


@pytest.fixture
def people(client_of, airflow):
    from portal.access import Person

    return {name: client_of(Person(name, operator=name == "root")) for name in ("ann", "bob", "root")}


@pytest.fixture
def ann(people):
    return people["ann"]


@pytest.fixture
def runs(records):
    """The path of the runs of Ann's upload, of which one file has arrived."""
    from portal.records import files, now, uploads

    upload_id = secrets.token_hex(16)
    upload = insert(uploads).values(id=upload_id, owner="ann", name="scans", created_at=now())
    file = {"id": secrets.token_hex(16), "upload_id": upload_id, "number": 1, "path": "a.png", "asked_path": "a.png"}
    received = {"size_bytes": 1, "received_bytes": 1, "state": "received", "changed_at": now()}
    records.write(lambda connection: connection.execute(upload))
    records.write(lambda connection: connection.execute(insert(files).values(**file, **received)))
    return f"{API}/uploads/{upload_id}/runs"


def test_people_may_set_what_they_see_and_not_what_a_run_may_cost(ann):
    schemas = ann.get(f"{API}/parameters").json()
    everything = run_parameters(load(DATASETS / "uploads.yaml"))
    assert schemas["palette.k"] == json.loads(json.dumps(everything["palette.k"]))
    assert {name.partition(".")[0] for name in schemas} == {"palette", "quality", "compression", "publish"}


def test_a_run_is_started_on_the_uploads_partition_in_its_owners_name(ann, runs, airflow):
    answer = ann.post(runs, json={"parameters": {"palette.k": 16, "palette.rule": "fixed"}})
    assert answer.status_code == 202
    run = answer.json()
    assert (run["state"], run["airflow_url"], run["error"]) == ("queued", None, None)
    upload_id = runs.split("/")[-2]
    given = {"palette.k": 16, "palette.rule": "fixed"}
    assert airflow.started == [("quantize_uploads", f"upload={upload_id}", given, "ann")]
    assert ann.get(f"{runs}/{run['run_id']}").json() == run
    assert [one["run_id"] for one in ann.get(runs).json()["items"]] == [run["run_id"]]
    names = ["wait_for_landing", "ingest", "select_k", "quantize", "compress", "publish"]
    assert [(stage["name"], stage["state"]) for stage in run["stages"]] == [(name, None) for name in names]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"palette.k": 1}, "palette.k: input should be greater than or equal to 2, got 1"),
        ({"palette.colour": 1}, "palette.colour: unknown parameter"),
        ({"source.uri": "file:///etc"}, "source.uri: unknown parameter"),
        ({"execution.executor_memory": "900g"}, "execution.executor_memory: unknown parameter"),
        ({"limits.max_pixels": 1}, "limits.max_pixels: unknown parameter"),
    ],
)
def test_what_will_not_do_is_told_in_a_sentence_and_nothing_is_started(ann, runs, airflow, given, sentence):
    answer = ann.post(runs, json={"parameters": given})
    assert (answer.status_code, answer.json()["detail"]) == (422, sentence)
    assert airflow.started == []


def test_a_second_run_has_to_wait_for_the_end_of_the_first(ann, runs, airflow):
    run_id = ann.post(runs).json()["run_id"]
    assert ann.post(runs).status_code == 409
    airflow.seen[run_id] = replace(airflow.seen[run_id], state="success")
    assert ann.post(runs).status_code == 202
    assert len(airflow.started) == 2


def test_nothing_is_run_before_a_file_has_arrived(ann, runs, airflow, records):
    from portal.records import files

    records.write(lambda connection: connection.execute(update(files).values(state="receiving")))
    answer = ann.post(runs)
    assert (answer.status_code, answer.json()["detail"]) == (
        422,
        "There is nothing to run yet: no image has been received.",
    )


def test_a_run_that_airflow_does_not_take_leaves_the_upload_free(ann, runs, airflow):
    airflow.broken = True
    assert ann.post(runs).status_code == 503
    assert ann.get(runs).json()["items"] == []
    airflow.broken = False
    assert ann.post(runs).status_code == 202


def test_a_run_that_was_never_started_fails_after_a_while(ann, runs, airflow, records):
    from portal.records import now
    from portal.records import runs as table

    run_id = ann.post(runs).json()["run_id"]
    airflow.seen.clear()
    assert ann.get(f"{runs}/{run_id}").json()["state"] == "queued"
    long_ago = update(table).values(created_at=now() - timedelta(minutes=5))
    records.write(lambda connection: connection.execute(long_ago))
    assert ann.get(f"{runs}/{run_id}").json()["error"] == "The run could not be started. Try again."


def test_a_failure_is_told_in_the_stages_words_or_in_ours(ann, runs, airflow):
    for reason, told in (
        ("3 of 3 images are rejected", "3 of 3 images are rejected"),
        (None, "The run has failed, and not because of your images. Try again; if it fails again, tell an operator."),
    ):
        run_id = ann.post(runs).json()["run_id"]
        airflow.seen[run_id] = replace(airflow.seen[run_id], state="failed", reason=reason)
        answer = ann.get(f"{runs}/{run_id}").json()
        assert (answer["state"], answer["error"]) == ("failed", told)
    assert [one["state"] for one in ann.get(runs).json()["items"]] == ["failed", "failed"]


def test_runs_are_their_owners_and_operators_have_a_link_to_airflow(people, client_of, runs):
    run_id = people["ann"].post(runs).json()["run_id"]
    assert people["bob"].get(runs).status_code == people["bob"].get(f"{runs}/{run_id}").status_code == 404
    assert people["bob"].post(runs).status_code == people["root"].post(runs).status_code == 404
    assert client_of(None).get(runs).status_code == 401
    url = people["root"].get(f"{runs}/{run_id}").json()["airflow_url"]
    assert url == f"http://testserver/dags/quantize_uploads/runs/{run_id}"


class TestOneSession:
    """The stages of a small run, while its first task runs."""

    @pytest.fixture
    def storage(self, hdfs):
        return Hdfs(hdfs.url)

    def test_stages_that_were_done_ahead_are_shown_as_done(self, ann, runs, airflow, storage):
        from portal.airflow_runs import Task
        from portal.records import now

        run_id = ann.post(runs).json()["run_id"]
        started = now().replace(microsecond=0)
        tasks = {
            "wait_for_landing": Task("wait_for_landing", "success", started, started, 1),
            "ingest": Task("ingest", "running", started, None, 1),
        }
        airflow.seen[run_id] = replace(airflow.seen[run_id], state="running", started_at=started, tasks=tasks)
        partition = DatasetPaths("/chromapress", "uploads").partition(f"upload={runs.split('/')[-2]}")
        for stage, second in (("ingest", 9), ("select_k", 11)):
            facts = {"started": (started + timedelta(seconds=second)).isoformat(), "seconds": 2}
            storage.write(partition.run(run_id).facts(stage), json.dumps(facts).encode())
        storage.write(partition.run(run_id).facts("quantize"), b"")  # in this moment
        stages = {stage["name"]: stage for stage in ann.get(f"{runs}/{run_id}").json()["stages"]}
        states = [stages[name]["state"] for name in ("ingest", "select_k", "quantize", "compress")]
        assert states == ["success", "success", "running", None]
        assert stages["select_k"]["started_at"] == stages["ingest"]["ended_at"]
