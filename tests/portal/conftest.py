"""The portal's app in this process. Whoever asks is said by the test; Airflow's own log-in is tested in tests/e2e.

Tests that read or write files give the fixture `storage` a real HDFS:

    @pytest.fixture
    def storage(hdfs): return Hdfs(hdfs.url)
"""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings as hypothesis_settings

import tests.airflow_process  # noqa: F401  (before Airflow is imported)
from chromapress.storage import Hdfs

# Times say nothing on a machine that others use as well.
hypothesis_settings.register_profile("shared", deadline=None)
hypothesis_settings.load_profile("shared")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Airflow's and FAB's own deprecation warnings are theirs."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("ignore::DeprecationWarning"))


@pytest.fixture
def storage() -> Hdfs:
    """An HDFS that does not answer, for tests that need none."""
    return Hdfs("hdfs://localhost:1", attempts=1)


@pytest.fixture
def settings():
    """The defaults; a test module may have others."""
    from portal.settings import Settings

    return Settings(base_url="http://testserver")


@pytest.fixture
def records(tmp_path: Path):
    """Empty tables in SQLite, or in the PostgreSQL of the URL in CHROMAPRESS_TEST_DATABASE."""
    from portal.records import Records, metadata
    from sqlalchemy import create_engine

    url = os.environ.get("CHROMAPRESS_TEST_DATABASE", f"sqlite:///{tmp_path / 'records.db'}")
    engine = create_engine(url)
    yield Records(lambda: engine)
    metadata.drop_all(engine)
    engine.dispose()


@pytest.fixture
def app(settings, storage, records):
    from portal.app import Portal, create_app

    return create_app(Portal(settings, storage, records))


@pytest.fixture
def client_of(app) -> Iterator[Callable[..., Any]]:
    """`client_of(Person("ann", operator=False))` asks as Ann from the portal's own pages; `client_of(None)` as a
    stranger. The app is mounted where Airflow mounts it: paths start with /chromapress.
    """
    from fastapi import FastAPI, HTTPException, Request
    from fastapi.testclient import TestClient
    from portal import access
    from portal.app import PREFIX

    people = {}

    def who(request: Request):
        asking = people.get(request.headers.get("x-test-person"))
        if asking is None:
            raise HTTPException(401, "Not authenticated")
        return asking

    app.dependency_overrides[access.person] = who
    airflow = FastAPI()
    airflow.mount(PREFIX, app)
    with ExitStack() as clients:

        def client_of(person, **headers: str):
            client = TestClient(airflow, headers={"Sec-Fetch-Site": "same-origin", **headers}, follow_redirects=False)
            if person is not None:
                people[person.name] = person
                client.headers["x-test-person"] = person.name
            return clients.enter_context(client)

        yield client_of
