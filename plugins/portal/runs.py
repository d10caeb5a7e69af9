"""Runs of uploads: start one, see how far it is, and what became of it.

A run is Airflow's; what is recorded here is whose it is and how it was last seen, so that one's uploads can be listed
without asking Airflow for each.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from types import ModuleType
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, and_, delete, exists, insert, select, update

from chromapress.config import ConfigError, DatasetConfig, run_parameters, with_parameters
from chromapress.paths import STAGES, UPLOADS, DatasetPaths
from chromapress.storage import Hdfs
from portal import airflow_runs
from portal.airflow_runs import Seen, Task
from portal.inventory import NotFound, lock_upload, own, refuse_while_running
from portal.records import ACTIVE, Records, files, new_id, now, runs, uploads
from portal.settings import Settings, read_dataset

DAG_ID: Final = f"quantize_{UPLOADS}"
# What belongs to whoever runs the pipeline: where images come from, and what a run may cost.
_OPERATORS_OWN: Final = ("source.", "limits.", "execution.")
# A run that was recorded and is not to be found in Airflow after so long was never started.
_NEVER_STARTED: Final = timedelta(minutes=2)

WAITING: Final = "wait_for_landing"
_FAILED: Final = "The run has failed, and not because of your images. Try again; if it fails again, tell an operator."
_LOST: Final = "The run could not be started. Try again."


class NothingToRunError(ValueError):
    """No file of the upload has arrived."""

    def __init__(self) -> None:
        super().__init__("There is nothing to run yet: no image has been received.")


def parameters(config: DatasetConfig) -> dict[str, dict[str, Any]]:
    """What people may set of a run: {name: JSON schema}."""
    return {name: schema for name, schema in run_parameters(config).items() if not name.startswith(_OPERATORS_OWN)}


def check_parameters(config: DatasetConfig, given: Mapping[str, Any]) -> None:
    """ConfigError, with one sentence for each parameter that will not do."""
    allowed = parameters(config)
    unknown = [name for name in given if name not in allowed]
    if unknown:
        raise ConfigError("; ".join(f"{name}: unknown parameter" for name in unknown))
    try:
        with_parameters(config, dict(given), "")
    except ConfigError as error:
        raise ConfigError("; ".join(line.removeprefix(": ") for line in str(error).splitlines())) from None


class Runs:
    """What can be done with the runs of uploads. `airflow` is where they run (portal.airflow_runs)."""

    def __init__(
        self, settings: Settings, storage: Hdfs, records: Records, airflow: ModuleType | Any = airflow_runs
    ) -> None:
        self._settings = settings
        self._storage = storage
        self._records = records
        self._airflow = airflow

    def start(self, owner: str, upload_id: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """Start a run of one's upload. ConfigError, NotFound, Busy, NothingToRunError, NoDagError."""
        check_parameters(read_dataset(self._settings), given)
        self.settle(owner, upload_id)
        row = {
            "run_id": f"portal__{new_id()}",
            "dag_id": DAG_ID,
            "upload_id": upload_id,
            "started_by": owner,
            "parameters": dict(given),
            "state": "queued",
            "created_at": now(),
        }
        received = exists().where(files.c.upload_id == upload_id, files.c.state == "received")

        def reserve(connection: Connection) -> None:
            lock_upload(connection, owner, upload_id)
            refuse_while_running(connection, upload_id)
            if not connection.scalar(select(received)):
                raise NothingToRunError
            connection.execute(insert(runs).values(row))

        self._records.write(reserve)
        try:
            self._airflow.trigger(DAG_ID, row["run_id"], f"upload={upload_id}", dict(given), owner)
        except Exception:
            gone = delete(runs).where(runs.c.run_id == row["run_id"])
            self._records.write(lambda connection: connection.execute(gone))
            raise
        return self.find(owner, upload_id, str(row["run_id"]))

    def page(self, owner: str | None, upload_id: str) -> list[dict[str, Any]]:
        """All runs of an upload, the newest first; `owner` None: of anybody's. NotFound."""
        self.settle(owner, upload_id)
        with self._records.reading() as connection:
            self._check(connection, owner, upload_id)
            query = select(runs).where(runs.c.upload_id == upload_id).order_by(runs.c.created_at.desc())
            return [dict(row) for row in connection.execute(query).mappings()]

    def find(self, owner: str | None, upload_id: str, run_id: str) -> dict[str, Any]:
        """One run, with its tasks; NotFound."""
        with self._records.reading() as connection:
            self._check(connection, owner, upload_id)
            query = select(runs).where(runs.c.upload_id == upload_id, runs.c.run_id == run_id)
            found = connection.execute(query).mappings().one_or_none()
        if found is None:
            raise NotFound
        seen = self._airflow.look(found["dag_id"], run_id)
        row = self._note(dict(found), seen)
        tasks = seen.tasks if seen else {}
        return {**row, "stages": self._stages(row, tasks)}

    def settle(self, owner: str | None, upload_id: str | None = None) -> None:
        """Note what became of runs that were not over when they were last seen."""
        which: list[ColumnElement[bool]] = [runs.c.state.in_(ACTIVE)]
        if owner is not None:
            which.append(uploads.c.owner == owner)
        if upload_id is not None:
            which.append(uploads.c.id == upload_id)
        with self._records.reading() as connection:
            query = select(runs).join(uploads).where(and_(*which))
            active = [dict(row) for row in connection.execute(query).mappings()]
        if not active:
            return
        seen = self._airflow.states(DAG_ID, [row["run_id"] for row in active])
        for row in active:
            one = seen.get(row["run_id"])
            if one is not None and one.state == "failed":
                one = self._airflow.look(DAG_ID, row["run_id"])  # for its reason
            self._note(row, one)

    def _check(self, connection: Connection, owner: str | None, upload_id: str) -> None:
        which = uploads.c.id == upload_id if owner is None else own(owner, upload_id)
        if connection.execute(select(uploads.c.id).where(which)).first() is None:
            raise NotFound

    def _note(self, row: dict[str, Any], seen: Seen | None) -> dict[str, Any]:
        """A run's record as it is after having been seen so."""
        if seen is None:
            if row["state"] not in ACTIVE or now() - row["created_at"] < _NEVER_STARTED:
                return row
            seen = Seen("failed", None, now(), reason=_LOST)
        news = {
            "state": seen.state,
            "started_at": seen.started_at,
            "ended_at": seen.ended_at,
            "error": (seen.reason or _FAILED) if seen.state == "failed" else None,
        }
        if any(row[key] != value for key, value in news.items()):
            which = and_(runs.c.run_id == row["run_id"], runs.c.dag_id == row["dag_id"])
            self._records.write(lambda connection: connection.execute(update(runs).where(which).values(news)))
        return {**row, **news}

    def _stages(self, row: Mapping[str, Any], tasks: Mapping[str, Task]) -> list[Task]:
        """The run's tasks in their order; what the session of a small run has done ahead as it was done."""
        found = {name: tasks.get(name) or Task(name, None, None, None, 0) for name in (WAITING, *STAGES)}
        first = found["ingest"]
        if first.state == "running" and first.tries <= 1:
            found |= self._ahead(row, first)
        return list(found.values())

    def _ahead(self, row: Mapping[str, Any], first: Task) -> dict[str, Task]:
        """How far the session of a small run is while its first task runs: each stage leaves its facts when it ends."""
        partition = DatasetPaths(self._settings.root, UPLOADS).partition(f"upload={row['upload_id']}")
        run = partition.run(row["run_id"])
        found: dict[str, Task] = {}
        began = first.started_at
        for stage in STAGES:
            try:
                facts = json.loads(self._storage.read(run.facts(stage)))
            except (FileNotFoundError, ValueError):  # not there, or there and not yet written
                if found:
                    found[stage] = Task(stage, "running", began, None, 1)
                break
            ended = datetime.fromisoformat(facts["started"]) + timedelta(seconds=facts["seconds"])
            found[stage] = Task(stage, "success", began, ended, 1)
            began = ended
        return found
