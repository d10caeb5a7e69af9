"""Where a partition has landed, and how later stages get at what ingest has read there. Not a job itself.

A file's bytes are in its row: one large part is read more cheaply than many small files. A pack's are read again where
it landed: it is such a part itself.
"""

from __future__ import annotations

import hashlib
from typing import Final

import pyarrow as pa
from lake import Run
from packs import read_row_group
from parts import Row

from chromapress.decode import Undecodable
from chromapress.outcome import Outcome

# What Landed.content needs of a row of tables.INGESTED.
WHERE: Final = ("relative_path", "sha256", "content", "pack", "row_group", "row")


def landing(run: Run) -> str:
    """The URI of the partition's landing directory."""
    uri = run.config.source.uri
    return run.partition.landing if uri == "landing" else uri.replace("{partition}", run.partition.partition)


class Landed:
    """What was ingested of a landing directory, for rows of tables.INGESTED in about the order of ingest."""

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._place: tuple[str, int] | None = None
        self._contents: pa.ChunkedArray  # of the row group that was read last

    def content(self, row: Row) -> bytes:
        """An image's file, byte for byte; Undecodable where its pack holds another one now, or is gone."""
        if row["pack"] is None:
            return bytes(row["content"])
        place = row["pack"], row["row_group"]
        try:
            if self._place != place:
                self._contents = read_row_group(self._uri, *place, "content")["content"]
                self._place = place
            content = bytes(self._contents[row["row"]].as_py() or b"")
        except (FileNotFoundError, pa.ArrowInvalid, IndexError) as error:
            raise _changed(row, f": {' '.join(str(error).split())}") from None
        if hashlib.sha256(content).hexdigest() != row["sha256"]:
            raise _changed(row, "")
        return content


def _changed(row: Row, why: str) -> Undecodable:
    return Undecodable(Outcome.REJECTED, "changed", f"{row['pack']} is not the pack any more that ingest has read{why}")
