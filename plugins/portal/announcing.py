"""What somebody is about to upload, becoming rows: each file with a path of its own, within limits and quota."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from sqlalchemy import Connection, and_, insert, select, update

from chromapress.config import Limits
from portal import names
from portal.content import Refused, check_announced
from portal.inventory import lock_upload, portions, refuse_while_running
from portal.records import files, new_id, now, people, uploads


class OverQuota(Exception):  # noqa: N818  (an answer, not an error of the program)
    """More than a person may have."""


@dataclass(frozen=True)
class Asked:
    """A file that somebody wants to send."""

    path: str
    size_bytes: int


@dataclass(frozen=True)
class Quota:
    """What all uploads of a person may come to."""

    size_bytes: int
    files: int


def announce(
    connection: Connection, owner: str, upload_id: str, asked: Sequence[Asked], limits: Limits, quota: Quota
) -> list[str]:
    """The ids of files, in their order, one transaction: those that were announced before, and new rows for the others.

    Two files of the same path and size in one call are two. What is refused at once has its reason. NotFound, Busy,
    OverQuota.
    """
    last = lock_upload(connection, owner, upload_id)
    refuse_while_running(connection, upload_id)
    known = _known(connection, upload_id, [one.path for one in asked])
    ids: list[str] = []
    fresh: list[dict[str, Any]] = []
    for one in asked:
        if known[one]:
            ids.append(known[one].pop(0))
        else:
            fresh.append(_row(one, upload_id, last + len(fresh) + 1, limits))
            ids.append(fresh[-1]["id"])
    if fresh:
        accepted = [row for row in fresh if row["reason"] is None]
        naming = _Naming(connection, upload_id, [row["path"] for row in accepted])
        for row in accepted:
            row["path"] = naming.free(row["path"])
        size_bytes = sum(row["size_bytes"] for row in accepted)
        _reserve(connection, owner, len(fresh), size_bytes, quota)
        connection.execute(insert(files), fresh)
        more = {
            "last_number": last + len(fresh),
            "size_bytes": uploads.c.size_bytes + size_bytes,
            "file_count": uploads.c.file_count + len(accepted),
        }
        connection.execute(update(uploads).where(uploads.c.id == upload_id).values(more))
    return ids


def _known(connection: Connection, upload_id: str, paths: Sequence[str]) -> dict[Asked, list[str]]:
    """The files that there are of some asked paths, in the order of their announcement."""
    known: dict[Asked, list[str]] = defaultdict(list)
    for some in portions(paths):
        which = and_(files.c.upload_id == upload_id, files.c.asked_path.in_(some), files.c.state != "deleting")
        for row in connection.execute(select(files).where(which).order_by(files.c.number)):
            if row.id not in known[Asked(row.asked_path, row.size_bytes)]:
                known[Asked(row.asked_path, row.size_bytes)].append(row.id)
    return known


def _row(one: Asked, upload_id: str, number: int, limits: Limits) -> dict[str, Any]:
    row = {
        "id": new_id(),
        "upload_id": upload_id,
        "number": number,
        "path": one.path,
        "asked_path": one.path,
        "size_bytes": one.size_bytes,
        "state": "waiting",
        "reason": None,
        "changed_at": now(),
    }
    try:
        check_announced(one.size_bytes, limits)
        return row | {"path": names.safe_path(one.path)}
    except (Refused, ValueError) as refusal:
        return row | {"state": "refused", "reason": str(refusal)}


class _Naming:
    """Gives each new file of an upload a path that no other has."""

    def __init__(self, connection: Connection, upload_id: str, paths: Sequence[str]) -> None:
        self._connection = connection
        self._upload_id = upload_id
        self._taken = {path for some in portions(paths) for path in self._known(some)}
        self._last: dict[str, int] = {}

    def free(self, path: str) -> str:
        """The path itself, or its first alternative that is free; taken from now on."""
        number = 1
        found = path
        if path in self._taken:
            for number in count(self._last.get(path, 1) + 1):
                found = names.alternative(path, number)
                if found not in self._taken and not self._known([found]):
                    break
        self._last[path] = number
        self._taken.add(found)
        return found

    def _known(self, paths: Sequence[str]) -> Sequence[str]:
        which = and_(files.c.upload_id == self._upload_id, files.c.path.in_(paths), files.c.reason.is_(None))
        return self._connection.scalars(select(files.c.path).where(which)).all()


def _reserve(connection: Connection, owner: str, number: int, size_bytes: int, quota: Quota) -> None:
    fits = and_(people.c.size_bytes + size_bytes <= quota.size_bytes, people.c.file_count + number <= quota.files)
    spent = {"size_bytes": people.c.size_bytes + size_bytes, "file_count": people.c.file_count + number}
    if not connection.execute(update(people).where(people.c.name == owner, fits).values(spent)).rowcount:
        has = connection.execute(select(people).where(people.c.name == owner)).one()
        raise OverQuota(
            f"You have {has.file_count:,} files of {has.size_bytes:,} bytes; with these {number:,} of {size_bytes:,} "
            f"bytes they would be more than the {quota.files:,} files of {quota.size_bytes:,} bytes that you may have. "
            "Delete uploads that you no longer need."
        )
