"""Whole files in and out: HDFS through hdfs-native (no JVM), S3 through pyarrow, anything else through fsspec.

Executors read landing files, the stages' tables go in and out with it, and what is published; so do the driver's small
JSON files, and what the command line reads. Which HDFS is meant when a path has no scheme is core-site.xml's to say
(HADOOP_CONF_DIR), as for everything else of Hadoop's.
"""

from __future__ import annotations

import functools
import io
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO, Any, Final, Protocol

import fsspec
import hdfs_native
from hdfs_native import WriteOptions
from pyarrow import fs

# A file that nobody has closed is closed by the NameNode and the DataNodes in seconds; more if one of them is away.
_RECOVERY_S: Final = 60.0

# The NameNode looks for a DataNode with room for a whole block, beside those of other files that are being written. So
# a small file's block has no more than so many of these, the least that a NameNode takes by default.
_BLOCK_STEP_BYTES: Final = 1 << 20
_SMALL_FILE_BYTES: Final = 64 << 20

# The NameNode goes on for some seconds to send writers to a DataNode that is gone (here 20, by its heartbeats), and
# hdfs-native asks it for no other one when a new block's first connection fails.
_WRITE_AGAIN_AFTER_S: Final = (5, 10, 20)
_LOST_DATANODE: Final = re.compile(
    "Connection re(fused|set)|Broken pipe|closed while waiting for ack|complete file in time|could only be written to"
)


class StorageError(OSError):
    """The store does not answer, or refuses."""


@dataclass(frozen=True)
class File:
    """A file below the directory that was listed."""

    relative_path: str
    size_bytes: int


class Source(Protocol):
    """What images are read from. Paths are absolute and without scheme."""

    def is_directory(self, path: str) -> bool: ...
    def exists(self, path: str) -> bool: ...
    def files(self, path: str) -> Iterator[File]:
        """All files below a directory, hidden ones too, in no particular order."""

    def read(self, path: str) -> bytes: ...
    def reader(self, path: str) -> IO[bytes] | io.RawIOBase:
        """A file to read here and there; close it."""


class Hdfs:
    """HDFS, by hdfs-native. `url` as hdfs://host:port, or None for the one that core-site.xml names.

    Parents of what is written are made as needed. A NameNode that does not answer is asked `attempts` times; without a
    number, for about three minutes, in which one that was started again is there.
    """

    def __init__(self, url: str | None = None, *, attempts: int | None = None) -> None:
        settings = {} if attempts is None else {"dfs.client.failover.max.attempts": str(attempts)}
        try:
            self._client = hdfs_native.Client(url, settings)
        except RuntimeError as error:
            where = "HADOOP_CONF_DIR must name a folder whose core-site.xml sets fs.defaultFS" if url is None else url
            raise StorageError(f"no HDFS to speak to: {where} ({error})") from None

    def is_directory(self, path: str) -> bool:
        try:
            return bool(self._client.get_file_info(path).isdir)
        except FileNotFoundError:
            return False

    def exists(self, path: str) -> bool:
        try:
            self._client.get_file_info(path)
        except FileNotFoundError:
            return False
        return True

    def names(self, path: str) -> list[str]:
        """What a directory holds, sorted; of a missing one, nothing."""
        try:
            return sorted(status.path.rsplit("/", 1)[1] for status in self._client.list_status(path, False))
        except FileNotFoundError:
            return []

    def files(self, path: str) -> Iterator[File]:
        base = path.rstrip("/") + "/"
        for status in self._client.list_status(path, True):
            if not status.isdir:
                yield File(status.path.removeprefix(base), status.length)

    def read(self, path: str) -> bytes:
        with self._client.read(path) as reader:
            return bytes(reader.read())

    def reader(self, path: str) -> io.RawIOBase:
        return self._client.read(path)

    def write(self, path: str, content: bytes) -> None:
        """Write a file, or replace it; a reader may see it half written."""
        self.fill(path, lambda writer: writer.write(content), len(content))

    def fill(self, path: str, write_to: Callable[[io.RawIOBase], object], size_bytes: int | None = None) -> None:
        """Write a file, or replace it, by what `write_to` writes; after a lost DataNode, all of it again.

        size_bytes: of the file, where it is known: HDFS then needs little more room for it.
        """
        for pause in (*_WRITE_AGAIN_AFTER_S, None):
            writer = self.writer(path, size_bytes)  # waits for the NameNode itself
            try:
                with writer:
                    write_to(writer)
            except (OSError, RuntimeError) as error:
                if pause is None or not _lost_datanode(error):
                    raise
                print(f"{path} is written once more in {pause} s: {error}", file=sys.stderr)
                time.sleep(pause)
            else:
                return

    def writer(self, path: str, size_bytes: int | None = None) -> io.RawIOBase:
        """A file to write piece by piece, or to replace so, of this size where it is known; close it."""
        return self._client.create(path, _options(size_bytes, overwrite=True))

    def appender(self, path: str) -> io.RawIOBase:
        """An existing file to write on, piece by piece; close it. Whoever else had it open can write no more."""
        self.close_for_good(path)
        return self._client.append(path)

    def close_for_good(self, path: str) -> None:
        """End the writing of a file that a lost process may have left open, and with it that of a living one.

        What has reached the DataNodes stays: the file's length is known after this.
        """
        deadline = time.monotonic() + _RECOVERY_S
        while not self._client.recover_lease(path):
            if time.monotonic() > deadline:
                raise StorageError(f"{path}: HDFS still holds it open for a writer that is gone, after {_RECOVERY_S} s")
            time.sleep(0.2)

    def size(self, path: str) -> int | None:
        """A file's bytes; None where there is none."""
        try:
            return int(self._client.get_file_info(path).length)
        except FileNotFoundError:
            return None

    def modified(self, path: str) -> datetime:
        """When a file or directory was last changed."""
        return datetime.fromtimestamp(self._client.get_file_info(path).modification_time / 1000, UTC)

    def create(self, path: str, content: bytes) -> bool:
        """Write a file if there is none yet, and say whether it was us."""
        try:
            with self._client.create(path, _options(len(content), overwrite=False)) as writer:
                writer.write(content)
        except FileExistsError:
            return False
        return True

    def make_directory(self, path: str) -> None:
        self._client.mkdirs(path, 0o755, True)

    def replace(self, source: str, target: str) -> None:
        """Rename, atomically, over an existing file or empty directory if there is one."""
        self._client.rename(source, target, overwrite=True)

    def move(self, source: str, target: str) -> None:
        """Rename a file, atomically and never over another: FileExistsError, if there is a file or directory of the
        name; NotADirectoryError, if one of its parents is a file. Parents are made as needed.
        """
        try:
            try:
                self._client.rename(source, target, overwrite=False)
            except FileNotFoundError:
                self.make_directory(target.rpartition("/")[0])
                self._client.rename(source, target, overwrite=False)
        except RuntimeError as error:
            if "ParentNotDirectoryException" in str(error):
                raise NotADirectoryError(f"{target}: a file has the name of one of its directories") from None
            if "must both be directories" in str(error):
                raise FileExistsError(f"{target} is a directory") from None
            raise
        except FileExistsError:
            raise FileExistsError(f"{target} is there already") from None

    def delete(self, path: str) -> None:
        """Delete a file or a whole directory; a missing one is no error."""
        try:
            self._client.delete(path, recursive=True)
        except FileNotFoundError:
            return


class S3:
    """S3 and what speaks like it, to read from; paths begin with the bucket.

    Credentials, region and server are those of AWS' own variables and files, where the process runs that reads:
    AWS_ACCESS_KEY_ID, AWS_PROFILE, AWS_REGION, AWS_ENDPOINT_URL_S3 and so on.
    """

    def __init__(self) -> None:
        # Arrow's C++ knows all of the variables but these.
        endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
        self._fs = fs.S3FileSystem(endpoint_override=endpoint)

    def is_directory(self, path: str) -> bool:
        return bool(self._fs.get_file_info(path.rstrip("/")).type == fs.FileType.Directory)

    def exists(self, path: str) -> bool:
        return bool(self._fs.get_file_info(path.rstrip("/")).type != fs.FileType.NotFound)

    def files(self, path: str) -> Iterator[File]:
        base = path.rstrip("/")
        for info in self._fs.get_file_info(fs.FileSelector(base, recursive=True)):
            if info.type == fs.FileType.File:
                yield File(info.path.removeprefix(f"{base}/"), info.size)

    def read(self, path: str) -> bytes:
        with self._fs.open_input_stream(path) as stream:
            return bytes(stream.read())

    def reader(self, path: str) -> IO[bytes]:
        reader: IO[bytes] = self._fs.open_input_file(path)
        return reader


class Elsewhere:
    """Any other store that fsspec knows, to read from."""

    def __init__(self, protocol: str) -> None:
        try:
            self._fs: Any = fsspec.filesystem(protocol)
        except (ImportError, ValueError) as error:
            raise StorageError(f"{protocol}: there is no way to read from it here ({error})") from None

    def is_directory(self, path: str) -> bool:
        return bool(self._fs.isdir(path))

    def exists(self, path: str) -> bool:
        return bool(self._fs.exists(path))

    def files(self, path: str) -> Iterator[File]:
        base = self._fs._strip_protocol(path).rstrip("/") + "/"
        for name, status in self._fs.find(path, detail=True).items():
            yield File(name.removeprefix(base), status["size"])

    def read(self, path: str) -> bytes:
        content: bytes = self._fs.cat_file(path)
        return content

    def reader(self, path: str) -> IO[bytes]:
        reader: IO[bytes] = self._fs.open(path, "rb")
        return reader


@functools.cache
def open_source(uri: str) -> tuple[Source, str]:
    """The store of a directory's or file's URI, and its path there; without a scheme, the default HDFS.

    The path is taken as it is: '#', '?' and '%' are letters of file names like any other.
    """
    match = re.fullmatch(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/]*)(/.*)", uri, re.DOTALL)
    if match is None:
        if not uri.startswith("/"):
            raise StorageError(f"{uri}: expected an absolute path or <scheme>://<host>/<path>")
        return hdfs(None), uri
    scheme, authority, path = match.groups()
    if scheme in ("hdfs", "viewfs"):
        return hdfs(f"{scheme}://{authority}"), path
    if scheme == "file":
        return Elsewhere("file"), path
    if scheme in ("s3a", "s3"):
        return S3(), authority + path
    # In other object stores, too, the bucket is part of the path.
    return Elsewhere(scheme), authority + path


def _options(size_bytes: int | None, *, overwrite: bool) -> WriteOptions:
    """How a file is created whose size is so, or not known."""
    block = None
    if size_bytes is not None and size_bytes <= _SMALL_FILE_BYTES:
        block = max(1, -(-size_bytes // _BLOCK_STEP_BYTES)) * _BLOCK_STEP_BYTES
    return WriteOptions(block_size=block, overwrite=overwrite, create_parent=True)


def _lost_datanode(error: BaseException | None) -> bool:
    """Whether that is what happened: closing a writer that failed may raise something else above it."""
    return error is not None and (bool(_LOST_DATANODE.search(str(error))) or _lost_datanode(error.__context__))


@functools.cache
def hdfs(url: str | None = None) -> Hdfs:
    """One client for each process and HDFS."""
    return Hdfs(url)
