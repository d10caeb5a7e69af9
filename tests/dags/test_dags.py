"""What every dataset's DAG has, and what becomes of a YAML file with a mistake."""

import shutil
from copy import deepcopy
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk.exceptions import ParamValidationError
from airflow.serialization.serialized_objects import DagSerialization
from airflow.utils.file import list_py_file_paths

from chromapress.config import load, run_parameters, with_parameters
from chromapress.paths import STAGES, UPLOADS

PROJECT = Path(__file__).resolve().parents[2]
DAGS = PROJECT / "dags"
SHIPPED = sorted((DAGS / "datasets").glob("*.yaml"))
TASKS = ["wait_for_landing", *STAGES]


def parse() -> DagBag:
    return DagBag(DAGS, bundle_path=DAGS)


@pytest.fixture(scope="module")
def shipped():
    bag = parse()
    assert bag.import_errors == {}
    return bag.dags


@pytest.fixture
def datasets(tmp_path, monkeypatch):
    """A folder of datasets that a test can write into, in the place of the shipped one."""
    monkeypatch.setenv("AIRFLOW__CHROMAPRESS__DATASETS_FOLDER", str(tmp_path))
    return tmp_path


def test_only_the_dag_files_are_parsed_as_such():
    assert {Path(path).name for path in list_py_file_paths(DAGS)} == {"quantize.py", "datasets_check.py"}


def test_each_yaml_file_is_a_dag(shipped):
    assert set(shipped) == {f"quantize_{path.stem}" for path in SHIPPED}


@pytest.mark.parametrize("name", [path.stem for path in SHIPPED])
def test_a_dag_keeps_the_house_rules(shipped, name):
    dag, config = shipped[f"quantize_{name}"], load(DAGS / "datasets" / f"{name}.yaml")
    assert dag.description == config.description != ""
    assert "wait_for_landing" in dag.doc_md
    assert "chromapress" in dag.tags
    assert (dag.max_active_runs, dag.catchup) == (1 if config.schedule else 16, False)
    assert [task.task_id for task in dag.topological_sort()] == TASKS
    for task in dag.tasks:
        assert task.owner == config.owner
        assert (task.retries, task.retry_exponential_backoff) == (config.execution.retries, 2)
        assert timedelta() < task.retry_delay <= task.max_retry_delay
    for stage in STAGES:
        task = dag.get_task(stage)
        assert (task.pool, task.weight_rule) == ("spark", "upstream")
        assert task.execution_timeout == timedelta(minutes=config.execution.timeout_minutes)
        assert task.application == str(PROJECT / "jobs" / f"{stage}.py")
        assert task.template_fields == ()
    wait = dag.get_task("wait_for_landing")
    assert (wait.mode, wait.timeout) == ("reschedule", 60 * config.source.wait_timeout_minutes)
    assert wait.execution_timeout is not None
    (asset,) = dag.get_task("publish").outlets
    assert asset.uri == f"hdfs://localhost:8020/chromapress/{name}/published"
    (link,) = dag.get_task("publish").operator_extra_links
    run = SimpleNamespace(dag_id=dag.dag_id, run_id="manual__2026-11-23T00:00:00+00:00")
    shown = link.get_link(dag.get_task("publish"), ti_key=run)
    assert shown.endswith(f"/chromapress/operator/runs/{dag.dag_id}/manual__2026-11-23T00%3A00%3A00%2B00%3A00")


def test_the_two_samples_show_both_palette_scopes(shipped):
    photos, sprites = (load(DAGS / "datasets" / f"sample-{name}.yaml") for name in ("photos", "sprites"))
    assert (photos.palette.scope, sprites.palette.scope) == ("image", "dataset")
    assert photos.palette.rule != sprites.palette.rule
    assert photos.schedule is sprites.schedule is None


def test_only_a_nightly_run_waits_for_the_one_before(datasets):
    (datasets / "nightly.yaml").write_text("schedule: 0 2 * * *\n")
    (datasets / "by-hand.yaml").write_text("")
    bag = parse()
    assert (bag.dags["quantize_nightly"].max_active_runs, bag.dags["quantize_by-hand"].max_active_runs) == (1, 16)


def test_an_upload_is_a_partition_that_can_be_triggered_by_key(shipped):
    dag = DagSerialization.from_dict(DagSerialization.to_dict(shipped[f"quantize_{UPLOADS}"]))
    dag.validate_partition_key("upload=0f3a")
    assert dag.timetable.resolve_partition_date("upload=0f3a") is None


def test_a_dag_survives_its_way_to_the_scheduler(shipped):
    for dag in shipped.values():
        again = DagSerialization.from_dict(DagSerialization.to_dict(dag))
        assert again.timetable.serialize() == dag.timetable.serialize()
        assert again.params.dump() == dag.params.dump()


def test_a_yaml_file_with_mistakes_is_named_in_the_ui_and_takes_no_other_dataset_along(datasets):
    shutil.copy(SHIPPED[0], datasets)
    (datasets / "scans.yaml").write_text("palette: {k: 300, kk: 3}\nschedule: at night\n")
    (datasets / "maps.yaml").write_text("palette: {k: 3")
    bag = parse()
    assert set(bag.dags) == {f"quantize_{SHIPPED[0].stem}"}
    assert set(bag.import_errors) == {"datasets_check.py"}
    error = bag.import_errors["datasets_check.py"]
    scans = datasets / "scans.yaml"
    for line in (
        f"{datasets / 'maps.yaml'}: not YAML: ",
        f"{scans}: schedule: must be a cron expression of five fields, such as 0 2 * * *, got 'at night'\n",
        f"{scans}: palette.k: input should be less than or equal to 256, got 300\n",
        f"{scans}: palette.kk: unknown key (got 3)\n",
    ):
        assert line in error


def test_braces_in_a_yaml_file_are_text(datasets):
    (datasets / "scans.yaml").write_text('description: "{{ 7 * 7 }}"\nsource: {ready_marker: "{{ ds }}"}\n')
    dag = parse().dags["quantize_scans"]
    assert dag.description == "{{ 7 * 7 }}"
    assert dag.params["source.ready_marker"] == "{{ ds }}"


def test_a_task_reads_no_other_dataset_than_its_own(datasets, monkeypatch):
    for name in ("scans", "maps"):
        (datasets / f"{name}.yaml").write_text("")
    assert set(parse().dags) == {"quantize_scans", "quantize_maps"}
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", "quantize_scans")
    assert set(parse().dags) == {"quantize_scans"}


def test_the_form_holds_every_parameter_of_a_run_and_changes_nothing_when_left_alone(shipped):
    for path in SHIPPED:
        config = load(path)
        params = shipped[f"quantize_{path.stem}"].params
        values = params.dump()
        assert values.pop("partition") is None
        assert set(values) == set(run_parameters(config))
        assert with_parameters(config, values, "form") == config
        assert all(params.get_param(name).schema["section"] == name.split(".")[0] for name in values)
        assert all(params.get_param(name).description for name in params)


@pytest.mark.parametrize(
    ("name", "refused"),
    [
        ("partition", "2026-11-23"),
        ("partition", "dt=2026-11-23/.."),
        ("palette.k", 1),
        ("palette.k", "16"),
        ("palette.rule", "best"),
        ("palette.candidates", [1000]),
        ("palette.protected", ["red"]),
        ("quality.min_psnr_db", -3),
        ("compression.on_larger", "drop"),
        ("execution.executor_memory", "3g --conf x=y"),
        ("source.ready_marker", "a/b"),
    ],
)
def test_what_the_schema_refuses_the_form_refuses(shipped, name, refused):
    params = shipped["quantize_sample-photos"].params
    with pytest.raises(ParamValidationError, match=name):
        _validate(params, name, refused)


@pytest.mark.parametrize(
    ("name", "accepted"),
    [
        ("partition", "dt=2026-11-23"),
        ("partition", "upload=0f3a"),
        ("partition", None),
        ("palette.candidates", [4, 16]),
        ("quality.min_psnr_db", None),
        ("quality.min_psnr_db", 35.5),
        ("palette.protected", ["#cc0000"]),
    ],
)
def test_what_the_schema_accepts_the_form_accepts(shipped, name, accepted):
    assert _validate(shipped["quantize_sample-photos"].params, name, accepted)[name] == accepted


def _validate(params, name, value):
    """As the API does with what the form sends."""
    given = deepcopy(params)
    given[name] = value
    return given.validate()
