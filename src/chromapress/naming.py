"""What published files are called: the source's name, with the suffix of a new file's codec; names that meet all stay.

As PNG, a.jpg becomes a.png, unless there is an a.png: then a.jpg.png. Names can only meet within one directory and up
to their first dot, so that each such group can be named by itself, wherever it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, count
from typing import Final

# The names that can meet have this beginning in common (a regular expression for Python and Java alike).
GROUP: Final = r"(?s)^(?:.*/)?[^/][^./]*"


def published_paths(sources: Sequence[tuple[str, str | None]]) -> dict[str, str]:
    """The published path of each source, given as (relative path, the new file's codec or None), of one or more groups.

    Kept sources and new files with their source's suffix have their own names; the others, in the order of their names,
    the first that is free.
    """
    settled = {path for path, codec in sources if codec is None or path.lower().endswith(f".{codec}")}
    names = {path: path for path in settled}
    taken = set(settled)
    codecs = dict(sources)
    for path in sorted(codecs.keys() - settled):
        codec = codecs[path]
        directory, slash, name = path.rpartition("/")
        stem = name.rpartition(".")[0] or name
        options = chain((f"{stem}.{codec}", f"{name}.{codec}"), (f"{name}.{n}.{codec}" for n in count(2)))
        names[path] = next(p for p in (directory + slash + option for option in options) if p not in taken)
        taken.add(names[path])
    return names
