"""Nightly, the images of one day are made into small files with few colours.

| Task | What it does |
|---|---|
| `wait_for_landing` | Waits, holding no slot, until the partition has landed and no other run holds it. |
| `ingest` | Decodes every image once; a bad one becomes a row with its reason, never a failure. |
| `select_k` | Chooses the number of colours of each image, or of the dataset. |
| `quantize` | Makes palettes and index maps, and measures their quality. |
| `compress` | Writes the files, and checks each with a second decoder. |
| `publish` | Checks the gates, writes images, manifest and report, and switches readers to the new version at once. |

### Running it

- **By schedule**: each run processes the partition of the day before it, in the dataset's time zone.
- **By hand**: *Trigger* shows every parameter of the dataset; what is left alone is as the YAML file says. `partition`
  is `dt=2026-11-23`, say, or `upload=<id>`; left empty, it is that of the partition key if there is one, else the day
  before.
- **For the past**: *Backfill* from the first day to the last, both included, with the same parameters.

Running a partition again is safe: the same images and parameters give the same version, and change nothing.

### When it fails

- What may heal (a lost process, HDFS away) is tried again after a pause that doubles; what will not heal (a wrong
  parameter, too many rejected images) fails at once. The task's log ends with the reason in one sentence.
- `wait_for_landing` says in its log what is missing, and fails when it has waited `source.wait_timeout_minutes`.
- Two runs of one partition: the second waits until the first is done.
- A mistake in the YAML file is shown among the UI's import errors; the dataset's DAG is away until it is corrected.

### What comes out

`published/<partition>/_CURRENT` names the version to read; beside it are `manifest.parquet` (a row for each image),
`report.html` and `run.json`. The event of the asset carries path, version and counts.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, Asset, Param, get_parsing_context
from airflow.sdk.bases.operator import chain
from chromapress_timetable import DayBeforeTimetable
from dataset_run import PARTITION_PARAMETER, Dataset
from estate import Estate, read_estate
from landing_sensor import LandingSensor
from stage_operator import IngestOperator, PublishOperator, StageOperator

from chromapress.config import PARTITION, ConfigError, load, run_parameters
from chromapress.paths import DatasetPaths

POOL = "spark"
# Without a schedule, runs are of partitions that people name: none has to wait for another's, but for Spark's slots.
RUNS_BY_HAND = 16
MAX_RETRY_DELAY = timedelta(minutes=30)
# A look at HDFS takes a second; a NameNode that accepts and never answers must not hold the task.
LOOK_TIMEOUT = timedelta(minutes=5)


def make_dag(dataset: Dataset, estate: Estate) -> DAG:
    """The DAG of one dataset."""
    config = dataset.config
    retry_delay = timedelta(seconds=estate.retry_delay_seconds)
    with DAG(
        dag_id=dag_id(dataset.name),
        description=config.description,
        doc_md=f"{config.description}\n\n{__doc__}",
        schedule=DayBeforeTimetable(config.schedule, timezone=config.timezone),
        catchup=False,
        max_active_runs=1 if config.schedule else RUNS_BY_HAND,
        is_paused_upon_creation=False,
        params=form(dataset),
        tags=["chromapress", f"rule {config.palette.rule}", f"palette per {config.palette.scope}"],
        default_args={
            "owner": config.owner,
            "retries": config.execution.retries,
            "retry_delay": retry_delay,
            "retry_exponential_backoff": 2,
            "max_retry_delay": MAX_RETRY_DELAY,
            "execution_timeout": timedelta(minutes=config.execution.timeout_minutes),
            # Of runs that wait for a slot of the pool, the one that is furthest goes on: all ends sooner.
            "weight_rule": "upstream",
        },
    ) as dag:
        job: dict[str, Any] = {"dataset": dataset, "jobs_folder": estate.jobs_folder, "pool": POOL}
        chain(
            LandingSensor(
                task_id="wait_for_landing",
                dataset=dataset,
                poke_interval=estate.retry_delay_seconds,
                execution_timeout=LOOK_TIMEOUT,
            ),
            IngestOperator(stage="ingest", **job),
            StageOperator(stage="select_k", **job),
            StageOperator(stage="quantize", **job),
            StageOperator(stage="compress", **job),
            PublishOperator(stage="publish", asset=published(dataset, estate), **job),
        )
    return dag


def dag_id(name: str) -> str:
    return f"quantize_{name}"


def published(dataset: Dataset, estate: Estate) -> Asset:
    """What the dataset publishes, for other DAGs to be scheduled by."""
    uri = f"{estate.filesystem}{DatasetPaths(dataset.root, dataset.name).published}"
    return Asset(name=f"{dataset.name}.published", uri=uri, group="chromapress")


def form(dataset: Dataset) -> dict[str, Param]:
    """The trigger form: the partition, and all that a run of the dataset can be given, section by section."""
    partition = Param(
        None,
        "The partition to process, such as dt=2026-11-23; empty: the day before.",
        type=["string", "null"],
        pattern=f"^{PARTITION}$",
        title=PARTITION_PARAMETER,
    )
    return {PARTITION_PARAMETER: partition} | {
        name: field(name, schema) for name, schema in run_parameters(dataset.config).items()
    }


def field(name: str, schema: dict[str, Any]) -> Param:
    """One field of the form, of a JSON schema."""
    rest = {key: value for key, value in schema.items() if key not in ("default", "description")}
    return Param(schema["default"], schema["description"], section=name.split(".", maxsplit=1)[0], **rest)


def make_dags() -> dict[str, DAG]:
    """The DAG of every good YAML file; dags/datasets_check.py tells of the bad. A task's process makes only its own."""
    estate = read_estate()
    wanted = get_parsing_context().dag_id
    dags = {}
    for path in sorted(estate.datasets_folder.glob("*.yaml")):
        if wanted not in (None, dag_id(path.stem)):
            continue
        try:
            config = load(path)
        except ConfigError as error:
            logging.getLogger(__name__).warning("left out: %s", error)
            continue
        dags[dag_id(path.stem)] = make_dag(Dataset(path.stem, config, estate.root), estate)
    return dags


globals().update(make_dags())
