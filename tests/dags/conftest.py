"""The DAGs, the operators and the timetable in this process, with an Airflow configuration of their own."""

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hdfs import InsecureClient

import tests.airflow_process  # noqa: F401  (before Airflow is imported)
from stack.hdfs import Address


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Airflow's own deprecation warnings are Airflow's business."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("ignore::DeprecationWarning"))


@pytest.fixture
def client(hdfs: Address, monkeypatch: pytest.MonkeyPatch) -> Iterator[InsecureClient]:
    """The landing zone, through the same WebHDFS that the operators use."""
    address = urlsplit(hdfs.webhdfs)
    connection = {"conn_type": "webhdfs", "host": address.hostname, "port": address.port, "login": hdfs.user}
    monkeypatch.setenv("AIRFLOW_CONN_WEBHDFS_DEFAULT", json.dumps(connection))
    client = InsecureClient(hdfs.webhdfs, user=hdfs.user)
    yield client
    client.delete("/chromapress/scans", recursive=True)
    client._session.close()
