"""One run of a dataset: which partition it processes and with which configuration, from what Airflow knows of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from airflow.sdk.exceptions import AirflowFailException

from chromapress.config import ConfigError, DatasetConfig, check_partition, partition_of_key, with_parameters
from chromapress.paths import DatasetPaths, PartitionPaths, RunPaths

PARTITION_PARAMETER: Final = "partition"


@dataclass(frozen=True)
class Dataset:
    """A dataset as its YAML file describes it."""

    name: str
    config: DatasetConfig
    root: str


@dataclass(frozen=True)
class DatasetRun:
    """A run of it, all that was given checked."""

    run_id: str
    config: DatasetConfig
    partition: str
    paths: PartitionPaths

    @property
    def run_paths(self) -> RunPaths:
        return self.paths.run(self.run_id)


def read_run(dataset: Dataset, context: Mapping[str, Any]) -> DatasetRun:
    """The run of a task's context; AirflowFailException, which no retry follows, for what the dataset refuses."""
    dag_run = context["dag_run"]
    parameters = dict(context["params"])
    given = parameters.pop(PARTITION_PARAMETER, None)
    where = f"{dataset.name}, run {dag_run.run_id}"
    try:
        partition = _partition(dag_run, given, dataset.config.timezone, where)
        config = with_parameters(dataset.config, parameters, where)
    except ConfigError as error:
        raise AirflowFailException(str(error)) from None
    paths = DatasetPaths(dataset.root, dataset.name).partition(partition)
    return DatasetRun(dag_run.run_id, config, partition, paths)


def _partition(dag_run: Any, given: str | None, timezone: str, where: str) -> str:
    """That of the run's key, which schedule, backfill and portal set; else the one given, else the day before."""
    if dag_run.partition_key is not None:
        scheduled = partition_of_key(dag_run.partition_key, where)
        if given not in (None, scheduled):
            raise ConfigError(f"{where}: partition: the run is for {scheduled}, but the parameter says {given}")
        return scheduled
    if given is not None:
        return check_partition(given, where)
    moment = dag_run.logical_date or dag_run.run_after
    return f"dt={moment.astimezone(ZoneInfo(timezone)).date() - timedelta(days=1)}"
