"""Questions to the records about uploads and their files, which several modules ask."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, and_, case, select, update

from portal.records import ACTIVE, files, runs, uploads

# A file in one of these states is still to come.
OPEN: Final = ("waiting", "receiving")
# SQLite takes so many values in one statement, and more.
_VALUES: Final = 500


class NotFound(Exception):  # noqa: N818  (not errors of the program: answers)
    """There is no such upload or file, for the one who asks."""


class Busy(Exception):  # noqa: N818
    """A run works on the upload: it cannot be changed now."""

    def __init__(self) -> None:
        super().__init__("A run is working on this upload. Wait until it has ended.")


def lock_upload(connection: Connection, owner: str, upload_id: str) -> int:
    """Let nobody else change an upload, or start a run of it, until the transaction ends; the number of its last file.

    The first statement of a transaction. NotFound.
    """
    held = update(uploads).where(own(owner, upload_id)).values(last_number=uploads.c.last_number)
    if not connection.execute(held).rowcount:
        raise NotFound
    return int(connection.scalars(select(uploads.c.last_number).where(uploads.c.id == upload_id)).one())


def refuse_while_running(connection: Connection, upload_id: str) -> None:
    """Busy, if a run works on an upload, or is about to."""
    active = select(runs.c.run_id).where(runs.c.upload_id == upload_id, runs.c.state.in_(ACTIVE))
    if connection.execute(active.limit(1)).first() is not None:
        raise Busy


def own(owner: str, upload_id: str) -> ColumnElement[bool]:
    """That an upload is there, and is somebody's."""
    return and_(uploads.c.id == upload_id, uploads.c.owner == owner, uploads.c.deleting.is_(None))


def select_uploads() -> Select[Any]:
    """Uploads, with the state of their last run as `run_state`."""
    last = select(runs.c.state).where(runs.c.upload_id == uploads.c.id).order_by(runs.c.created_at.desc()).limit(1)
    return select(uploads, last.correlate(uploads).scalar_subquery().label("run_state"))


def select_files(*conditions: ColumnElement[bool]) -> Select[Any]:
    """Files, with the path of the first that is equal as `first_path`."""
    first = files.alias("first")
    query = select(files, first.c.path.label("first_path")).outerjoin(first, first.c.id == files.c.duplicate_of)
    return query.where(files.c.state != "deleting", *conditions)


def find_file(connection: Connection, owner: str, upload_id: str, file_id: str) -> dict[str, Any]:
    """One file; NotFound."""
    query = select_files(files.c.id == file_id, own(owner, upload_id))
    row = connection.execute(query.join(uploads, uploads.c.id == files.c.upload_id)).mappings().one_or_none()
    if row is None:
        raise NotFound
    return dict(row)


def held_bytes() -> ColumnElement[int]:
    """What a file counts in its owner's quota: what is refused is not kept."""
    return case((files.c.reason.is_(None), files.c.size_bytes), else_=0)


def portions(values: Sequence[str]) -> Iterator[Sequence[str]]:
    """The values in as many as one statement takes."""
    return (values[start : start + _VALUES] for start in range(0, len(values), _VALUES))
