"""HDFS as the stack starts it."""

import os
import shutil
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import hdfs_native
import pytest

from chromapress import storage
from chromapress.storage import Hdfs
from stack import control, process
from stack import hdfs as hadoop
from stack.home import Home

# As /proc/net/tcp writes them.
LISTEN, LOOPBACK = "0A", "0100007F"


@pytest.fixture
def client(hdfs: hadoop.Address, monkeypatch: pytest.MonkeyPatch) -> hdfs_native.Client:
    """A client without a JVM, configured by HADOOP_CONF_DIR alone."""
    for name, value in hdfs.environ.items():
        monkeypatch.setenv(name, value)
    return hdfs_native.Client()


def wait_for(check: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def write(client: hdfs_native.Client, path: str, content: bytes) -> None:
    with client.create(path) as file:
        file.write(content)


def read(client: hdfs_native.Client, path: str) -> bytes:
    with client.read(path) as file:
        return bytes(file.read())


def test_a_file_comes_back_as_written_from_two_replicas(client: hdfs_native.Client) -> None:
    write(client, "/chromapress/file", b"content" * 100_000)
    status = client.get_file_info("/chromapress/file")
    assert (status.length, status.replication) == (700_000, 2)
    assert read(client, "/chromapress/file") == b"content" * 100_000


def test_strangers_may_read_and_not_write(
    client: hdfs_native.Client, hdfs: hadoop.Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(client, "/chromapress/public", b"for all")
    monkeypatch.setenv("HADOOP_USER_NAME", "stranger")
    stranger = hdfs_native.Client(hdfs.url)
    assert read(stranger, "/chromapress/public") == b"for all"
    with pytest.raises(RuntimeError, match="Permission denied: user=stranger, access=WRITE"):
        stranger.mkdirs("/chromapress/theirs", 0o755, True)


def test_only_loopback_is_listened_on(home: Home, hdfs: hadoop.Address) -> None:
    tables = [Path(f"/proc/net/{table}").read_text().splitlines()[1:] for table in ("tcp", "tcp6")]
    rows = [line.split() for lines in tables for line in lines]
    listening = {(int(row[1].split(":")[1], 16), row[1].split(":")[0]) for row in rows if row[3] == LISTEN}
    ports = {home.ports[name] for service in hadoop.services(home) for name in service.ports}
    assert {pair for pair in listening if pair[0] in ports} == {(port, LOOPBACK) for port in ports}


def test_files_outlive_a_stop_and_a_lost_datanode_is_told(client: hdfs_native.Client, home: Home) -> None:
    write(client, "/chromapress/kept", b"kept")
    members = [m for role in hadoop.ROLES if (p := process.running(home, role)) for m in process.family(p.pid)]
    assert len(members) == len(hadoop.ROLES)
    control.down(home, hadoop.ROLES[::-1], print)
    assert not [member for member in members if process.alive(member)]

    control.up(home, hadoop.services(home), print)
    lost = process.running(home, "datanode2")
    assert lost
    os.kill(lost.pid, signal.SIGKILL)
    process.wait_ended([lost], 10)
    states = {service.name: control.look(home, service).problem for service in hadoop.services(home)}
    assert states == {
        "namenode": None,
        "datanode1": None,
        "datanode2": f"has ended by itself, see {process.log_file(home, 'datanode2')}",
    }
    assert read(client, "/chromapress/kept") == b"kept"
    # The NameNode does not know yet, and sends the writer there.
    Hdfs().write("/chromapress/later", b"later")
    assert read(client, "/chromapress/later") == b"later"
    control.up(home, hadoop.services(home), print)
    assert all(control.look(home, service).problem is None for service in hadoop.services(home))


def test_a_disk_with_little_room_takes_many_small_files_at_once(
    client: hdfs_native.Client, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk, options = shutil.disk_usage(home.path), hadoop.datanode_options
    reserved = disk.used + disk.free - (1536 << 20)

    def restart() -> None:
        control.down(home, hadoop.ROLES[1:], print)
        control.up(home, hadoop.services(home), print)

    try:
        with monkeypatch.context() as patch:
            little = ["-D", f"dfs.datanode.du.reserved={reserved}"]
            patch.setattr(hadoop, "datanode_options", lambda *which: [*options(*which), *little])
            restart()
        # Once, for DataNodes that have just started; where there is too little room for all, that is not enough.
        monkeypatch.setattr(storage, "_WRITE_AGAIN_AFTER_S", (5,))
        store = Hdfs()
        with ThreadPoolExecutor(64) as writers:
            list(writers.map(lambda number: store.write(f"/chromapress/little-room/{number}", b"small"), range(128)))
        assert len(store.names("/chromapress/little-room")) == 128
    finally:
        client.delete("/chromapress/little-room", recursive=True)
        restart()
