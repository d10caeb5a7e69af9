"""What the portal remembers: tables of its own in Airflow's metadata database, on SQLite and PostgreSQL alike.

The bytes are in HDFS; here is who uploaded what, how far it is, and which runs and shares there are of it. Transactions
are short, one row to a file. A transaction that writes begins with a write: SQLite's would otherwise begin as a reader,
and find at its first write that another was faster.
"""

from __future__ import annotations

import random
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Connection,
    DateTime,
    Dialect,
    Engine,
    ForeignKey,
    Index,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError, ProgrammingError
from sqlalchemy.types import TypeDecorator

T = TypeVar("T")

# A run in one of these holds its upload: nothing may be added to it, or taken away.
ACTIVE: Final = ("queued", "running")
# PostgreSQL's serialization_failure, deadlock_detected, lock_not_available.
_HEALS: Final = ("40001", "40P01", "55P03")
_PATIENCE_S: Final = 30.0


class UtcMoment(TypeDecorator[datetime]):
    """A moment with its zone, UTC. SQLite keeps none, so none is stored."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC)


metadata = MetaData()

# What each person's files come to: the quota is kept here, in the transaction that adds or removes them.
people = Table(
    "chromapress_people",
    metadata,
    Column("name", String(256), primary_key=True),
    Column("size_bytes", BigInteger, nullable=False, default=0),
    Column("file_count", BigInteger, nullable=False, default=0),
)

uploads = Table(
    "chromapress_uploads",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("owner", String(256), nullable=False, index=True),
    Column("name", String(200), nullable=False),
    Column("created_at", UtcMoment, nullable=False),
    Column("size_bytes", BigInteger, nullable=False, default=0),
    Column("file_count", BigInteger, nullable=False, default=0),
    # Files get ascending numbers, in the order in which they were announced.
    Column("last_number", BigInteger, nullable=False, default=0),
    Column("deleting", UtcMoment),  # since when; for everybody it is gone already
)

files = Table(
    "chromapress_files",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("upload_id", ForeignKey(uploads.c.id), nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("path", Text, nullable=False),
    Column("asked_path", Text, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("received_bytes", BigInteger, nullable=False, default=0),
    Column("state", String(16), nullable=False, default="waiting"),  # receiving, received, refused, deleting
    Column("reason", Text),  # of refused ones alone
    Column("content_type", String(64)),
    Column("sha256", String(64)),
    # The same as sha256 in the first of equal files, empty in the others: the constraint below decides which it is.
    Column("first_sha256", String(64)),
    Column("duplicate_of", String(32)),  # the id of the first
    Column("changed_at", UtcMoment, nullable=False),
    UniqueConstraint("upload_id", "first_sha256"),
    Index("chromapress_files_number", "upload_id", "number"),
    Index("chromapress_files_asked", "upload_id", "asked_path", "size_bytes"),
    Index("chromapress_files_changed", "state", "changed_at"),
)
# What is refused takes no name from others.
_named = files.c.reason.is_(None)
Index(
    "chromapress_files_path", files.c.upload_id, files.c.path, unique=True, sqlite_where=_named, postgresql_where=_named
)

runs = Table(
    "chromapress_runs",
    metadata,
    Column("run_id", String(250), primary_key=True),  # Airflow's
    Column("dag_id", String(250), primary_key=True),
    Column("upload_id", ForeignKey(uploads.c.id), nullable=False, index=True),
    Column("started_by", String(256), nullable=False),
    Column("parameters", JSON, nullable=False),
    Column("state", String(16), nullable=False, default="queued"),  # running, success, failed
    Column("error", Text),
    Column("created_at", UtcMoment, nullable=False),
    Column("started_at", UtcMoment),
    Column("ended_at", UtcMoment),
)

shares = Table(
    "chromapress_shares",
    metadata,
    Column("key", String(64), primary_key=True),  # the SHA-256 of the link's
    Column("sealed", Text),  # the link's, encrypted with Airflow's Fernet key
    Column("upload_id", ForeignKey(uploads.c.id), nullable=False, index=True),
    Column("created_by", String(256), nullable=False),
    Column("created_at", UtcMoment, nullable=False),
    Column("expires_at", UtcMoment, nullable=False),
)


class Records:
    """The tables in one database, that of the engine which `engine` returns: Airflow makes its own anew at times.

    Nothing here is async: call it from a thread.
    """

    def __init__(self, engine: Callable[[], Engine]) -> None:
        self._engine = engine
        self._turn: Any = nullcontext()
        self._creating = threading.Lock()
        self._created = False

    def _create(self) -> None:
        """Make the tables that are missing, at the first use; several processes may do so at once."""
        with self._creating:
            if not self._created:
                engine = self._engine()
                if engine.dialect.name == "sqlite":
                    # It has one writer at a time; those of this process wait in line, not by polling.
                    self._turn = threading.Lock()
                _create_missing(engine)
                self._created = True

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection to read with."""
        self._create()
        with self._engine().connect() as connection:
            yield connection

    def write(self, work: Callable[[Connection], T]) -> T:
        """What `work` returns, done in one transaction; from its beginning again where another was in the way.

        Its first statement must write, and it may run several times: it changes nothing but the database.
        """
        self._create()
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            try:
                with self._turn, self._engine().begin() as connection:
                    return work(connection)
            except DBAPIError as error:
                if not _heals(error) or time.monotonic() > deadline:
                    raise
            time.sleep(random.uniform(0.01, 0.1))  # noqa: S311  (only so that two do not meet again)


def _create_missing(engine: Engine) -> None:
    for attempt in range(5):
        try:
            metadata.create_all(engine)
            return
        except (OperationalError, ProgrammingError, IntegrityError):
            # Another process was about to make the same table.
            if attempt == 4:
                raise
            time.sleep(0.2 * (attempt + 1))


def _heals(error: DBAPIError) -> bool:
    """Whether it was another transaction's fault."""
    busy = isinstance(error, OperationalError) and "database is locked" in str(error.orig)
    # psycopg and psycopg2 call it differently.
    return busy or (getattr(error.orig, "sqlstate", None) or getattr(error.orig, "pgcode", None)) in _HEALS


def new_id() -> str:
    """An id that nobody guesses: 128 bits, letters that partitions, URLs and file names all allow."""
    return secrets.token_hex(16)


def now() -> datetime:
    return datetime.now(UTC)
