"""Published images to keep: one, some or all of them, as they are. An archive is made while it is sent.

Images do not compress again, so that an archive only puts them one behind the other: in the order of their paths,
byte for byte the same each time, and in memory a piece of one image.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from itertools import groupby
from typing import IO, Any, Final
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq

from chromapress.publication import Publication

_PIECE_BYTES: Final = 1 << 20
# The first moment that the format knows: an archive depends on the images alone.
_MOMENT: Final = (1980, 1, 1, 0, 0, 0)
_MODE: Final = 0o644 << 16


def disposition(name: str) -> str:
    """The header that makes a browser save an answer under a name, whatever letters it has (RFC 6266)."""
    plain = re.sub(r"[^A-Za-z0-9._ -]", "_", name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def pieces(publication: Publication, published_path: str, pack: int | None) -> Iterator[bytes]:
    """One published file."""
    if pack is not None:
        yield publication.image(published_path, pack)
        return
    with publication.store.reader(f"{publication.paths.images}/{published_path}") as reader:
        yield from _read(reader)


def archive(publication: Publication, rows: pa.Table) -> Iterator[bytes]:
    """A ZIP file of published images, given as Gallery.published() has them."""
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED, allowZip64=True) as target:
        for row, content in _contents(publication, rows.to_pylist()):
            entry = zipfile.ZipInfo(row["published_path"], _MOMENT)
            entry.external_attr = _MODE
            entry.file_size = row["published_size_bytes"]
            with target.open(entry, "w") as file:
                for piece in content:
                    file.write(piece)
                    if sink.size >= _PIECE_BYTES:
                        yield sink.take()
    yield sink.take()


def _contents(publication: Publication, rows: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], Iterator[bytes]]]:
    """Each row with its content; of packs, a row group at a time."""
    for pack, some in groupby(rows, lambda row: row["pack"]):
        if pack is None:
            for row in some:
                yield row, pieces(publication, row["published_path"], None)
            continue
        wanted = {row["published_path"]: row for row in some}
        with publication.store.reader(f"{publication.paths.images}/part-{pack:05}.parquet") as file:
            packed = pq.ParquetFile(file)
            for group in range(packed.num_row_groups):
                names = packed.read_row_group(group, ["published_path"])["published_path"].to_pylist()
                if wanted.keys().isdisjoint(names):
                    continue
                contents = packed.read_row_group(group, ["content"])["content"]
                for name, content in zip(names, contents, strict=True):
                    if name in wanted:
                        yield wanted[name], iter([content.as_py()])


def _read(reader: IO[bytes] | Any) -> Iterator[bytes]:
    while piece := reader.read(_PIECE_BYTES):
        yield bytes(piece)


class _Sink:
    """What a ZIP file is written to that goes on to somebody else: it cannot go back."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self.size = 0

    def write(self, piece: bytes) -> int:
        self._pieces.append(bytes(piece))
        self.size += len(piece)
        return len(piece)

    def flush(self) -> None:
        """Nothing waits here."""

    def close(self) -> None:
        """Nothing is open."""

    def take(self) -> bytes:
        taken, self._pieces, self.size = b"".join(self._pieces), [], 0
        return taken
