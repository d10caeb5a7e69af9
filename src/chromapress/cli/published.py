"""`chromapress published`: a dataset's partitions, or one partition's images."""

from __future__ import annotations

import argparse
import json
import math
from typing import Final

from chromapress.cli.hdfs import add_dataset, check, opened
from chromapress.cli.terminal import shown, size, table
from chromapress.publication import NotPublishedError, Publication, current, partitions

_EPILOG: Final = """\
examples:
  chromapress published maps
  chromapress published maps --partition dt=2026-11-23
  chromapress published maps --json | jq .saved_percent
"""
_COLUMNS: Final = (
    "relative_path",
    "outcome",
    "reason",
    "published_path",
    "format",
    "mode",
    "width",
    "height",
    "source_size_bytes",
    "source_sha256",
    "published_size_bytes",
    "codec",
    "k",
    "below_floor",
    "psnr_db",
    "ssim",
    "delta_e",
    "choice",
)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _EPILOG
    add_dataset(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object for each partition or image")


def run(arguments: argparse.Namespace) -> int:
    check(arguments)
    with opened(arguments) as (store, paths):
        if arguments.partition:
            publication = current(store, paths.partition(arguments.partition))
            print(_images_json(publication) if arguments.json else _images(publication))
            return 0
        found = [current(store, paths.partition(name)) for name in partitions(store, paths)]
        if not found:
            raise NotPublishedError(f"nothing is published of {arguments.dataset}")
        print(_partitions_json(found) if arguments.json else _partitions(found))
    return 0


def _partitions(found: list[Publication]) -> str:
    heads = ("partition", "version", "images", "rejected", "before", "after", "saved", "lowest PSNR")
    rows = []
    for publication in found:
        run = publication.run()
        rows.append(
            (
                publication.partition,
                publication.version,
                size(run["images"]),
                size(run["outcomes"].get("rejected", 0)),
                size(run["bytes_in"]),
                size(run["bytes_out"]),
                f"{run['saved_percent']:.1f} %",
                f"{run['psnr_db']['min']:.2f} dB" if run["psnr_db"] else "-",
            )
        )
    return table(heads, rows, left=(0, 1))


def _partitions_json(found: list[Publication]) -> str:
    return "\n".join(json.dumps(publication.run()) for publication in found)


def _images(publication: Publication) -> str:
    columns = ["relative_path", "outcome", "reason", "published_path", "source_size_bytes", "published_size_bytes", "k"]
    rows = []
    for row in publication.manifest([*columns, "psnr_db"]).to_pylist():
        new = row["outcome"].startswith("published")
        exact = row["psnr_db"] is not None and math.isinf(row["psnr_db"])
        rows.append(
            (
                row["outcome"],
                str(row["k"] or "") if new else "",
                size(row["source_size_bytes"]),
                "" if row["published_size_bytes"] is None else size(row["published_size_bytes"]),
                "" if not new else "exact" if exact else f"{row['psnr_db']:.2f}",
                shown(row["relative_path"]),
                shown(row["published_path"] or row["reason"]),
            )
        )
    heads = ("outcome", "k", "before", "after", "PSNR dB", "image", "published as, or why not")
    return table(heads, rows, left=(0, 5, 6))


def _images_json(publication: Publication) -> str:
    lines = []
    for row in publication.manifest(list(_COLUMNS)).to_pylist():
        if row["psnr_db"] is not None and math.isinf(row["psnr_db"]):
            row["psnr_db"] = None  # JSON has no infinity; the outcome tells
        lines.append(json.dumps(row))
    return "\n".join(lines)
