"""Lines and tables for people at a terminal, which pipes and pagers can take as well."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def shown(name: str) -> str:
    """A name on one line, without effect on the terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in name)


def size(count: int) -> str:
    return f"{count:,}"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], left: Sequence[int]) -> str:
    """Aligned columns; those in `left` are set to the left, the others, numbers, to the right."""
    lines = [list(heads), *(list(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column in left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )
