"""The lock on a partition, seen through WebHDFS: who holds it, and giving it back for a run that has failed.

The jobs take it (chromapress.lock); a DAG only looks, so that the second of two runs waits before it starts Spark.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, Final

from dataset_run import DatasetRun, read_run
from namenode import names, read, webhdfs

# A file that is created but not yet written is held by whoever is about to write it.
_BEING_WRITTEN: Final = b'{"owner": "that is just starting", "expires": "9999-01-01T00:00:00+00:00"}'


def held_by_another(run: DatasetRun, client: Any) -> str | None:
    """Who holds the run's partition, in one sentence; None if nobody does, or the run itself, or one out of time."""
    lock = _read(run, client)
    if lock is None or lock["owner"] == run.run_id or datetime.fromisoformat(lock["expires"]) <= datetime.now(UTC):
        return None
    return f"{run.partition} of {run.paths.dataset} is held by run {lock['owner']} until {lock['expires']}"


def give_back(context: Any) -> None:
    """Free the partition of a stage that has failed for good or was stopped: else the next run waits for the expiry."""
    task = context["task"]
    run = read_run(task.dataset, context)
    with webhdfs(task.webhdfs_conn_id) as client:
        lock = _read(run, client)
        if lock is not None and lock["owner"] == run.run_id:
            client.delete(run.paths.lock, recursive=True)
            task.log.info("gave back the lock on %s", run.partition)


def _read(run: DatasetRun, client: Any) -> dict[str, str] | None:
    """The lock's file of the highest number; None where there is none, or it was given back in this moment."""
    try:
        number = max((int(name) for name in names(client, run.paths.lock) if name.isdigit()), default=0)
        lock: dict[str, str] = json.loads(read(client, f"{run.paths.lock}/{number}") or _BEING_WRITTEN)
    except FileNotFoundError:
        return None
    return lock
