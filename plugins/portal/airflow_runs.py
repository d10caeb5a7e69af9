"""Airflow's runs as the portal needs them: start one for somebody who sees nothing of Airflow, and look at it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from airflow.api.common.trigger_dag import trigger_dag
from airflow.exceptions import DagNotFound
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from airflow.utils.session import create_session
from airflow.utils.types import DagRunTriggeredByType
from sqlalchemy import select

# The name under which a task that fails for good leaves its reason (dags/stage_operator.py).
_REASON: Final = "reason"


class NoDagError(LookupError):
    """Airflow does not know the DAG: its YAML file is wrong, or Airflow has only just started."""


@dataclass(frozen=True)
class Task:
    """How far a run's task is; `state` in Airflow's words, None if it has not come to it."""

    name: str
    state: str | None
    started_at: datetime | None
    ended_at: datetime | None
    tries: int


@dataclass(frozen=True)
class Seen:
    """How far a run is."""

    state: str  # queued, running, success, failed
    started_at: datetime | None
    ended_at: datetime | None
    tasks: dict[str, Task] = field(default_factory=dict)
    reason: str | None = None  # why it has failed, in the words of the task that knew


def trigger(dag_id: str, run_id: str, partition: str, parameters: dict[str, Any], person: str) -> None:
    """Start a run of a partition; NoDagError."""
    try:
        trigger_dag(
            dag_id,
            run_id=run_id,
            conf=parameters,
            partition_key=partition,
            triggered_by=DagRunTriggeredByType.UI,
            triggering_user_name=person,
        )
    except DagNotFound:
        raise NoDagError(dag_id) from None


def states(dag_id: str, run_ids: Sequence[str]) -> dict[str, Seen]:
    """How far runs are, without their tasks; those that Airflow does not know (any more) are left out."""
    columns = (DagRun.run_id, DagRun.state, DagRun.start_date, DagRun.end_date)
    query = select(*columns).where(DagRun.dag_id == dag_id, DagRun.run_id.in_(run_ids))
    with create_session() as session:
        return {run_id: Seen(str(state), start, end) for run_id, state, start, end in session.execute(query)}


def look(dag_id: str, run_id: str) -> Seen | None:
    """How far a run and its tasks are; None if Airflow does not know it."""
    seen = states(dag_id, [run_id]).get(run_id)
    if seen is None:
        return None
    columns = (
        TaskInstance.task_id,
        TaskInstance.state,
        TaskInstance.start_date,
        TaskInstance.end_date,
        TaskInstance.try_number,
    )
    tasks = select(*columns).where(TaskInstance.dag_id == dag_id, TaskInstance.run_id == run_id)
    reasons = XComModel.get_many(run_id=run_id, dag_ids=dag_id, key=_REASON).with_only_columns(XComModel.value)
    with create_session() as session:
        found = {row[0]: Task(row[0], row[1] and str(row[1]), *row[2:]) for row in session.execute(tasks)}
        told = session.execute(reasons).first()
        reason = None if told is None else str(XComModel.deserialize_value(told))
    return Seen(seen.state, seen.started_at, seen.ended_at, found, reason)
