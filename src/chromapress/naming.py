"""What published files are called: the source's name, .png where it is a new file; names that meet all stay.

a.jpg becomes a.png, unless there is an a.png: then a.jpg.png. Names can only meet within one directory and up to their
first dot, so that each such group can be named by itself, wherever it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, count
from typing import Final

# The names that can meet have this beginning in common (a regular expression for Python and Java alike).
GROUP: Final = r"(?s)^(?:.*/)?[^/][^./]*"


def published_paths(sources: Sequence[tuple[str, bool]]) -> dict[str, str]:
    """The published path of each source, given as (relative path, whether it is a new file), of one or more groups.

    Kept sources and new files of .png sources have their own names; the others, in the order of their names, the first
    that is free.
    """
    settled = {path for path, is_new in sources if not is_new or path.lower().endswith(".png")}
    names = {path: path for path in settled}
    taken = set(settled)
    for path in sorted(path for path, _ in sources if path not in settled):
        directory, slash, name = path.rpartition("/")
        stem = name.rpartition(".")[0] or name
        options = chain((f"{stem}.png", f"{name}.png"), (f"{name}.{n}.png" for n in count(2)))
        names[path] = next(p for p in (directory + slash + option for option in options) if p not in taken)
        taken.add(names[path])
    return names
