"""One run at a time for each partition."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from chromapress.lock import LockedError, acquire, holder, release
from chromapress.storage import Hdfs

HOUR = timedelta(hours=1)
PAST = -HOUR


@pytest.fixture
def lock(root: str) -> str:
    return f"{root}/_lock"


def test_a_held_lock_names_its_holder_and_its_end(store: Hdfs, lock: str) -> None:
    acquire(store, lock, "nightly", HOUR)
    with pytest.raises(LockedError, match=r"processed by run nightly, which has until 20\d\d-.* UTC"):
        acquire(store, lock, "manual", HOUR)


def test_a_released_lock_is_free(store: Hdfs, lock: str) -> None:
    acquire(store, lock, "nightly", HOUR)
    release(store, lock, "nightly")
    assert holder(store, lock) is None
    acquire(store, lock, "manual", HOUR)


def test_the_holder_may_come_again_and_holds_it_longer(store: Hdfs, lock: str) -> None:
    acquire(store, lock, "nightly", HOUR)
    acquire(store, lock, "nightly", 5 * HOUR)
    held = holder(store, lock)
    assert held is not None
    assert held.owner == "nightly"
    assert held.expires > datetime.now(UTC) + 4 * HOUR


def test_an_expired_lock_is_taken_over_and_the_old_holder_cannot_release_it(store: Hdfs, lock: str) -> None:
    acquire(store, lock, "dead", PAST)
    acquire(store, lock, "manual", HOUR)
    release(store, lock, "dead")
    held = holder(store, lock)
    assert held is not None
    assert held.owner == "manual"


def test_a_lock_being_written_is_held(store: Hdfs, lock: str) -> None:
    store.create(f"{lock}/1", b"")
    with pytest.raises(LockedError, match="another run"):
        acquire(store, lock, "manual", HOUR)


@pytest.mark.parametrize("expired", [False, True])
def test_of_many_at_once_exactly_one_gets_it(store: Hdfs, lock: str, expired: bool) -> None:
    if expired:
        acquire(store, lock, "dead", PAST)

    def got(run: str) -> bool:
        try:
            acquire(store, lock, run, HOUR)
        except LockedError:
            return False
        return True

    runs = [f"run-{number}" for number in range(8)]
    with ThreadPoolExecutor(len(runs)) as pool:
        winners = [run for run, won in zip(runs, pool.map(got, runs), strict=True) if won]
    held = holder(store, lock)
    assert held is not None
    assert winners == [held.owner]


def test_releasing_what_is_not_held_is_no_error(store: Hdfs, lock: str) -> None:
    release(store, lock, "nightly")
    assert holder(store, lock) is None
