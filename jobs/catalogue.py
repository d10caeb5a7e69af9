"""All images of a run, where they meet: for names that stay apart, and for one order. Not a job itself.

In a database on disk (SQLite), so that memory does not grow with images: the index of their paths sorts, and what is
told of each is put away and found again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

from chromapress import naming
from chromapress.outcome import NEW_FILES, Outcome

# Texts are ordered by the bytes of their UTF-8.
_TABLES: Final = """
    CREATE TABLE image (
        number INTEGER PRIMARY KEY, relative_path TEXT UNIQUE, outcome TEXT, codec TEXT, part INTEGER, "group" INTEGER,
        pack INTEGER, published_path TEXT
    );
    CREATE TABLE manifest (number INTEGER PRIMARY KEY, told BLOB);
"""
_IMAGE: Final = "INSERT INTO image VALUES (:number, :relative_path, :outcome, :codec, :part, :group, :pack, NULL)"


class Catalogue:
    """A row for each landed file. `images` are taken in as they come; what is `told` of each is not looked into.

    folder: for a file of some kilobytes an image, which is the caller's to delete
    images: with relative_path, which no two share, outcome, codec, part, group, pack and told
    """

    def __init__(self, folder: str, images: Iterable[Mapping[str, Any]]) -> None:
        self._base = sqlite3.connect(f"{folder}/catalogue.sqlite")
        # Nobody reads it after us: it needs no journal, and is never committed.
        self._base.execute("PRAGMA journal_mode = OFF")
        self._base.executescript(_TABLES)
        for number, image in enumerate(images):
            self._base.execute(_IMAGE, {"number": number, **image})
            self._base.execute("INSERT INTO manifest VALUES (?, ?)", (number, image["told"]))
        self._base.create_function("family", 1, naming.family, deterministic=True)
        self._name()

    def close(self) -> None:
        self._base.close()

    def _name(self) -> None:
        """Name all that is published. Whose names can meet, follow each other."""
        published = self._base.execute(
            "SELECT family(relative_path) AS family, number, relative_path, outcome, codec FROM image"
            " WHERE outcome != ? ORDER BY family",
            (Outcome.REJECTED.value,),
        )
        for _, some in groupby(published, key=itemgetter(0)):
            numbers = {}
            sources = []
            for _, number, path, outcome, codec in some:
                numbers[path] = number
                sources.append((path, codec if outcome in NEW_FILES else None))
            names = naming.published_paths(sources)
            named = ((name, numbers[path]) for path, name in names.items())
            self._base.executemany("UPDATE image SET published_path = ? WHERE number = ?", named)

    def outcomes(self) -> dict[str, int]:
        """{outcome: images}"""
        return dict(self._base.execute("SELECT outcome, count(*) FROM image GROUP BY outcome"))

    def by_path(self) -> Iterator[tuple[str, int | None, bytes]]:
        """published_path, pack and what was told of each image, in the order of relative_path."""
        # CROSS JOIN keeps the order of the tables: what is told is looked up, not sorted.
        return self._base.execute(
            "SELECT published_path, pack, told FROM image CROSS JOIN manifest USING (number) ORDER BY relative_path"
        )

    def by_group(self) -> Iterator[Iterator[dict[str, Any]]]:
        """Part, pack, paths and outcome of what is published, by group, in the order of their coming."""
        columns = ("group", "part", "pack", "relative_path", "published_path", "outcome")
        rows = self._base.execute(
            'SELECT "group", part, pack, relative_path, published_path, outcome FROM image'
            " WHERE published_path IS NOT NULL ORDER BY number"
        )
        for _, some in groupby(rows, key=itemgetter(0)):
            yield (dict(zip(columns, row, strict=True)) for row in some)

    def part(self, relative_path: str) -> int:
        """The part of one image."""
        (part,) = self._base.execute("SELECT part FROM image WHERE relative_path = ?", (relative_path,)).fetchone()
        return int(part)
