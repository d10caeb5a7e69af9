"""What a run waits for, on a real HDFS, and what it says meanwhile."""

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowRescheduleException, AirflowSensorTimeout
from dataset_run import Dataset
from landing_sensor import LandingSensor

from chromapress.config import parse

RUN_ID = "manual__2026-11-24T07:00:00+00:00"
DAY = "dt=2026-11-23"


class TaskInstance:
    """As much of Airflow's as the sensor asks."""

    dag_id = "quantize_scans"
    waiting_since = None
    ended = ()

    def get_dr_count(self, dag_id, run_ids, states):
        assert (dag_id, states) == ("quantize_scans", ["success", "failed"])
        return len(set(run_ids).intersection(self.ended))

    def get_first_reschedule_date(self, _context):
        return self.waiting_since


@pytest.fixture
def context():
    moment = datetime(2026, 11, 24, tzinfo=UTC)
    dag_run = SimpleNamespace(run_id=RUN_ID, partition_key=None, logical_date=None, run_after=moment)
    return {"dag_run": dag_run, "params": {}, "ti": TaskInstance()}


def sensor(**config):
    dataset = Dataset("scans", parse(config, "scans.yaml"), "/chromapress")
    return LandingSensor(task_id="wait_for_landing", dataset=dataset, poke_interval=60)


def land(client, partition=DAY, name="a.png"):
    client.write(f"/chromapress/scans/landing/{partition}/{name}", b"a")


def lock(client, number, owner, expires_in, partition=DAY):
    expires = (datetime.now(UTC) + expires_in).isoformat(timespec="seconds")
    path = f"/chromapress/scans/work/{partition}/_lock/{number}"
    client.write(path, json.dumps({"owner": owner, "expires": expires}).encode())
    return expires


def waits_for(waiting, context):
    """What the sensor says is missing, having given its slot back."""
    with pytest.raises(AirflowRescheduleException):
        waiting.execute(context)
    return waiting._missing


def test_it_goes_on_when_the_partition_of_the_day_before_has_landed(client, context):
    waiting = sensor()
    assert waits_for(waiting, context) == f"there is no directory /chromapress/scans/landing/{DAY}"
    land(client, "dt=2026-11-22")
    assert waits_for(waiting, context) == f"there is no directory /chromapress/scans/landing/{DAY}"
    land(client)
    assert waiting.execute(context) is None


def test_the_day_before_is_that_of_the_datasets_zone(client, context):
    context["dag_run"].run_after = datetime(2026, 11, 24, 20, tzinfo=UTC)
    land(client, "dt=2026-11-24")
    assert sensor(timezone="Asia/Tokyo").execute(context) is None


def test_it_waits_for_the_marker_of_those_who_write_one(client, context):
    waiting = sensor(source={"ready_marker": "_READY"})
    land(client)
    assert waits_for(waiting, context) == f"/chromapress/scans/landing/{DAY} is there, but its marker _READY is not"
    land(client, name="_READY")
    waiting.execute(context)


@pytest.mark.parametrize("uri", ["hdfs://localhost:1/chromapress/scans/inbox/{partition}", "/chromapress/scans/inbox"])
def test_it_waits_for_a_directory_elsewhere_in_hdfs(client, context, uri):
    waiting = sensor(source={"uri": uri})
    assert "/chromapress/scans/inbox" in waits_for(waiting, context)
    client.makedirs(f"/chromapress/scans/inbox/{DAY}")
    waiting.execute(context)


def test_it_does_not_wait_for_what_webhdfs_cannot_see(client, context):
    sensor(source={"uri": "s3a://scans/{partition}"}).execute(context)


def test_it_waits_while_another_run_holds_the_partition(client, context):
    land(client)
    lock(client, 1, "backfill__b", timedelta(hours=1))
    expires = lock(client, 10, "backfill__c", timedelta(hours=1))
    assert waits_for(sensor(), context) == f"{DAY} of scans is held by run backfill__c until {expires}"


@pytest.mark.parametrize(("owner", "expires_in"), [(RUN_ID, timedelta(hours=1)), ("backfill__b", timedelta(hours=-1))])
def test_its_own_lock_and_one_that_has_expired_do_not_stop_it(client, context, owner, expires_in):
    land(client)
    lock(client, 1, owner, expires_in)
    sensor().execute(context)


def test_a_lock_that_is_just_being_written_is_held(client, context):
    land(client)
    client.write(f"/chromapress/scans/work/{DAY}/_lock/1", b"")
    assert "is held by run that is just starting" in waits_for(sensor(), context)


def test_the_lock_that_a_run_left_behind_is_taken_away_when_the_run_has_ended(client, context):
    land(client)
    lock(client, 1, "backfill__b", timedelta(hours=1))
    assert "is held by run backfill__b" in waits_for(sensor(), context)
    context["ti"].ended = ["backfill__b"]
    sensor().execute(context)
    assert client.list(f"/chromapress/scans/work/{DAY}/_lock") == []


def test_in_the_end_it_fails_and_says_for_what_it_has_waited_how_long(client, context):
    context["ti"].waiting_since = datetime.now(UTC) - timedelta(minutes=6)
    message = rf"^waited 5 minutes in vain: there is no directory /chromapress/scans/landing/{DAY}$"
    with pytest.raises(AirflowSensorTimeout, match=message):
        sensor(source={"wait_timeout_minutes": 5}).execute(context)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the provider's hook leaves its socket
def test_it_waits_for_a_namenode_that_is_away(client, context, monkeypatch):
    away = {"conn_type": "webhdfs", "host": "localhost", "port": 1, "login": "hdfs"}
    monkeypatch.setenv("AIRFLOW_CONN_WEBHDFS_DEFAULT", json.dumps(away))
    message = "the NameNode at localhost:1 (connection webhdfs_default) does not answer"
    assert waits_for(sensor(), context) == message


def test_a_directory_that_may_not_be_read_fails_at_once(client, context, hdfs, monkeypatch):
    land(client)
    client.set_permission("/chromapress/scans/landing", 700)
    address = urlsplit(hdfs.webhdfs)
    stranger = {"conn_type": "webhdfs", "host": address.hostname, "port": address.port, "login": "stranger"}
    monkeypatch.setenv("AIRFLOW_CONN_WEBHDFS_DEFAULT", json.dumps(stranger))
    with pytest.raises(AirflowFailException, match="HDFS refuses: Permission denied: user=stranger"):
        sensor().execute(context)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"palette.kk": 3}, "palette.kk: unknown parameter"),
        ({"partition": "dt=2026-02-30"}, "there is no such day"),
        ({"palette.candidates": [4, 2]}, "palette.candidates: must ascend"),
    ],
)
def test_it_does_not_wait_for_the_images_of_a_run_that_cannot_be(client, context, given, message):
    context["params"] = given
    with pytest.raises(AirflowFailException, match=message):
        sensor().execute(context)
