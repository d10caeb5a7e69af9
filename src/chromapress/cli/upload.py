"""`chromapress upload`: a folder into a landing partition in HDFS, each file whole or not at all.

Files are written aside and renamed, so that a run never finds half of one. What is there already is not sent again, so
that an upload that broke off goes on where it ended. The marker for which the dataset waits comes last.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import os
import sys
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO, Final
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from chromapress.cli.failure import NO_INPUT, USAGE, Failure
from chromapress.cli.hdfs import add_root, check, opened
from chromapress.cli.terminal import shown, size
from chromapress.config import ConfigError, DatasetConfig, load
from chromapress.paths import PartitionPaths
from chromapress.storage import Hdfs

_DATASETS: Final = Path("dags/datasets")
_PIECE_BYTES: Final = 1 << 20
_ABANDONED_AFTER: Final = timedelta(days=1)
# HDFS' default limit of the bytes of a name.
_NAME_BYTES: Final = 255

_EPILOG: Final = """\
The tree below DIR becomes the tree below the partition. Files that are there already, of the same size, are not sent
again; with --checksum, of the same SHA-256. Others of the same name are an error, unless --force replaces them. If the
dataset waits for a marker (source.ready_marker), it is written when every file is there.

examples:
  chromapress upload scans/ --to maps
  chromapress upload scans/ --to maps --partition dt=2026-11-23 --dry-run
"""


@dataclass(frozen=True)
class _File:
    """A file to send."""

    source: Path
    path: str  # below the partition
    size_bytes: int


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _EPILOG
    parser.add_argument("folder", metavar="DIR", type=Path, help="the folder to send")
    parser.add_argument("--to", metavar="DATASET", dest="dataset", required=True, help="the dataset's name")
    parser.add_argument("--partition", metavar="P", help="such as dt=2026-11-23 (default: today's, in its time zone)")
    parser.add_argument(
        "--datasets",
        metavar="DIR",
        type=Path,
        default=_DATASETS,
        help="where the datasets' YAML files are (default: %(default)s)",
    )
    add_root(parser)
    parser.add_argument("-j", "--jobs", metavar="N", type=int, default=4, help="files sent at once (default: 4)")
    parser.add_argument("--checksum", action="store_true", help="compare what is there byte for byte, not by size")
    parser.add_argument("--force", action="store_true", help="replace files that are there and differ")
    parser.add_argument("--dry-run", action="store_true", help="say what would be sent, and send nothing")


def run(arguments: argparse.Namespace) -> int:
    check(arguments)
    if arguments.jobs < 1:
        raise Failure(f"-j: expected 1 or more, got {arguments.jobs}", USAGE)
    config = _config(arguments.datasets / f"{arguments.dataset}.yaml")
    partition = arguments.partition or f"dt={datetime.now(ZoneInfo(config.timezone)).date()}"
    found, errors = _files_below(arguments.folder)
    with opened(arguments) as (store, dataset):
        paths = dataset.partition(partition)
        absent, other = _missing(store, paths, found, arguments.checksum)
        there = len(found) - len(absent) - len(other)
        if not arguments.force:
            errors += [f"{shown(one.path)}: another file of this name is there; --force replaces it" for one in other]
            other = []
        marker = config.source.ready_marker and f"{paths.landing}/{config.source.ready_marker}"
        if absent + other and marker and store.exists(marker) and not arguments.force:
            raise Failure(f"{partition} is complete already: {marker} is there; --force sends more all the same")
        if arguments.dry_run:
            for file in absent + other:
                print(f"{size(file.size_bytes):>15} bytes  {shown(file.path)}")
            sent = absent + other
        else:
            sent, failed = _send(store, paths, absent, other, arguments.jobs)
            errors += failed
            if marker and not errors and store.create(marker, b""):
                print(f"{marker} says that all is there")
    verb = "would be sent" if arguments.dry_run else "sent"
    total = size(sum(file.size_bytes for file in sent))
    print(
        f"{arguments.dataset}, {partition}: {size(len(sent))} files of {total} bytes {verb}, {size(there)} were there"
    )
    for error in errors:
        print(f"chromapress: error: {error}", file=sys.stderr)
    return int(bool(errors))


def _config(path: Path) -> DatasetConfig:
    """The dataset's configuration: its time zone, its marker, and whether it reads its landing partition at all."""
    if not path.is_file():
        raise Failure(f"{path}: there is no such dataset; --datasets names the folder of their YAML files", NO_INPUT)
    try:
        config = load(path)
    except ConfigError as error:
        raise Failure(str(error)) from None
    if config.source.uri != "landing":
        raise Failure(f"{path}: the dataset's images come from {config.source.uri}, not from its landing partition")
    return config


def _files_below(folder: Path) -> tuple[list[_File], list[str]]:
    """The files of a folder, in the order of their paths, and what is wrong with the others."""
    if not folder.is_dir():
        raise Failure(f"{folder}: no such folder", NO_INPUT)
    files, errors = [], []
    for directory, _, names in os.walk(folder):
        for name in names:
            source = Path(directory) / name
            path = source.relative_to(folder).as_posix()
            reason = _impossible(path)
            if reason is None and not source.is_file():
                reason = "a link to nothing" if source.is_symlink() else "not a file"
            if reason is None:
                files.append(_File(source, path, source.stat().st_size))
            else:
                errors.append(f"{shown(path)}: {reason}")
    if not files and not errors:
        raise Failure(f"{folder}: there is no file in it", NO_INPUT)
    return sorted(files, key=lambda file: file.path), sorted(errors)


def _impossible(path: str) -> str | None:
    """Why HDFS cannot hold a file of this path."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return "its name is not UTF-8"
    for name in path.split("/"):
        if ":" in name or name == ".snapshot":
            return f"HDFS allows no file or folder of the name {shown(name)}"
        if len(name.encode()) > _NAME_BYTES:
            return f"its name is longer than the {_NAME_BYTES} bytes that HDFS allows"
    return None


def _missing(store: Hdfs, paths: PartitionPaths, found: list[_File], checksum: bool) -> tuple[list[_File], list[_File]]:
    """The files that are not in the partition, and those for which there is another."""
    there = {}
    if store.is_directory(paths.landing):
        there = {file.relative_path: file.size_bytes for file in store.files(paths.landing)}
    absent = [file for file in found if file.path not in there]
    other = []
    for file in found:
        if file.path in there:
            same = there[file.path] == file.size_bytes
            if same and checksum:
                with file.source.open("rb") as here, store.reader(f"{paths.landing}/{file.path}") as copy:
                    same = _sha256(here) == _sha256(copy)
            if not same:
                other.append(file)
    return absent, other


def _sha256(content: BinaryIO | io.RawIOBase) -> str:
    digest = hashlib.sha256()
    while piece := content.read(_PIECE_BYTES):
        digest.update(piece)
    return digest.hexdigest()


def _send(
    store: Hdfs, paths: PartitionPaths, absent: list[_File], other: list[_File], jobs: int
) -> tuple[list[_File], list[str]]:
    """Send files, several at once, the others over those that are there; which were sent, and why the rest was not."""
    sent, errors = [], []
    _clear_away(store, paths.staging)
    sending = [(file, store.move) for file in absent] + [(file, store.replace) for file in other]
    with _progress(sum(file.size_bytes for file, _ in sending)) as advance, ThreadPoolExecutor(jobs) as pool:
        try:
            futures = {pool.submit(_send_one, store, paths, file, land, advance): file for file, land in sending}
            for future in as_completed(futures):
                reason, file = future.result(), futures[future]
                if reason is None:
                    sent.append(file)
                else:
                    errors.append(f"{shown(file.path)}: {reason}")
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return sent, sorted(errors)


def _clear_away(store: Hdfs, staging: str) -> None:
    """What processes have left behind that were killed long ago."""
    for name in store.names(staging):
        if store.modified(f"{staging}/{name}") < datetime.now(UTC) - _ABANDONED_AFTER:
            store.delete(f"{staging}/{name}")


def _send_one(
    store: Hdfs,
    paths: PartitionPaths,
    file: _File,
    land: Callable[[str, str], None],
    advance: Callable[[int], None],
) -> str | None:
    """Send one file; if it cannot be had here, or cannot be called so there, why. OSError of HDFS."""
    staged = f"{paths.staging}/{uuid.uuid4().hex}"
    try:
        with file.source.open("rb") as content:
            sent_bytes = _copy(store, content, staged, advance)
        if sent_bytes != file.size_bytes:
            return f"it changed while it was read, from {size(file.size_bytes)} bytes to {size(sent_bytes)}"
        land(staged, f"{paths.landing}/{file.path}")
    except (FileExistsError, NotADirectoryError) as error:
        return str(error)
    except OSError as error:
        if error.filename is None:  # of HDFS, not of this machine
            raise
        return (error.strerror or str(error)).lower()
    finally:
        store.delete(staged)
    return None


def _copy(store: Hdfs, content: BinaryIO, staged: str, advance: Callable[[int], None]) -> int:
    sent_bytes = 0
    with store.writer(staged) as writer:
        while piece := content.read(_PIECE_BYTES):
            writer.write(piece)
            sent_bytes += len(piece)
            advance(len(piece))
    return sent_bytes


@contextmanager
def _progress(size_bytes: int) -> Iterator[Callable[[int], None]]:
    """Something to tell how many bytes were sent: a bar, where there is a terminal for one."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _count: None
        return
    columns = (TextColumn("sending"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, redirect_stdout=False) as progress:
        bar = progress.add_task("", total=size_bytes)
        yield lambda count: progress.advance(bar, count)
