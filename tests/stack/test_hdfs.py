"""HDFS as the stack starts it."""

import hdfs_native
import pytest

from stack import hdfs as hadoop


@pytest.fixture
def client(hdfs: hadoop.Address, monkeypatch: pytest.MonkeyPatch) -> hdfs_native.Client:
    """A client without a JVM, configured by HADOOP_CONF_DIR alone."""
    for name, value in hdfs.environ.items():
        monkeypatch.setenv(name, value)
    return hdfs_native.Client()


def test_a_file_comes_back_as_written_from_two_replicas(client: hdfs_native.Client) -> None:
    with client.create("/chromapress/file") as file:
        file.write(b"content" * 100_000)
    status = client.get_file_info("/chromapress/file")
    assert (status.length, status.replication) == (700_000, 2)
    with client.read("/chromapress/file") as file:
        assert file.read() == b"content" * 100_000
