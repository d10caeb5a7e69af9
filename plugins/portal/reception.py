"""A file while one connection sends it: from its first bytes to the landing partition, or to the reason why not."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import Any, Final

from sqlalchemy import Connection, and_, select, update
from sqlalchemy.exc import IntegrityError

from chromapress.paths import PartitionPaths
from chromapress.storage import Hdfs
from portal.content import Kind, Refused
from portal.inventory import OPEN, NotFound, find_file, lock_upload, refuse_while_running
from portal.records import Records, files, now, people, uploads
from portal.staging import Receiver

_TELL_EVERY_S: Final = 2.0


class Reception:
    """What becomes of the bytes of one file. Its methods block, and are called one after the other.

    They raise NotFound if the file was deleted meanwhile, and OSError when HDFS cannot do its part.
    """

    def __init__(
        self,
        storage: Hdfs,
        records: Records,
        owner: str,
        paths: PartitionPaths,
        row: dict[str, Any],
        receiver: Receiver,
    ) -> None:
        self._storage = storage
        self._records = records
        self._owner = owner
        self._paths = paths
        self._row = row
        self._receiver = receiver
        self._told_at = time.monotonic()
        self._waits = row["state"] == "waiting"
        # A request that is cancelled may leave a thread here when it comes to the end.
        self._turn = threading.Lock()
        self._ended = False

    @property
    def wanted(self) -> bool:
        """Whether anything of it is to be sent."""
        return self._row["state"] in OPEN

    def feed(self, piece: bytes | bytearray) -> bool:
        """Take some bytes; False, if the file is refused and no more of it is wanted. TooMuch."""
        with self._turn:
            if self._ended:
                return False
            try:
                self._receiver.feed(piece)
            except Refused as refusal:
                self._refuse(str(refusal))
                return False
            # A small file is whole before it is worth telling that it comes.
            if not self._receiver.whole and (self._waits or time.monotonic() > self._told_at + _TELL_EVERY_S):
                self._tell("receiving")
            return True

    def finish(self) -> None:
        """All that the connection had to send has come: the whole file lands, a part of it waits for the rest. Busy."""
        with self._turn:
            self._ended = True
            if not self._receiver.whole:
                self._receiver.close()
                self._tell("waiting")
                return
            try:
                kind = self._receiver.finish()
            except Refused as refusal:
                self._refuse(str(refusal))
                return
            self._land(kind)

    def drop(self) -> None:
        """Nothing of what came is to be kept."""
        with self._turn:
            self._ended = True
            self._receiver.drop()
            self._progress(0, "waiting")

    def _tell(self, state: str) -> None:
        self._told_at, self._waits = time.monotonic(), False
        if not self._progress(self._receiver.progress.received_bytes, state):
            self._receiver.drop()
            raise NotFound

    def _progress(self, received_bytes: int, state: str) -> bool:
        """Say how far the file is; False, if it is not to be received any more."""
        return self._update({"received_bytes": received_bytes, "state": state})

    def _update(self, values: dict[str, Any]) -> bool:
        change = update(files).where(self._is_open()).values(**values, changed_at=now())
        return self._records.write(lambda connection: bool(connection.execute(change).rowcount))

    def _is_open(self) -> Any:
        return and_(files.c.id == self._row["id"], files.c.state.in_(OPEN))

    def _refuse(self, reason: str) -> None:
        self._receiver.drop()
        row = self._row
        refused = {"state": "refused", "reason": reason, "received_bytes": 0, "changed_at": now()}
        less = {"size_bytes": uploads.c.size_bytes - row["size_bytes"], "file_count": uploads.c.file_count - 1}
        spent = {"size_bytes": people.c.size_bytes - row["size_bytes"]}

        def say(connection: Connection) -> None:
            lock_upload(connection, self._owner, row["upload_id"])
            if connection.execute(update(files).where(self._is_open()).values(refused)).rowcount:
                connection.execute(update(uploads).where(uploads.c.id == row["upload_id"]).values(less))
                connection.execute(update(people).where(people.c.name == self._owner).values(spent))

        self._records.write(say)

    def _land(self, kind: Kind) -> None:
        target = f"{self._paths.landing}/{self._row['path']}"
        with self._records.reading() as connection:
            state = find_file(connection, self._owner, self._row["upload_id"], self._row["id"])["state"]
            refuse_while_running(connection, self._row["upload_id"])
        if state == "received":
            return  # another connection was as fast
        try:
            self._storage.move(self._receiver.path, target)
        except NotADirectoryError:
            self._refuse("another file has the name of a folder that it is in")
            return
        except FileExistsError:
            if self._storage.is_directory(target):
                self._refuse("a folder has its name")
                return
            # Only this file has this path: it landed before, and the process ended before it could say so.
            self._storage.replace(self._receiver.path, target)
        try:
            self._say_received(kind, self._receiver.progress.digest.hexdigest())
        except NotFound:
            self._storage.delete(target)
            raise

    def _say_received(self, kind: Kind, sha256: str) -> None:
        """The file has landed: say so, and whether it is the first of its content."""
        whole = {
            "state": "received",
            "received_bytes": self._row["size_bytes"],
            "sha256": sha256,
            "content_type": kind.content_type,
        }
        while True:
            # Two equal files may get here at once: the database lets one of them be the first.
            with suppress(IntegrityError):
                if self._update(whole | {"first_sha256": sha256}):
                    return
                self._check_received()
                return
            first = select(files.c.id).where(
                files.c.upload_id == self._row["upload_id"], files.c.first_sha256 == sha256
            )
            with self._records.reading() as connection:
                first_id = connection.scalar(first)
            # None, if the first was deleted in this moment: then this one is.
            if first_id is not None:
                if not self._update(whole | {"duplicate_of": first_id}):
                    self._check_received()
                return

    def _check_received(self) -> None:
        with self._records.reading() as connection:
            if connection.scalar(select(files.c.state).where(files.c.id == self._row["id"])) != "received":
                raise NotFound
