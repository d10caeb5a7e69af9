"""`chromapress datasets check`: what is wrong in the datasets' configurations."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Final

from chromapress.cli.failure import NO_INPUT, Failure
from chromapress.config import ConfigError, load

_DEFAULT: Final = Path("dags/datasets")


def add_options(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    check = actions.add_parser("check", help="check configurations", description="Check configurations, one line each.")
    check.add_argument(
        "paths", metavar="FILE|DIR", nargs="*", type=Path, help=f"YAML files, or folders of them (default: {_DEFAULT})"
    )


def run(arguments: argparse.Namespace) -> int:
    wrong = 0
    for path in _files(arguments.paths or [_DEFAULT]):
        try:
            config = load(path)
        except ConfigError as error:
            print(error, file=sys.stderr)
            wrong += 1
        else:
            schedule = f"schedule {config.schedule}" if config.schedule else "no schedule"
            print(f"{path}: ok ({schedule}, scope {config.palette.scope}, rule {config.palette.rule})")
    return int(wrong > 0)


def _files(paths: list[Path]) -> list[Path]:
    """The files named, and the .yaml files of the folders named."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            below = sorted(path.glob("*.yaml"))
            if not below:
                raise Failure(f"{path}: there is no .yaml file in it", NO_INPUT)
            found += below
        elif path.is_file():
            found.append(path)
        else:
            raise Failure(f"{path}: no such file or folder", NO_INPUT)
    return found
