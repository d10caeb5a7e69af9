"""Where a partition has landed, and how later stages get at what ingest has read there. Not a job itself.

A file's bytes are in its row: one large part is read more cheaply than many small files. A pack's are read again where
it landed: it is such a part itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Final

import pyarrow as pa
from lake import Run
from packs import read_row_group
from parts import Row, beside, part_path, read_part

from chromapress.decode import Undecodable
from chromapress.outcome import Outcome
from chromapress.paths import RunPaths

# What Landed.content needs of a row of tables.INGESTED.
WHERE: Final = ("relative_path", "sha256", "content", "pack", "row_group", "row")
# What ingest finds out of a file, or quantize, where ingest does not read it: tables.INGESTED and QUANTIZED.
FOUND: Final = ("size_bytes", "sha256", "format", "mode")


def landing(run: Run) -> str:
    """The URI of the partition's landing directory."""
    uri = run.config.source.uri
    return run.partition.landing if uri == "landing" else uri.replace("{partition}", run.partition.partition)


def sources(part: int, paths: RunPaths) -> Iterator[Row]:
    """The images of a part as Landed.content needs them, once they are quantized."""
    images = read_part(part_path(paths, "ingest", part), *WHERE)
    quantized = read_part(part_path(paths, "quantize", part), "relative_path", "sha256")
    for image, found in beside(images, quantized):
        yield image | (found or {})


class Landed:
    """What was ingested of a landing directory, for rows of tables.INGESTED in about the order of ingest."""

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._place: tuple[str, int] | None = None
        self._rows: pa.Table  # of the row group that was read last

    def content(self, row: Row) -> bytes:
        """An image's file, byte for byte; Undecodable where its pack holds another one now, or is gone.

        Its sum is compared where it is known.
        """
        if row["pack"] is None:
            return bytes(row["content"])
        place = row["pack"], row["row_group"]
        try:
            if self._place != place:
                self._rows = read_row_group(self._uri, *place, "relative_path", "content")
                self._place = place
            path = self._rows["relative_path"][row["row"]].as_py()
            content = bytes(self._rows["content"][row["row"]].as_py() or b"")
        except (FileNotFoundError, pa.ArrowInvalid, IndexError) as error:
            raise _changed(row, f": {' '.join(str(error).split())}") from None
        other_sum = row["sha256"] is not None and row["sha256"] != hashlib.sha256(content).hexdigest()
        if path != row["relative_path"] or other_sum:
            raise _changed(row, "")
        return content


def _changed(row: Row, why: str) -> Undecodable:
    return Undecodable(Outcome.REJECTED, "changed", f"{row['pack']} is not the pack any more that ingest has read{why}")
