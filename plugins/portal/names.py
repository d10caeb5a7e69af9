"""What an uploaded file is called below its upload's landing directory: the name it has, as far as HDFS allows it.

A name comes from a stranger's browser. What would lead out of the directory, or what HDFS refuses, is replaced, and
people see that it was.
"""

from __future__ import annotations

import unicodedata
from typing import Final

# HDFS allows 255 bytes to a name and 8,000 letters to a path; " (2)" and another suffix must have room.
_NAME_BYTES: Final = 200
_PATH_LETTERS: Final = 2000
_DEPTH: Final = 40
_SUFFIX_BYTES: Final = 20
# A colon cannot be in a path of HDFS. Those that turn the direction of writing make a name look like another.
_REPLACED: Final = frozenset(
    ":\N{LINE SEPARATOR}\N{PARAGRAPH SEPARATOR}\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)


def safe_path(asked: str) -> str:
    """A relative path that HDFS takes, in NFC; ValueError for one that is too deep or too long."""
    parts = [_safe_name(part) for part in unicodedata.normalize("NFC", asked).split("/") if part not in ("", ".", "..")]
    path = "/".join(parts) or "file"
    if len(parts) > _DEPTH:
        raise ValueError(f"its path has {len(parts)} parts, the limit is {_DEPTH}")
    if len(path) > _PATH_LETTERS:
        raise ValueError(f"its path has {len(path)} letters, the limit is {_PATH_LETTERS}")
    return path


def alternative(path: str, number: int) -> str:
    """What a file may be called instead where its path is taken: a/b.png as a/b (2).png, a/b (3).png and so on."""
    directory, slash, name = path.rpartition("/")
    stem, suffix = _split(name)
    return f"{directory}{slash}{stem} ({number}){suffix}"


def _safe_name(name: str) -> str:
    safe = "".join(
        "_" if letter in _REPLACED or unicodedata.category(letter) in ("Cc", "Cs") else letter for letter in name
    )
    if safe == ".snapshot":
        return "_snapshot"
    if len(safe.encode()) <= _NAME_BYTES:
        return safe
    stem, suffix = _split(safe)
    return stem.encode()[: _NAME_BYTES - len(suffix.encode())].decode(errors="ignore") + suffix


def _split(name: str) -> tuple[str, str]:
    """Stem and suffix; what follows the last dot is a suffix only where it is short and something precedes it."""
    stem, dot, end = name.rpartition(".")
    if not stem or len(end.encode()) >= _SUFFIX_BYTES:
        return name, ""
    return stem, dot + end
