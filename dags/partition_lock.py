"""The lock on a partition, seen through WebHDFS: who holds it.

The jobs take it and give it back (chromapress.lock); a DAG only looks, so that the second of two runs waits before it
starts Spark. It knows more than they do: which runs have ended. What such a run has left behind is taken away.
"""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any, Final

from dataset_run import DatasetRun
from namenode import names, read

_log = logging.getLogger(__name__)

# A file that is created but not yet written is held by whoever is about to write it.
_BEING_WRITTEN: Final = b'{"owner": "that is just starting", "expires": "9999-01-01T00:00:00+00:00"}'


def held_by_another(run: DatasetRun, client: Any, context: Any) -> str | None:
    """Who holds the run's partition, in one sentence; None if nobody does, or the run itself, or one out of time."""
    number, lock = _read(run, client)
    if lock is None or lock["owner"] == run.run_id or datetime.fromisoformat(lock["expires"]) <= datetime.now(UTC):
        return None
    if _has_ended(lock["owner"], context):
        _log.info("taking the lock on %s from run %s, which has ended", run.partition, lock["owner"])
        client.delete(f"{run.paths.lock}/{number}")
        return None
    return f"{run.partition} of {run.paths.dataset} is held by run {lock['owner']} until {lock['expires']}"


def _has_ended(run_id: str, context: Any) -> bool:
    """Whether Airflow knows of the end of a run of this DAG: it was stopped by hand, or has failed for good."""
    ti = context["ti"]
    return bool(ti.get_dr_count(dag_id=ti.dag_id, run_ids=[run_id], states=["success", "failed"]))


def _read(run: DatasetRun, client: Any) -> tuple[int, dict[str, str] | None]:
    """The lock's file of the highest number; None where there is none, or it was given back in this moment."""
    try:
        number = max((int(name) for name in names(client, run.paths.lock) if name.isdigit()), default=0)
        return number, json.loads(read(client, f"{run.paths.lock}/{number}") or _BEING_WRITTEN)
    except FileNotFoundError:
        return 0, None
