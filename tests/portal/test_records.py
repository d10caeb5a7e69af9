"""What the portal remembers, with many who write at once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone

import pytest
from portal.records import Records, new_id, now, people, uploads
from sqlalchemy import create_engine, insert, select, update


def test_fifty_writers_wait_for_each_other(tmp_path):
    """Two engines: those of one process wait in line, but another process's are met in the database."""
    engines = [create_engine(f"sqlite:///{tmp_path / 'records.db'}", connect_args={"timeout": 0.01}) for _ in range(2)]
    several = [Records(lambda engine=engine: engine) for engine in engines]
    several[0].write(lambda c: c.execute(insert(people).values(name="ann")))

    def add(number):
        several[number % 2].write(lambda c: c.execute(update(people).values(file_count=people.c.file_count + 1)))

    with ThreadPoolExecutor(50) as threads:
        list(threads.map(add, range(200)))
    with several[0].reading() as connection:
        assert connection.scalar(select(people.c.file_count)) == 200
    for engine in engines:
        engine.dispose()


def test_what_fails_in_a_transaction_leaves_nothing(records):
    def begin_and_fail(connection):
        connection.execute(insert(people).values(name="ann"))
        raise ValueError("enough")

    with pytest.raises(ValueError, match="enough"):
        records.write(begin_and_fail)
    with records.reading() as connection:
        assert connection.scalar(select(people.c.name)) is None


def test_a_moment_comes_back_as_the_same_moment(records):
    moment = now().astimezone(timezone(timedelta(hours=5)))
    upload = {"id": new_id(), "owner": "ann", "name": "scans", "created_at": moment}
    records.write(lambda c: c.execute(insert(uploads).values(**upload)))
    with records.reading() as connection:
        again: datetime = connection.scalar(select(uploads.c.created_at))
    assert again == moment
    assert again.utcoffset() == timedelta()
