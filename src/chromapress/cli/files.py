"""Local files: whole or not at all, and never one over another unasked."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Final

from chromapress.cli.failure import NO_INPUT, USAGE, Failure

_PLOTS: Final = (".png", ".webp", ".svg", ".pdf")


def read(path: str) -> bytes:
    """A file's bytes, or those of standard input for '-'; Failure where there is none to read."""
    if path == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise Failure(f"{path}: {(error.strerror or str(error)).lower()}", NO_INPUT) from None


def write(path: Path, content: bytes) -> None:
    """Write aside, then rename: an interrupted run leaves no half file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".chromapress-") as aside:
        half = Path(aside) / "half"
        half.write_bytes(content)
        half.replace(path)


def check_plot(path: Path, force: bool) -> None:
    """Failure, before the work, where the plot could not be written after it."""
    if path.suffix.lower() not in _PLOTS:
        raise Failure(f"--plot {path}: expected a name that ends in {', '.join(_PLOTS)}", USAGE)
    if not path.parent.is_dir():
        raise Failure(f"--plot {path}: there is no folder {path.parent}", USAGE)
    refuse_existing(path, force)


def refuse_existing(path: Path, force: bool) -> None:
    if not force and path.exists():
        raise Failure(f"{path} exists; --force replaces it", USAGE)
