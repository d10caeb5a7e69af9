"""What published files are called: the source's name, with the suffix of a new file's codec; names that meet all stay.

As PNG, a.jpg becomes a.png, unless there is an a.png: then a.jpg.png. Names can only meet within one directory and up
to their first dot, so that each such family can be named by itself, wherever it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import chain, count
from typing import Final

_FAMILY: Final = re.compile(r"(?s)^(?:.*/)?[^/][^./]*")


def family(relative_path: str) -> str:
    """The beginning that names which can meet have in common."""
    match = _FAMILY.match(relative_path)
    return match[0] if match else relative_path


def suffix(codec: str) -> str:
    """What files of a codec (encoding.Encoded) are called: that of lossy_webp is webp."""
    return codec.rpartition("_")[2]


def published_paths(sources: Sequence[tuple[str, str | None]]) -> dict[str, str]:
    """The published path of each source, given as (relative path, new file's codec or None), of one or more families.

    Kept sources and new files with their source's suffix have their own names; the others, in the order of their names,
    the first that is free.
    """
    settled = {path for path, codec in sources if codec is None or path.lower().endswith(f".{suffix(codec)}")}
    names = {path: path for path in settled}
    taken = set(settled)
    suffixes = {path: suffix(codec) for path, codec in sources if codec is not None}
    for path in sorted(suffixes.keys() - settled):
        end = suffixes[path]
        directory, slash, name = path.rpartition("/")
        stem = name.rpartition(".")[0] or name
        options = chain((f"{stem}.{end}", f"{name}.{end}"), (f"{name}.{n}.{end}" for n in count(2)))
        names[path] = next(p for p in (directory + slash + option for option in options) if p not in taken)
        taken.add(names[path])
    return names
