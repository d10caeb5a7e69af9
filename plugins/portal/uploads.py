"""Uploads: what people announce and send, see and delete.

An upload is the partition upload=<id> of the dataset `uploads`. A file that is announced is a row; what is sent of it
is staged (portal.staging) and renamed into the landing partition when it is whole and accepted (portal.reception).
Everything here blocks: the routes (portal.uploads_api) call it from threads.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, and_, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from chromapress.paths import UPLOADS, DatasetPaths, PartitionPaths
from chromapress.storage import Hdfs
from portal.announcing import Asked, Quota, announce
from portal.inventory import (
    OPEN,
    Busy,
    NotFound,
    find_file,
    held_bytes,
    lock_upload,
    own,
    portions,
    refuse_while_running,
    select_files,
    select_uploads,
)
from portal.reception import Reception
from portal.records import Records, files, new_id, now, people, runs, shares, uploads
from portal.settings import Settings, read_dataset
from portal.staging import Memory, Receiver

# What nobody has gone on with for so long is not waited for any more.
ABANDONED_AFTER: Final = timedelta(days=1)
_SWEEP_EVERY_S: Final = 3600.0
_NAME_LETTERS: Final = 200
_READ_BYTES: Final = 512 * 1024

_log = logging.getLogger(__name__)


def partition_of(settings: Settings, upload_id: str) -> PartitionPaths:
    """Where an upload is in HDFS."""
    return DatasetPaths(settings.root, UPLOADS).partition(f"upload={upload_id}")


class Uploads:
    """What can be done with uploads. `owner` is the one who asks: NotFound, if the upload is not theirs."""

    def __init__(self, settings: Settings, storage: Hdfs, records: Records) -> None:
        self._settings = settings
        self._storage = storage
        self._records = records
        self._memory = Memory()
        self._sweeping = threading.Lock()
        self._next_sweep = 0.0

    def create(self, owner: str, name: str | None) -> dict[str, Any]:
        """A new upload, empty."""
        self._sweep_now_and_then()
        moment = now()
        title = " ".join((name or "").split())[:_NAME_LETTERS] or f"Upload of {moment:%Y-%m-%d %H:%M}"
        upload_id = new_id()
        row = insert(uploads).values(id=upload_id, owner=owner, name=title, created_at=moment)
        with suppress(IntegrityError):  # they are known
            self._records.write(lambda connection: connection.execute(insert(people).values(name=owner)))
        self._records.write(lambda connection: connection.execute(row))
        return self.find(owner, upload_id)

    def page(self, owner: str, offset: int, limit: int) -> tuple[int, list[dict[str, Any]]]:
        """How many uploads there are, and some of them, the newest first."""
        mine = and_(uploads.c.owner == owner, uploads.c.deleting.is_(None))
        order = (uploads.c.created_at.desc(), uploads.c.id)
        with self._records.reading() as connection:
            total = connection.scalar(select(func.count()).select_from(uploads).where(mine)) or 0
            query = select_uploads().where(mine).order_by(*order).offset(offset).limit(limit)
            return total, [dict(row) for row in connection.execute(query).mappings()]

    def find(self, owner: str, upload_id: str) -> dict[str, Any]:
        """One upload."""
        with self._records.reading() as connection:
            row = connection.execute(select_uploads().where(own(owner, upload_id))).mappings().one_or_none()
        if row is None:
            raise NotFound
        return dict(row)

    def delete(self, owner: str, upload_id: str) -> None:
        """Everything of it: what landed, what runs left, what was published, the records. Busy."""

        def mark(connection: Connection) -> None:
            lock_upload(connection, owner, upload_id)
            refuse_while_running(connection, upload_id)
            connection.execute(update(uploads).where(uploads.c.id == upload_id).values(deleting=now()))

        self._records.write(mark)
        self._delete_marked(upload_id)

    def announce(self, owner: str, upload_id: str, asked: Sequence[Asked]) -> list[dict[str, Any]]:
        """A file for each that somebody wants to send, in their order; see portal.announcing."""
        limits = read_dataset(self._settings).limits
        quota = Quota(self._settings.quota_bytes, self._settings.quota_files)
        ids = self._records.write(lambda connection: announce(connection, owner, upload_id, asked, limits, quota))
        views = {}
        with self._records.reading() as connection:
            for some in portions(ids):
                rows = connection.execute(select_files(files.c.id.in_(some))).mappings()
                views.update({row["id"]: dict(row) for row in rows})
        # One that was deleted in this moment is not there any more.
        return [views[one] for one in ids if one in views]

    def files(
        self, owner: str, upload_id: str, search: str, offset: int, limit: int
    ) -> tuple[int, list[dict[str, Any]]]:
        """How many files there are, and some of them, in the order in which they were announced."""
        self.find(owner, upload_id)
        which = [files.c.upload_id == upload_id, files.c.state != "deleting"]
        if search:
            which.append(files.c.path.icontains(search, autoescape=True))
        with self._records.reading() as connection:
            total = connection.scalar(select(func.count()).select_from(files).where(*which)) or 0
            query = select_files(*which).order_by(files.c.number).offset(offset).limit(limit)
            return total, [dict(row) for row in connection.execute(query).mappings()]

    def file(self, owner: str, upload_id: str, file_id: str) -> dict[str, Any]:
        """One file."""
        with self._records.reading() as connection:
            return find_file(connection, owner, upload_id, file_id)

    def content(self, row: Mapping[str, Any]) -> Iterator[bytes]:
        """The bytes of a received file, a piece at a time."""
        reader = self._storage.reader(self._path_of(row))

        def pieces() -> Iterator[bytes]:
            with reader:
                while piece := reader.read(_READ_BYTES):
                    yield piece

        return pieces()

    def _path_of(self, row: Mapping[str, Any]) -> str:
        return f"{partition_of(self._settings, row['upload_id']).landing}/{row['path']}"

    def delete_file(self, owner: str, upload_id: str, file_id: str) -> None:
        """One file, whatever its state: what is being sent ends as well. Busy."""

        def mark(connection: Connection) -> dict[str, Any]:
            lock_upload(connection, owner, upload_id)
            row = find_file(connection, owner, upload_id, file_id)
            refuse_while_running(connection, upload_id)
            # From now on nobody lands it.
            connection.execute(update(files).where(files.c.id == file_id).values(state="deleting", changed_at=now()))
            return row

        self._delete_marked_file(owner, self._records.write(mark))

    def receive(self, owner: str, upload_id: str, file_id: str, offset: int) -> Reception:
        """Begin to take what a connection sends of a file, from `offset` on. Busy, WrongOffset."""
        with self._records.reading() as connection:
            row = find_file(connection, owner, upload_id, file_id)
            refuse_while_running(connection, upload_id)
        paths = partition_of(self._settings, upload_id)
        limits = read_dataset(self._settings).limits
        receiver = Receiver(self._storage, self._memory, f"{paths.staging}/{file_id}", row["size_bytes"], limits)
        if row["state"] in OPEN:
            untouched = row["state"] == "waiting" and row["received_bytes"] == 0
            receiver.start(offset, may_be_there=not untouched)
        return Reception(self._storage, self._records, owner, paths, row, receiver)

    def _delete_marked(self, upload_id: str) -> None:
        self._delete_directories(upload_id)
        of_it = files.c.upload_id == upload_id
        held = select(func.coalesce(func.sum(held_bytes()), 0)).where(of_it).scalar_subquery()
        number = select(func.count()).select_from(files).where(of_it).scalar_subquery()
        spent = {"size_bytes": people.c.size_bytes - held, "file_count": people.c.file_count - number}
        owner = select(uploads.c.owner).where(uploads.c.id == upload_id).scalar_subquery()

        def forget(connection: Connection) -> None:
            connection.execute(update(people).where(people.c.name == owner).values(spent))
            for table in (files, shares, runs):
                connection.execute(delete(table).where(table.c.upload_id == upload_id))
            connection.execute(delete(uploads).where(uploads.c.id == upload_id))

        self._records.write(forget)
        # What a connection has landed in between, nobody could find again.
        self._delete_directories(upload_id)

    def _delete_directories(self, upload_id: str) -> None:
        paths = partition_of(self._settings, upload_id)
        for directory in (paths.landing, paths.staging, paths.published, paths.work):
            self._storage.delete(directory)

    def _delete_marked_file(self, owner: str, row: Mapping[str, Any]) -> None:
        self._storage.delete(f"{partition_of(self._settings, row['upload_id']).staging}/{row['id']}")
        if row["reason"] is None:
            self._storage.delete(self._path_of(row))
        self._records.write(lambda connection: _forget_file(connection, owner, row["upload_id"], row["id"]))

    def _sweep_now_and_then(self) -> None:
        """At the first upload of this process, and then at one each hour."""
        if not self._sweeping.acquire(blocking=False):
            return
        try:
            if time.monotonic() >= self._next_sweep:
                self._next_sweep = time.monotonic() + _SWEEP_EVERY_S
                self.sweep(now() - ABANDONED_AFTER)
        finally:
            self._sweeping.release()

    def sweep(self, before: datetime) -> None:
        """Take away what was abandoned: files that nobody has gone on with since, and what deletions left that broke
        off.
        """
        stale = and_(files.c.state.in_((*OPEN, "deleting")), files.c.changed_at < before)
        with self._records.reading() as connection:
            columns = (files.c.id, files.c.upload_id, files.c.path, files.c.reason, files.c.state, uploads.c.owner)
            abandoned = connection.execute(select(*columns).join(uploads).where(stale).limit(10_000)).mappings().all()
            half_deleted = connection.scalars(select(uploads.c.id).where(uploads.c.deleting < before)).all()
        for upload_id in half_deleted:
            self._delete_marked(upload_id)
        for row in abandoned:
            with suppress(NotFound, Busy):
                if row["state"] == "deleting":
                    self._delete_marked_file(row["owner"], dict(row))
                else:
                    self.delete_file(row["owner"], row["upload_id"], row["id"])
        self._sweep_staging(before)
        if abandoned or half_deleted:
            _log.info("took away %d abandoned files and %d half-deleted uploads", len(abandoned), len(half_deleted))

    def _sweep_staging(self, before: datetime) -> None:
        """What is staged of no file that is still to come: a refusal that HDFS did not hear of."""
        staging = DatasetPaths(self._settings.root, UPLOADS).staging
        for partition in self._storage.names(staging):
            of_it = and_(files.c.upload_id == partition.removeprefix("upload="), files.c.state.in_(OPEN))
            with self._records.reading() as connection:
                to_come = set(connection.scalars(select(files.c.id).where(of_it)))
            for name in set(self._storage.names(f"{staging}/{partition}")) - to_come:
                path = f"{staging}/{partition}/{name}"
                with suppress(FileNotFoundError):
                    if self._storage.modified(path) < before:
                        self._storage.delete(path)


def _forget_file(connection: Connection, owner: str, upload_id: str, file_id: str) -> None:
    """Delete a file's row; the next of equal files becomes their first."""
    lock_upload(connection, owner, upload_id)
    row = connection.execute(select(files).where(files.c.id == file_id)).one_or_none()
    if row is None:
        return
    connection.execute(update(files).where(files.c.id == file_id).values(first_sha256=None))
    equal = select(files.c.id).where(files.c.duplicate_of == file_id).order_by(files.c.number).limit(1)
    heir = connection.scalar(equal)
    if heir is not None:
        connection.execute(update(files).where(files.c.id == heir).values(first_sha256=row.sha256, duplicate_of=None))
        connection.execute(update(files).where(files.c.duplicate_of == file_id).values(duplicate_of=heir))
    connection.execute(delete(files).where(files.c.id == file_id))
    held, number = (row.size_bytes, 1) if row.reason is None else (0, 0)
    less = {"size_bytes": uploads.c.size_bytes - held, "file_count": uploads.c.file_count - number}
    connection.execute(update(uploads).where(uploads.c.id == upload_id).values(less))
    spent = {"size_bytes": people.c.size_bytes - held, "file_count": people.c.file_count - 1}
    connection.execute(update(people).where(people.c.name == owner).values(spent))
