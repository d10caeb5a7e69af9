"""The configuration's keys as options, made from its schema: what the YAML accepts, the command line accepts."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from chromapress.cli.failure import NO_INPUT, USAGE, Failure
from chromapress.config import ConfigError, DatasetConfig, load, run_parameters, with_parameters

_SECTIONS: Final = ("palette", "quality", "compression", "limits")
# A palette for all images and the share of rejected ones are a dataset's.
_NOT_HERE: Final = ("palette.scope", "limits.max_rejected_percent")


def add_configuration(parser: argparse.ArgumentParser) -> None:
    """An option for each key of palette, quality, compression and limits, and --config for a file with all of them."""
    group = parser.add_argument_group("configuration", "As in a dataset's YAML file. 'none' unsets a floor.")
    group.add_argument("--config", metavar="YAML", type=Path, help="take a dataset's configuration to start from")
    for name, schema in run_parameters(DatasetConfig()).items():
        section, key = name.split(".")
        if section not in _SECTIONS or name in _NOT_HERE:
            continue
        flags = [f"--{key.replace('_', '-')}"]
        if name == "palette.k":
            flags = ["-k", "--k"]
        group.add_argument(
            *flags,
            dest=name,
            default=argparse.SUPPRESS,
            choices=schema.get("enum"),
            metavar=None if "enum" in schema else _metavar(schema),
            type=_reader(schema),
            help=_help(name, schema),
        )


def configuration(arguments: argparse.Namespace) -> DatasetConfig:
    """The configuration that the options give; Failure where it will not do. -k alone means rule 'fixed'."""
    given = {
        name: value for name, value in vars(arguments).items() if name.startswith(tuple(f"{s}." for s in _SECTIONS))
    }
    if "palette.k" in given and given.setdefault("palette.rule", "fixed") != "fixed":
        raise Failure(f"-k is for rule 'fixed', --rule {given['palette.rule']} chooses k itself", USAGE)
    try:
        base = load(arguments.config) if arguments.config else DatasetConfig()
        return with_parameters(base, given, "options")
    except ConfigError as error:
        raise Failure(str(error), USAGE) from None
    except OSError as error:
        raise Failure(f"{arguments.config}: {(error.strerror or str(error)).lower()}", NO_INPUT) from None


def _types(schema: dict[str, Any]) -> list[str]:
    types = schema.get("type", "string")
    return [types] if isinstance(types, str) else list(types)


def _metavar(schema: dict[str, Any]) -> str:
    kind = _types(schema)[0]
    if kind == "array":
        item = _types(schema["items"])[0]
        return "N,N,…" if item == "integer" else "#RRGGBB,…"
    return {"integer": "N", "number": "X"}.get(kind, "TEXT")


def _help(name: str, schema: dict[str, Any]) -> str:
    text = "set the number of colours: rule 'fixed'" if name == "palette.k" else schema["description"].rstrip(".")
    text = text.replace("; empty: none", "; none: no such limit")
    default = schema["default"]
    told = "none" if default in (None, []) else ",".join(map(str, default)) if isinstance(default, list) else default
    return f"{text[0].lower()}{text[1:]} (default: {told})".replace("%", "%%")


def _reader(schema: dict[str, Any]) -> Callable[[str], Any]:
    types = _types(schema)

    def read(text: str) -> Any:
        if text == "none" and "null" in types:
            return None
        if types[0] == "array":
            item = _reader(schema["items"])
            return [item(part.strip()) for part in text.split(",")] if text not in ("", "none") else []
        if types[0] not in ("integer", "number"):
            return text
        try:
            return int(text) if types[0] == "integer" else float(text)
        except ValueError:
            expected = "a whole number" if types[0] == "integer" else "a number"
            or_none = " or none" if "null" in types else ""
            raise argparse.ArgumentTypeError(f"expected {expected}{or_none}, got {text!r}") from None

    return read
