"""One histogram for many images: what a shared palette is chosen and clustered on. Not a job itself.

The images that share a palette are a group: all of the dataset, or those of one folder. Histograms are merged by the
engine, first within each partition and then, after one shuffle, by group and block of colours, so that what is moved
and kept grows with distinct colours, not with images. Nothing here goes through the driver.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np
import pyarrow as pa
from pyspark.sql import Column, DataFrame, functions
from pyspark.sql.pandas.types import from_arrow_schema

from chromapress.config import DatasetConfig
from chromapress.histogram import Histogram

# A block is the colours of one group whose red has the same four highest bits: at most 2^20 opaque ones.
_BLOCK_SHIFT: Final = 4
# Colours that wait in a worker before they are merged: 50 MB.
_PENDING_COLORS: Final = 1 << 22

# counts are int64, whose sum over any number of images fits.
BLOCKS: Final = pa.schema(
    [
        pa.field("group", pa.string()),
        pa.field("block", pa.int32()),
        pa.field("colors", pa.binary()),  # uint8 [n, 4], see the engine's contract
        pa.field("counts", pa.binary()),  # int64 [n]
    ]
)
# A colour as one integer, RGBA from the highest byte down, so that its order is the histogram's.
COLORS: Final = pa.schema([("rgba", pa.int64()), ("count", pa.int64())])


def group_of(config: DatasetConfig) -> Column:
    """The group of an image by its relative_path: its folder, or one for all."""
    if config.palette.scope == "folder":
        return functions.regexp_extract("relative_path", "(?s)^(.*)/[^/]*$", 1)
    return functions.lit("")


def group_name(relative_path: str, config: DatasetConfig) -> str:
    """What group_of says of one path."""
    return relative_path.rpartition("/")[0] if config.palette.scope == "folder" else ""


def pooled(histograms: DataFrame) -> DataFrame:
    """The sum of each group's histograms (columns group, colors, counts as in tables.INGESTED): BLOCKS."""
    schema = from_arrow_schema(BLOCKS)
    merged = histograms.select("group", "colors", "counts").mapInArrow(_merge_images, schema)
    by_block = merged.repartition("group", "block").sortWithinPartitions("group", "block")
    return by_block.mapInArrow(_merge_blocks, schema)


def colors_of(blocks: DataFrame) -> DataFrame:
    """One row for each distinct colour of one group's blocks: COLORS."""
    return blocks.select("colors", "counts").mapInArrow(_exploded, from_arrow_schema(COLORS))


def whole(blocks: pa.Table) -> list[Histogram]:
    """All blocks of one group, in the order of their colours."""
    return [_histogram(row["colors"], row["counts"]) for row in blocks.sort_by("block").to_pylist()]


def unpacked(batch: pa.RecordBatch) -> Iterator[Histogram]:
    """The histograms of a batch with the columns colors and counts as in tables.INGESTED."""
    for colors, counts in zip(batch.column("colors"), batch.column("counts"), strict=True):
        yield Histogram.unpacked(colors.as_py(), counts.as_py())


class _Sums:
    """Running sums of histograms by key, merged now and then so that each colour is moved a few times only."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[Histogram]] = defaultdict(list)
        self._colors = 0
        self._merge_at = _PENDING_COLORS

    def add(self, key: str, histogram: Histogram) -> None:
        self._waiting[key].append(histogram)
        self._colors += len(histogram)
        if self._colors >= self._merge_at:
            self._merge()
            # Twice what is there: the work of merging stays proportional to what has been added.
            self._merge_at = max(_PENDING_COLORS, 2 * self._colors)

    def _merge(self) -> None:
        for key, some in self._waiting.items():
            self._waiting[key] = [Histogram.merged(some)]
        self._colors = sum(len(some[0]) for some in self._waiting.values())

    def __iter__(self) -> Iterator[tuple[str, Histogram]]:
        self._merge()
        return ((key, some[0]) for key, some in self._waiting.items())


def _merge_images(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    sums = _Sums()
    for batch in batches:
        for group, histogram in zip(batch.column("group").to_pylist(), unpacked(batch), strict=True):
            sums.add(group, histogram)
    for group, histogram in sums:
        blocks = histogram.colors[:, 0] >> _BLOCK_SHIFT
        for block in np.unique(blocks):
            yield _row(group, int(block), histogram, *np.searchsorted(blocks, [block, block + 1]))


def _merge_blocks(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Rows come sorted: those of one group and block follow each other."""
    key: tuple[str, int] | None = None
    sums = _Sums()
    for batch in batches:
        for row in batch.to_pylist():
            if key != (row["group"], row["block"]):
                yield from _rows(key, sums)
                key, sums = (row["group"], row["block"]), _Sums()
            sums.add("", _histogram(row["colors"], row["counts"]))
    yield from _rows(key, sums)


def _rows(key: tuple[str, int] | None, sums: _Sums) -> Iterator[pa.RecordBatch]:
    for _, histogram in sums:
        if key is not None:
            yield _row(*key, histogram, 0, len(histogram))


def _row(group: str, block: int, histogram: Histogram, begin: int, end: int) -> pa.RecordBatch:
    colors, counts = histogram.colors[begin:end], histogram.counts[begin:end]
    row = {"group": group, "block": block, "colors": colors.tobytes(), "counts": counts.tobytes()}
    return pa.RecordBatch.from_pylist([row], BLOCKS)


def _histogram(colors: bytes, counts: bytes) -> Histogram:
    return Histogram(np.frombuffer(colors, np.uint8).reshape(-1, 4), np.frombuffer(counts, np.int64))


def _exploded(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        for row in batch.to_pylist():
            histogram = _histogram(row["colors"], row["counts"])
            rgba = histogram.colors.view(">u4").ravel().astype(np.int64)
            yield pa.RecordBatch.from_arrays([pa.array(rgba), pa.array(histogram.counts)], schema=COLORS)
