"""One file's way into HDFS: written aside, hashed on the way, and renamed into the landing partition when it is whole.

No run ever looks at what is staged, so that an upload that breaks off leaves nothing half-visible. HDFS itself is the
judge between two connections that send the same file: who begins to write ends the writing of the other.
"""

from __future__ import annotations

import hashlib
import io
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final

from chromapress.config import Limits
from chromapress.storage import Hdfs, StorageError
from portal.content import HEAD_BYTES, Kind, look

_READ_BYTES: Final = 1 << 20
# Files of which the digest of what is staged is remembered, a few hundred bytes each (and the head until it is known).
_REMEMBERED: Final = 256


class WrongOffset(Exception):  # noqa: N818  (the protocol's way to find out where to go on)
    """What was sent does not begin where what is staged ends."""

    def __init__(self, received_bytes: int) -> None:
        super().__init__(f"{received_bytes} bytes are here: go on from there")
        self.received_bytes = received_bytes


class TooMuch(Exception):  # noqa: N818
    """More was sent than was announced."""


@dataclass
class Progress:
    """What is known of the bytes so far."""

    received_bytes: int = 0
    digest: Any = field(default_factory=hashlib.sha256)
    head: bytearray = field(default_factory=bytearray)
    kind: Kind | None = None

    def see(self, piece: bytes | bytearray) -> None:
        """Take what belongs to the head."""
        if self.kind is None and len(self.head) < HEAD_BYTES:
            self.head += piece[: HEAD_BYTES - len(self.head)]

    def add(self, piece: bytes | bytearray) -> None:
        """Count what is written."""
        self.received_bytes += len(piece)
        self.digest.update(piece)


class Memory:
    """What this process knows of files whose connection has ended, so that going on need not read all of it again."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, Progress] = OrderedDict()
        self._lock = threading.Lock()

    def keep(self, path: str, progress: Progress) -> None:
        with self._lock:
            self._known[path] = progress
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)

    def take(self, path: str, received_bytes: int) -> Progress | None:
        """It, if it is of so many bytes: another process may have gone on meanwhile."""
        with self._lock:
            progress = self._known.pop(path, None)
        return progress if progress is not None and progress.received_bytes == received_bytes else None


class Receiver:
    """Takes what one connection sends of one file. Its methods block, and are called one after the other."""

    def __init__(self, store: Hdfs, memory: Memory, path: str, size_bytes: int, limits: Limits) -> None:
        self._store = store
        self._memory = memory
        self.path = path
        self._size_bytes = size_bytes
        self._limits = limits
        self._writer: io.RawIOBase | None = None
        self.progress = Progress()

    def start(self, offset: int, may_be_there: bool) -> None:
        """Get ready for the bytes from `offset` on; WrongOffset, if they are not those that are missing.

        A file of which nothing can be there is made when its first bytes have been looked at.
        """
        if not may_be_there:
            if offset:
                raise WrongOffset(0)
            return
        there = self._store.size(self.path)
        if there is not None:
            self._store.close_for_good(self.path)
            there = self._store.size(self.path)
        if offset != (there or 0):
            raise WrongOffset(there or 0)
        if there:
            self.progress = self._memory.take(self.path, there) or self._read_again(there)
            self._writer = self._store.appender(self.path)

    def feed(self, piece: bytes | bytearray) -> None:
        """Write some bytes; Refused, as soon as they tell that the file is not to be had; TooMuch."""
        if self.progress.received_bytes + len(piece) > self._size_bytes:
            raise TooMuch(f"more bytes came than the {self._size_bytes} announced")
        self.progress.see(piece)
        self._look()
        if self._writer is None:
            self._writer = self._store.writer(self.path)
        with _faults():
            self._writer.write(piece)
        self.progress.add(piece)

    @property
    def whole(self) -> bool:
        return self.progress.received_bytes == self._size_bytes

    def close(self) -> None:
        """What came is in HDFS, and stays there; StorageError if it is not, or another has taken over."""
        if self._writer is not None:
            writer, self._writer = self._writer, None
            with _faults():
                writer.close()
            if not self.whole:
                self._memory.keep(self.path, self.progress)

    def finish(self) -> Kind:
        """Close a file that is whole, and tell what it is; Refused."""
        self._look()
        self.close()
        assert self.progress.kind is not None, "the head of a whole file is known"  # noqa: S101
        return self.progress.kind

    def drop(self) -> None:
        """Leave nothing of it in HDFS."""
        if self._writer is not None:
            writer, self._writer = self._writer, None
            with suppress(OSError, RuntimeError):  # another may have taken over, or deleted it
                writer.close()
            self._store.delete(self.path)

    def _look(self) -> None:
        progress = self.progress
        if progress.kind is None and len(progress.head) == min(HEAD_BYTES, self._size_bytes):
            progress.kind = look(bytes(progress.head), self._size_bytes, self._limits)
            progress.head = bytearray()

    def _read_again(self, there: int) -> Progress:
        """The progress of bytes that another process has staged."""
        progress = Progress()
        with self._store.reader(self.path) as reader:
            while piece := reader.read(_READ_BYTES):
                progress.see(piece)
                progress.add(piece)
        if progress.received_bytes != there:
            raise WrongOffset(progress.received_bytes)
        return progress


@contextmanager
def _faults() -> Iterator[None]:
    """hdfs-native's errors of writing, where another connection or a lost DataNode ended it, as StorageError."""
    try:
        yield
    except RuntimeError as error:
        raise StorageError(f"HDFS ended the writing: {str(error).splitlines()[0]}") from None
