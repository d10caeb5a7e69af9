"""Where a partition has landed, and how the stages get at its images there. Not a job itself.

Nothing is copied that is read more cheaply where it landed: a pack, and a file that is not small.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial
from typing import Final

import pyarrow as pa
from lake import Run, sentence
from packs import read_row_group
from parts import Row, beside, part_path, read_part, waiting

from chromapress.config import Limits
from chromapress.decode import Undecodable, check_size
from chromapress.outcome import Outcome
from chromapress.paths import RunPaths
from chromapress.storage import open_source

# Where an image's bytes are, in tables.INGESTED; and all of it that Landed needs to get them.
PLACE: Final = ("content", "pack", "row_group", "row")
WHERE: Final = ("relative_path", "size_bytes", "sha256", *PLACE)
# What ingest finds out of a file, or quantize, where ingest does not read it: tables.INGESTED and QUANTIZED.
FOUND: Final = ("size_bytes", "sha256", "format", "mode")

# A file that its store could not give is asked for again: a DataNode that went away is replaced by then.
_READ_AGAIN_AFTER_S: Final = (1, 4)
# So many files, and bytes, are read at once.
_READERS: Final = 8
_READ_BYTES: Final = 16 << 20
_OTHER_FILE: Final = "it is not the file any more that ingest has found"


def landing(run: Run) -> str:
    """The URI of the partition's landing directory."""
    uri = run.config.source.uri
    return run.partition.landing if uri == "landing" else uri.replace("{partition}", run.partition.partition)


def sources(part: int, paths: RunPaths) -> Iterator[Row]:
    """The images of a part as Landed needs them, once they are quantized."""
    images = read_part(part_path(paths, "ingest", part), *WHERE)
    quantized = read_part(part_path(paths, "quantize", part), "relative_path", "sha256")
    for image, found in beside(images, quantized):
        yield image | (found or {})


class Landed:
    """What has landed in a directory, for rows of tables.INGESTED in about the order of ingest."""

    def __init__(self, uri: str, limits: Limits) -> None:
        self._uri = uri
        self._limits = limits
        self._place: tuple[str, int] | None = None
        self._rows: pa.Table  # of the row group that was read last

    def contents(self, rows: Iterable[Row]) -> Iterator[tuple[Row, Callable[[], bytes]]]:
        """Each of them, and what gives its file, as `content` does; files are read several at once."""
        # Reading a small file is mostly waiting.
        with ThreadPoolExecutor(_READERS) as readers:
            for some in _at_once(rows):
                reading = {
                    row["relative_path"]: readers.submit(self.content, row)
                    for row in some
                    if row["content"] is None and row["pack"] is None
                }
                with waiting():
                    wait(reading.values())
                for row in some:
                    read = reading.pop(row["relative_path"], None)
                    yield row, read.result if read else partial(self.content, row)

    def content(self, row: Row) -> bytes:
        """An image's file, byte for byte; Undecodable where it is too large, another one now, or gone.

        Its sum is compared where it is known.
        """
        if row["content"] is not None:
            return bytes(row["content"])
        content = self._of_file(row) if row["pack"] is None else self._of_pack(row)
        if row["sha256"] is not None and row["sha256"] != hashlib.sha256(content).hexdigest():
            raise _changed(row)
        return content

    def _of_file(self, row: Row) -> bytes:
        check_size(row["size_bytes"], self._limits)
        source, directory = open_source(self._uri)
        path = f"{directory.rstrip('/')}/{row['relative_path']}"
        pauses = iter(_READ_AGAIN_AFTER_S)
        while True:
            try:
                return source.read(path)
            except FileNotFoundError as error:
                raise _changed(row, error) from None
            except OSError as error:
                pause = next(pauses, None)
                if pause is None:
                    # Whoever still answers for the directory tells a lost file from a lost store.
                    source.exists(path)
                    raise Undecodable(Outcome.REJECTED, "unreadable", sentence(error)) from None
            time.sleep(pause)

    def _of_pack(self, row: Row) -> bytes:
        place = row["pack"], row["row_group"]
        try:
            if self._place != place:
                self._rows = read_row_group(self._uri, *place, "relative_path", "content")
                self._place = place
            path = self._rows["relative_path"][row["row"]].as_py()
            content = bytes(self._rows["content"][row["row"]].as_py() or b"")
        except (FileNotFoundError, pa.ArrowInvalid, IndexError) as error:
            raise _changed(row, error) from None
        if path != row["relative_path"]:
            raise _changed(row)
        return content


def _at_once(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """In their order, so many that their files fit in memory together."""
    some: list[Row] = []
    size = 0
    for row in rows:
        more = row.get("size_bytes") or 0
        if some and (len(some) == _READERS or size + more > _READ_BYTES):
            yield some
            some, size = [], 0
        some.append(row)
        size += more
    if some:
        yield some


def _changed(row: Row, error: BaseException | None = None) -> Undecodable:
    what = f"{row['pack']} is not the pack any more that ingest has read" if row["pack"] else _OTHER_FILE
    why = f": {sentence(error)}" if error else ""
    return Undecodable(Outcome.REJECTED, "changed", what + why)
