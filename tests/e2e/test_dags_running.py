"""The DAGs on a running Airflow, with real Spark and real HDFS: schedule, form, backfill, faults, and what is said.

All runs are started before the first test looks at any of them: they take turns on the slots of the Spark pool, and
each test waits for its own.
"""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import quote, unquote

import pytest
from playwright.sync_api import Page, sync_playwright

pytestmark = pytest.mark.timeout(1800)

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]

SMALL = {"retries": 2, "executor_memory": "512m", "timeout_minutes": 10}
DAYS = ["2026-11-01", "2026-11-02", "2026-11-03"]
PARTITIONS = [f"dt={day}" for day in DAYS]
BESIDE = ["dt=2026-10-31", "dt=2026-11-04"]


@pytest.fixture(scope="module")
def page(pipeline) -> Iterator[Page]:
    """A browser that has logged in."""
    with sync_playwright() as playwright, playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS) as browser:
        page = browser.new_page(viewport={"width": 1400, "height": 1400})
        page.set_default_timeout(60_000)
        page.goto(pipeline.address.url)
        page.fill("input[name=username]", pipeline.address.user)
        page.fill("input[name=password]", pipeline.address.password)
        page.click("button[type=submit]")
        page.get_by_role("link", name="Dags").first.wait_for()
        yield page


@pytest.fixture(scope="module", autouse=True)
def started(pipeline, page):
    """Everything that the tests below wait for."""
    missing = pipeline.describe("missing", source={"wait_timeout_minutes": 1}, execution=SMALL)
    run_missing = pipeline.trigger(missing)
    nightly = pipeline.describe("nightly", schedule="* * * * *", execution=SMALL)
    pipeline.land("nightly", pipeline.yesterday)
    empty = pipeline.describe("empty", execution=SMALL)
    pipeline.hdfs.makedirs(f"/chromapress/empty/landing/{pipeline.yesterday}")
    run_empty = pipeline.trigger(empty)

    scans = pipeline.describe("scans", execution=SMALL)
    pipeline.land("scans", *BESIDE, *PARTITIONS)
    backfill = {"from_date": f"{DAYS[0]}T00:00:00Z", "to_date": f"{DAYS[-1]}T00:00:00Z"}
    parameters = {"palette.rule": "fixed", "palette.k": 8}
    answer = pipeline.post("backfills", {"dag_id": scans, **backfill, "dag_run_conf": parameters})
    assert answer.ok, answer.text
    pipeline.wait_for("lock", lambda: pipeline.ls(f"scans/work/{PARTITIONS[0]}/_lock"))
    refusal, run_form = fill_in_the_form(page, pipeline, scans, PARTITIONS[0])

    (ticked,) = pipeline.wait_for("tick", lambda: pipeline.runs(nightly, run_type="scheduled", limit=1))
    pipeline.describe("nightly", execution=SMALL)  # one tick is enough; the run is not to mind the edit
    return SimpleNamespace(
        nightly=ticked,
        missing=(missing, run_missing),
        empty=(empty, run_empty),
        scans=scans,
        refusal=refusal,
        form=run_form,
        killed=kill_a_spark(pipeline, scans),
    )


def fill_in_the_form(page, pipeline, dag_id, partition) -> tuple[str, str]:
    """Trigger a run by hand in the UI; what is said of a partition that is none, and the run with one that is."""
    page.goto(f"{pipeline.address.url}/dags/{dag_id}")
    page.get_by_role("button", name="Trigger").first.click()
    form = page.get_by_role("dialog")
    send = form.get_by_test_id("trigger-dag-submit")
    form.locator("[name='element_partition']").fill("yesterday")
    send.click()
    form.get_by_text("400 Bad Request").wait_for()
    refusal = form.inner_text()
    form.locator("[name='element_partition']").fill(partition)
    form.get_by_role("button", name="palette", exact=True).click()
    rule = form.locator("div:has(> [name='element_palette.rule'])").get_by_role("combobox")
    rule.fill("fixed")
    rule.press("Enter")
    form.locator("input[name='element_palette.k']").fill("6")
    send.click()
    page.wait_for_url("**/runs/**")
    run_id = unquote(page.url.rpartition("/")[2])
    page.goto("about:blank")  # a page of a running DAG keeps a core busy
    return refusal, run_id


def kill_a_spark(pipeline, dag_id) -> tuple[str, str]:
    """Kill a Spark process of a DAG as the kernel does when memory ends; the run and the stage that lost it."""
    runs = {run["dag_run_id"] for run in pipeline.runs(dag_id)}

    def find() -> tuple[int, str, str] | None:
        for entry in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                argv = entry.read_bytes().decode().split("\0")
            except OSError:
                continue  # it has ended in this moment
            if "org.apache.spark.deploy.SparkSubmit" in argv and (ours := runs.intersection(argv)):
                (job,) = (Path(argument) for argument in argv if "/jobs/" in argument and "," not in argument)
                return int(entry.parent.name), ours.pop(), job.stem
        return None

    pid, run_id, stage = pipeline.wait_for("Spark process", find)
    os.kill(pid, signal.SIGKILL)
    return run_id, stage


def test_a_missing_partition_is_named_when_it_was_waited_for_long_enough(pipeline, started):
    assert pipeline.end(*started.missing) == "failed"
    path = f"/chromapress/missing/landing/{pipeline.yesterday}"
    log = pipeline.log(*started.missing, "wait_for_landing")
    assert f"AirflowSensorTimeout: waited 1 minutes in vain: there is no directory {path}" in log
    assert pipeline.task(*started.missing, "ingest")["state"] == "upstream_failed"


def test_an_empty_partition_fails_at_once_and_is_named(pipeline, started):
    assert pipeline.end(*started.empty) == "failed"
    log = pipeline.log(*started.empty, "ingest")
    assert "AirflowFailException: nothing has landed: the directory" in log
    assert f"/chromapress/empty/landing/{pipeline.yesterday} is empty" in log
    assert pipeline.task(*started.empty, "ingest")["try_number"] == 1


def test_a_schedule_ticks_and_publishes_the_day_before(pipeline, started):
    run = started.nightly
    assert f"dt={run['partition_key']}" == pipeline.yesterday
    pipeline.succeed(run["dag_id"], run["dag_run_id"])
    assert pipeline.published("nightly") == [pipeline.yesterday]
    assert pipeline.run_json("nightly", pipeline.yesterday)["run_id"] == run["dag_run_id"]


def test_the_event_of_the_asset_says_what_was_published_and_where(pipeline, started):
    run = started.nightly
    pipeline.succeed(run["dag_id"], run["dag_run_id"])
    events = pipeline.get("assets/events", source_dag_id=run["dag_id"], source_run_id=run["dag_run_id"])
    (event,) = events["asset_events"]
    facts = pipeline.run_json("nightly", pipeline.yesterday)
    assert event["name"] == "nightly.published"
    assert event["partition_key"] == run["partition_key"]
    assert event["extra"] == {
        "partition": pipeline.yesterday,
        "version": facts["version"],
        "path": f"/chromapress/nightly/published/{pipeline.yesterday}/{facts['version']}",
        **{key: facts[key] for key in ("images", "outcomes", "bytes_in", "bytes_out")},
    }
    assert event["extra"]["images"] == 2


def test_a_run_shows_its_images_within_airflow(pipeline, started, page):
    run = started.nightly
    pipeline.succeed(run["dag_id"], run["dag_run_id"])
    url, run_id = pipeline.address.url, quote(run["dag_run_id"], safe="")
    links = pipeline.get(f"dags/{run['dag_id']}/dagRuns/{run_id}/taskInstances/publish/links")["extra_links"]
    assert links == {"Published images": f"{url}/chromapress/operator/runs/{run['dag_id']}/{run_id}"}
    page.goto(f"{url}/dags/{run['dag_id']}/runs/{run_id}/plugin/images")
    gallery = page.frame_locator("iframe[title=Images]")
    gallery.get_by_role("button", name="Compare pictures/1.png").wait_for(timeout=300_000)
    page.goto(f"{url}/dags/{run['dag_id']}/plugin/trends")
    page.frame_locator("iframe[title=Trends]").locator("main").wait_for(timeout=300_000)


def test_a_backfill_publishes_exactly_its_days_with_the_parameters_given(pipeline, started):
    runs = pipeline.runs(started.scans, run_type="backfill")
    assert sorted(run["partition_key"] for run in runs) == DAYS
    for run in runs:
        pipeline.succeed(started.scans, run["dag_run_id"])
    assert pipeline.published("scans") == PARTITIONS
    for run in runs:
        config = pipeline.config("scans", f"dt={run['partition_key']}", run["dag_run_id"])
        assert (config.palette.rule, config.palette.k) == ("fixed", 8)


def test_the_form_refuses_a_partition_that_is_none(started):
    assert "Invalid input for param partition: 'yesterday' does not match" in started.refusal


def test_a_run_has_the_parameters_that_were_typed_into_the_form_and_no_other_changed(pipeline, started):
    pipeline.reach(started.scans, started.form, "ingest")
    config = pipeline.config("scans", PARTITIONS[0], started.form)
    of_the_file = pipeline.config("nightly", pipeline.yesterday, started.nightly["dag_run_id"])
    assert config.palette == of_the_file.palette.model_copy(update={"rule": "fixed", "k": 6})
    assert config.model_copy(update={"palette": of_the_file.palette}) == of_the_file.model_copy(
        update={"schedule": None}
    )


def test_of_two_runs_of_one_partition_the_second_waits_and_says_for_whom(pipeline, started):
    first = next(run for run in pipeline.runs(started.scans, run_type="backfill") if run["partition_key"] == DAYS[0])
    pipeline.reach(started.scans, started.form, "ingest")
    log = pipeline.log(started.scans, started.form, "wait_for_landing")
    assert f"{PARTITIONS[0]} of scans is held by run {first['dag_run_id']} until" in log
    assert pipeline.task(started.scans, first["dag_run_id"], "publish")["state"] == "success"


def test_a_run_stopped_by_hand_leaves_the_partition_free(pipeline, started):
    pipeline.reach(started.scans, started.form, "ingest")
    pipeline.stop(started.scans, started.form)
    next_run = pipeline.trigger(started.scans, partition=PARTITIONS[0])
    pipeline.reach(started.scans, next_run, "wait_for_landing")
    pipeline.stop(started.scans, next_run)
    said = f"taking the lock on {PARTITIONS[0]} from run {started.form}, which has ended"
    assert said in pipeline.log(started.scans, next_run, "wait_for_landing")


def test_a_run_whose_spark_was_killed_is_tried_again_and_succeeds(pipeline, started):
    run_id, stage = started.killed
    pipeline.succeed(started.scans, run_id)
    assert f"AirflowException: {stage}: spark-submit ended with signal 9" in pipeline.log(started.scans, run_id, stage)
    assert pipeline.task(started.scans, run_id, stage)["try_number"] == 2


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"palette.k": 1}, "Invalid input for param palette.k: 1 is less than the minimum of 2"),
        ({"palette.rule": "best"}, "Invalid input for param palette.rule: 'best' is not one of"),
        ({"partition": "dt=2026-1-5"}, "Invalid input for param partition: 'dt=2026-1-5' does not match"),
    ],
)
def test_what_the_schema_refuses_the_api_refuses(pipeline, started, parameters, message):
    answer = pipeline.post(f"dags/{started.scans}/dagRuns", {"logical_date": None, "conf": parameters})
    assert answer.status_code == 400
    assert message in answer.json()["detail"]


def test_a_partition_key_that_is_no_day_is_refused_by_the_api(pipeline, started):
    answer = pipeline.post(f"dags/{started.scans}/dagRuns", {"logical_date": None, "partition_key": "2026-11-31"})
    assert answer.status_code == 400
    assert "The partition key must be a day such as 2026-11-23" in answer.json()["detail"]


def test_what_only_the_configuration_can_refuse_fails_the_run_at_once_as_it_was_typed(pipeline):
    strict = pipeline.describe("strict", execution=SMALL)
    run = pipeline.trigger(strict, **{"palette.candidates": [4, 2], "palette.kk": "{{ 7 * 7 }}"})
    assert pipeline.end(strict, run) == "failed"
    log = pipeline.log(strict, run, "wait_for_landing")
    assert f"AirflowFailException: strict, run {run}: palette.kk: unknown parameter (got '{{{{ 7 * 7 }}}}')" in log
    assert pipeline.task(strict, run, "wait_for_landing")["try_number"] == 1


def test_a_mistake_in_a_yaml_file_is_told_among_the_import_errors_and_stops_no_other_dataset(pipeline, page):
    file = pipeline.datasets / "typo.yaml"
    file.write_text("palette: {kk: 3}\n")
    told = f"{file}: palette.kk: unknown key (got 3)"

    def errors() -> list[str]:
        return [error["stack_trace"] for error in pipeline.get("importErrors")["import_errors"]]

    assert any(told in error for error in pipeline.wait_for("import error", errors))
    page.goto(pipeline.address.url)
    page.get_by_role("button", name="Dag Import Error").click()
    page.get_by_text("datasets_check.py").first.click()
    page.get_by_text(told).first.wait_for()
    page.goto("about:blank")
    assert pipeline.describe("fine", execution=SMALL) == "quantize_fine"
    file.unlink()
    pipeline.wait_for("end of the import errors", lambda: not errors())
