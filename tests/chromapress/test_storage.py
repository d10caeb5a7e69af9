"""Whole files in the real HDFS, and elsewhere."""

import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import hdfs_native
import pytest

from chromapress import storage
from chromapress.storage import Elsewhere, File, Hdfs, StorageError, open_source

NAMES = ["_DSC0001.jpg", ".hidden/x.png", "a b/#1 100%.png", "Übung/日本.png", "a?b*[c].png", "deep/er/est/x"]


def test_files_come_back_byte_for_byte_whatever_their_names(store: Hdfs, root: str) -> None:
    for name in NAMES:
        store.write(f"{root}/{name}", name.encode() * 1000)
    listed = sorted(store.files(root), key=lambda file: file.relative_path)
    assert listed == [File(name, len(name.encode()) * 1000) for name in sorted(NAMES)]
    for name in NAMES:
        assert store.read(f"{root}/{name}") == name.encode() * 1000


def test_names_are_sorted_and_those_of_nothing_are_none(store: Hdfs, root: str) -> None:
    store.write(f"{root}/b", b"")
    store.make_directory(f"{root}/a")
    assert store.names(root) == ["a", "b"]
    assert store.names(f"{root}/missing") == []


def test_what_is_there_is_known(store: Hdfs, root: str) -> None:
    store.write(f"{root}/file", b"x")
    assert (store.exists(root), store.exists(f"{root}/file"), store.exists(f"{root}/missing")) == (True, True, False)
    assert (store.is_directory(root), store.is_directory(f"{root}/file")) == (True, False)
    assert not store.is_directory(f"{root}/missing")


def test_an_empty_file_is_read_as_empty(store: Hdfs, root: str) -> None:
    store.write(f"{root}/empty", b"")
    assert store.read(f"{root}/empty") == b""


def test_a_missing_file_is_not_found(store: Hdfs, root: str) -> None:
    with pytest.raises(FileNotFoundError):
        store.read(f"{root}/missing")
    with pytest.raises(FileNotFoundError):
        list(store.files(f"{root}/missing"))


def test_creating_happens_once(store: Hdfs, root: str) -> None:
    assert store.create(f"{root}/deep/file", b"first")
    assert not store.create(f"{root}/deep/file", b"second")
    assert store.read(f"{root}/deep/file") == b"first"


def test_writing_replaces(store: Hdfs, root: str) -> None:
    store.write(f"{root}/file", b"first and long")
    store.write(f"{root}/file", b"second")
    assert store.read(f"{root}/file") == b"second"


def test_a_small_files_block_is_small(store: Hdfs, root: str) -> None:
    mb = 1 << 20
    for size, block in ((0, mb), (mb, mb), (mb + 1, 2 * mb), (65 * mb, 128 * mb)):
        store.write(f"{root}/written", bytes(size))
        assert store.create(f"{root}/created-{size}", bytes(size))
        for name in ("written", f"created-{size}"):
            status = hdfs_native.Client().get_file_info(f"{root}/{name}")
            assert (status.length, status.blocksize) == (size, block)


def test_a_file_that_a_lost_datanode_interrupted_is_written_again(
    store: Hdfs, root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "_WRITE_AGAIN_AFTER_S", (0, 0))
    tries = []

    def fails(times: int, told: Exception) -> Callable[[io.RawIOBase], object]:
        tries.clear()

        def write_to(writer: io.RawIOBase) -> None:
            tries.append(told)
            writer.write(b"%d" % len(tries))
            if len(tries) <= times:
                try:
                    raise told
                finally:
                    # What is above it, when a writer cannot be closed either.
                    raise RuntimeError("Block writer is closed")

        return write_to

    path, lost = f"{root}/again", OSError("Connection refused (os error 111)")
    store.fill(path, fails(2, lost))
    assert (len(tries), store.read(path)) == (3, b"3")
    with pytest.raises(RuntimeError, match="closed"):
        store.fill(path, fails(9, lost))
    assert len(tries) == 3
    with pytest.raises(RuntimeError, match="closed"):
        store.fill(path, fails(9, OSError("Permission denied")))
    assert len(tries) == 1


def test_renaming_replaces_a_file(store: Hdfs, root: str) -> None:
    store.write(f"{root}/_CURRENT", b"old")
    store.write(f"{root}/_CURRENT.new", b"new")
    store.replace(f"{root}/_CURRENT.new", f"{root}/_CURRENT")
    assert store.names(root) == ["_CURRENT"]
    assert store.read(f"{root}/_CURRENT") == b"new"


def test_a_directory_moves_as_a_whole(store: Hdfs, root: str) -> None:
    store.write(f"{root}/_aside/images/a.png", b"a")
    store.replace(f"{root}/_aside", f"{root}/version")
    assert store.names(root) == ["version"]
    assert store.read(f"{root}/version/images/a.png") == b"a"


def test_deleting_takes_all_and_minds_nothing_missing(store: Hdfs, root: str) -> None:
    store.write(f"{root}/tree/a/b", b"x")
    store.delete(f"{root}/tree")
    store.delete(f"{root}/tree")
    assert store.names(root) == []


def test_a_writer_writes_piece_by_piece(store: Hdfs, root: str) -> None:
    with store.writer(f"{root}/pieces") as sink:
        for _ in range(3):
            sink.write(b"x" * 100_000)
    assert store.read(f"{root}/pieces") == b"x" * 300_000


def test_the_time_of_a_change_is_in_utc(store: Hdfs, root: str) -> None:
    store.write(f"{root}/file", b"")
    assert abs(datetime.now(UTC) - store.modified(f"{root}/file")) < timedelta(minutes=5)


def test_a_local_folder_is_a_source_with_all_letters_of_its_names(tmp_path: Path) -> None:
    for name in NAMES:
        path = tmp_path / "so urce#1" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    source, path_there = open_source(f"file://{tmp_path}/so urce#1")
    assert isinstance(source, Elsewhere)
    listed = sorted(source.files(path_there), key=lambda file: file.relative_path)
    assert [file.relative_path for file in listed] == sorted(NAMES)
    assert source.read(f"{path_there}/{NAMES[2]}") == NAMES[2].encode()
    assert source.is_directory(path_there)
    assert not source.exists(f"{path_there}/missing")


def test_a_path_without_scheme_is_in_the_default_hdfs(store: Hdfs, root: str) -> None:
    store.write(f"{root}/file", b"here")
    source, path = open_source(f"{root}/file")
    assert source.read(path) == b"here"


@pytest.mark.parametrize("uri", ["landing", "", "file:relative", "no-such-store://host/path"])
def test_what_is_no_address_is_refused(uri: str) -> None:
    with pytest.raises(StorageError):
        open_source(uri)


def test_without_a_configuration_the_message_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HADOOP_CONF_DIR", raising=False)
    monkeypatch.delenv("HADOOP_HOME", raising=False)
    with pytest.raises(StorageError, match="HADOOP_CONF_DIR must name a folder"):
        Hdfs()


def test_an_hdfs_that_is_not_there_is_an_error_of_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = Hdfs("hdfs://localhost:1", attempts=1)
    with pytest.raises(OSError, match="refused"):
        nowhere.exists("/")
    # hdfs-native has waited for the NameNode: it is not waited for again.
    monkeypatch.setattr(storage, "_WRITE_AGAIN_AFTER_S", (3600,))
    with pytest.raises(OSError, match="refused"):
        nowhere.write("/file", b"")
