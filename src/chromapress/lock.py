"""One run at a time for each dataset and partition: a lock in HDFS with an owner and an expiry.

Airflow's own limit does not hold between a nightly run, a manual one and a backfill. The lock is a directory of
numbered files of which the highest counts; creating a file is atomic in HDFS, so that of two that take over an expired
lock exactly one gets the next number. What is left behind by a run that died expires.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from chromapress.storage import Hdfs


class LockedError(RuntimeError):
    """Another run holds the partition; the message says which, and until when at most."""


@dataclass(frozen=True)
class Holder:
    """Who holds a lock."""

    number: int
    owner: str
    expires: datetime


def holder(store: Hdfs, path: str) -> Holder | None:
    """Who holds the lock in this directory, expired or not."""
    number = max((int(name) for name in store.names(path) if name.isdigit()), default=0)
    if number == 0:
        return None
    try:
        data = json.loads(store.read(f"{path}/{number}") or b"null")
    except FileNotFoundError:
        return None  # released in this moment
    if data is None:
        # Created and not yet written: whoever is about to write it holds it.
        return Holder(number, "another run", datetime.now(UTC) + timedelta(minutes=1))
    return Holder(number, data["owner"], datetime.fromisoformat(data["expires"]))


def acquire(store: Hdfs, path: str, owner: str, duration: timedelta) -> None:
    """Take the lock, or hold it for longer; LockedError if another run has it."""
    now = datetime.now(UTC)
    content = json.dumps({"owner": owner, "expires": (now + duration).isoformat(timespec="seconds")}).encode()
    held = holder(store, path)
    if held and held.owner == owner:
        store.write(f"{path}/{held.number}.new", content)
        store.replace(f"{path}/{held.number}.new", f"{path}/{held.number}")
        return
    if held and held.expires > now:
        raise LockedError(_told(held))
    if not store.create(f"{path}/{held.number + 1 if held else 1}", content):
        raise LockedError("another run has taken the partition in this moment")


def release(store: Hdfs, path: str, owner: str) -> None:
    """Give the lock back, if it is still ours."""
    held = holder(store, path)
    if held and held.owner == owner:
        store.delete(path)


def _told(held: Holder) -> str:
    until = held.expires.strftime("%Y-%m-%d %H:%M:%S")
    return f"the partition is being processed by run {held.owner}, which has until {until} UTC"
