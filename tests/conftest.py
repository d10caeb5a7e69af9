"""Real services for the tests: one HDFS and one Airflow for a test session, in a folder and on ports of their own,
started when the first test asks for them and always ended.
"""

import random
import signal
from collections.abc import Callable, Iterator
from types import FrameType

import pytest

from stack import control, spark_cluster, yarn
from stack import hdfs as hadoop
from stack.home import DEFAULT_PORTS, Home, port_is_free


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="run the tests that take minutes and gigabytes, too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--long"):
        for item in items:
            if item.get_closest_marker("long"):
                item.add_marker(pytest.mark.skip(reason="long: run with --long"))


def pytest_configure() -> None:
    """Let a terminated test session end its services, as an interrupted one does."""

    def end(_signal: int, _frame: FrameType | None) -> None:
        pytest.exit("terminated", returncode=143)

    signal.signal(signal.SIGTERM, end)


@pytest.fixture(scope="session")
def free_ports() -> Callable[[], dict[str, int]]:
    """Finds a free port for every service, below the range from which Linux gives ports to client connections."""

    def find() -> dict[str, int]:
        candidates = (port for port in random.sample(range(20000, 32000), 2000) if port_is_free(port))
        return {name: next(candidates) for name in (*DEFAULT_PORTS, *spark_cluster.PORTS, *yarn.PORTS)}

    return find


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory, free_ports: Callable[[], dict[str, int]]) -> Home:
    """An empty state folder with free ports."""
    return Home(tmp_path_factory.mktemp("chromapress"), free_ports())


@pytest.fixture(scope="session")
def hdfs(home: Home) -> Iterator[hadoop.Address]:
    """A running HDFS: one NameNode, two DataNodes, an empty /chromapress."""
    try:
        hadoop.prepare(home)
        control.up(home, hadoop.services(home), print)
        hadoop.make_root(home.url("namenode_http"))
        yield hadoop.address(home)
    finally:
        control.down(home, hadoop.ROLES[::-1], print)


@pytest.fixture(scope="module")
def standalone(home: Home, hdfs: hadoop.Address) -> Iterator[Home]:
    """A running Spark cluster on that HDFS: a master and three workers."""
    try:
        spark_cluster.prepare(home)
        spark_cluster.up(home, print)
        yield home
    finally:
        control.down(home, spark_cluster.ROLES[::-1], print)
