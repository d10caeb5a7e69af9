"""`chromapress get`: published images from HDFS, as _CURRENT names them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

from chromapress.cli import files
from chromapress.cli.hdfs import add_dataset, check, opened
from chromapress.cli.terminal import shown, size
from chromapress.paths import DatasetPaths
from chromapress.publication import NotPublishedError, current, partitions
from chromapress.storage import Hdfs

_EPILOG: Final = """\
PATH is an image's path in the landing partition or in what is published, or a pattern of such paths with *, ? and [];
* matches / as well.

examples:
  chromapress get maps tiles/a.jpg -o here/
  chromapress get maps 'tiles/*' --partition dt=2026-11-23 -o here/
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _EPILOG
    add_dataset(parser)
    parser.add_argument("paths", metavar="PATH", nargs="+", help="which images")
    parser.add_argument("-o", "--output", metavar="DIR", type=Path, required=True, help="the folder to write to")
    parser.add_argument("--source-names", action="store_true", help="name the files as they landed, not as published")
    parser.add_argument("--force", action="store_true", help="replace files that exist")


def run(arguments: argparse.Namespace) -> int:
    check(arguments)
    with opened(arguments) as (store, paths):
        partition = arguments.partition or _newest(store, paths)
        publication = current(store, paths.partition(partition))
        columns = ["relative_path", "published_path", "pack", "reason"]
        wanted, errors = select(publication.manifest(columns).to_pylist(), arguments.paths)
        name = "relative_path" if arguments.source_names else "published_path"
        targets = [arguments.output / row[name] for row in wanted]
        for target in targets:
            files.refuse_existing(target, arguments.force)
        for row, target in zip(wanted, targets, strict=True):
            content = publication.image(row["published_path"], row["pack"])
            files.write(target, content)
            print(f"{size(len(content)):>11} bytes  {shown(str(target))}")
    for error in errors:
        print(f"chromapress: error: {error} (partition {partition})", file=sys.stderr)
    return int(bool(errors))


def select(rows: Sequence[dict[str, Any]], patterns: Sequence[str]) -> tuple[list[dict[str, Any]], list[str]]:
    """The published rows that the patterns name, each once, in the manifest's order; and what the others miss."""
    wanted: set[int] = set()
    errors = []
    for pattern in patterns:
        named = [place for place, row in enumerate(rows) if pattern in (row["relative_path"], row["published_path"])]
        matches = named or [
            place
            for place, row in enumerate(rows)
            if fnmatchcase(row["relative_path"], pattern) or fnmatchcase(row["published_path"] or "", pattern)
        ]
        published = [place for place in matches if rows[place]["published_path"] is not None]
        wanted.update(published)
        if matches and not published:
            errors.append(f"{pattern} is not published: {rows[matches[0]]['reason']}")
        elif not matches:
            errors.append(f"{pattern}: there is no such image")
    return [rows[place] for place in sorted(wanted)], errors


def _newest(store: Hdfs, paths: DatasetPaths) -> str:
    """The last day's partition; uploads have no order and must be named."""
    found = partitions(store, paths)
    days = [name for name in found if name.startswith("dt=")]
    if days:
        return days[-1]
    if found:
        raise NotPublishedError(
            f"{paths.dataset} has uploads only: say which with --partition ({', '.join(found[:5])})"
        )
    raise NotPublishedError(f"nothing is published of {paths.dataset}")
