"""What the commands that speak to HDFS have in common: which one, and what to say when it does not answer."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from chromapress.cli.failure import UNAVAILABLE, USAGE, Failure
from chromapress.config import DATASET_NAME, ConfigError, check_partition
from chromapress.paths import DEFAULT_ROOT, DatasetPaths
from chromapress.publication import NotPublishedError
from chromapress.storage import Hdfs, StorageError

# About five seconds: somebody is waiting.
_ATTEMPTS: Final = 3


def add_dataset(parser: argparse.ArgumentParser) -> None:
    """DATASET, --partition, --root."""
    parser.add_argument("dataset", metavar="DATASET", help="the dataset's name")
    parser.add_argument("--partition", metavar="P", help="such as dt=2026-11-23")
    add_root(parser)


def add_root(parser: argparse.ArgumentParser) -> None:
    """--root."""
    parser.add_argument(
        "--root",
        metavar="PATH",
        default=DEFAULT_ROOT,
        help="where the datasets are, as a path in the HDFS that HADOOP_CONF_DIR names, or as hdfs://HOST:PORT/PATH "
        "(default: %(default)s)",
    )


def check(arguments: argparse.Namespace) -> None:
    """Failure for names that cannot be."""
    if not re.fullmatch(DATASET_NAME, arguments.dataset):
        raise Failure(f"a dataset's name is lower-case letters, digits, - and _, but not {arguments.dataset!r}", USAGE)
    if arguments.partition:
        try:
            check_partition(arguments.partition, "options")
        except ConfigError as error:
            raise Failure(str(error), USAGE) from None


@contextmanager
def opened(arguments: argparse.Namespace) -> Iterator[tuple[Hdfs, DatasetPaths]]:
    """The store and the dataset's paths; Failure where HDFS does not answer or nothing is published."""
    match = re.fullmatch(r"(hdfs://[^/]+)?(/.*?)/*", arguments.root)
    if match is None:
        raise Failure(f"--root: expected an absolute path or hdfs://HOST:PORT/PATH, got {arguments.root!r}", USAGE)
    url, root = match.groups()
    try:
        yield Hdfs(url, attempts=_ATTEMPTS), DatasetPaths(root, arguments.dataset)
    except NotPublishedError as error:
        raise Failure(str(error)) from None
    except StorageError as error:
        raise Failure(str(error), UNAVAILABLE) from None
    except PermissionError as error:
        raise Failure(f"HDFS: {error}") from None
    except OSError as error:
        if error.filename:  # of this machine, not of HDFS
            raise
        raise Failure(f"HDFS ({url or 'as HADOOP_CONF_DIR names it'}) does not answer: {error}", UNAVAILABLE) from None
