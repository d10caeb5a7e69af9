"""One histogram for many images: what a shared palette is chosen and clustered on. Not a job itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql.pandas.types import from_arrow_schema

from chromapress.histogram import Histogram

# A colour as one integer, RGBA from the highest byte down, so that its order is the histogram's.
POOLED = pa.schema([("rgba", pa.int64()), ("count", pa.int64())])


def pooled(histograms: DataFrame) -> DataFrame:
    """The sum of all images' histograms (columns colors, counts): one row for each distinct colour, POOLED.

    Each partition merges its own first, so that what is shuffled grows with distinct colours, not with images.
    """
    merged = histograms.mapInArrow(_merge_partition, from_arrow_schema(POOLED))
    return merged.groupBy("rgba").sum("count").withColumnRenamed("sum(count)", "count")


def collected(pool: DataFrame) -> Histogram:
    """A pooled histogram as the engine's, on the driver: at most 2^24 opaque colours, 12 bytes each."""
    table = pool.orderBy("rgba").toArrow()
    packed = table.column("rgba").to_numpy().astype(">u4")
    return Histogram(packed.view(np.uint8).reshape(-1, 4).copy(), table.column("count").to_numpy().astype(np.int64))


def unpacked(batch: pa.RecordBatch) -> Iterator[Histogram]:
    """The histograms of a batch with the columns colors and counts."""
    for colors, counts in zip(batch.column("colors"), batch.column("counts"), strict=True):
        yield Histogram.unpacked(colors.as_py(), counts.as_py())


def _merge_partition(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    merged = Histogram.merged([])
    for batch in batches:
        merged = Histogram.merged([merged, *unpacked(batch)])
    rgba = merged.colors.view(">u4").ravel().astype(np.int64)
    yield pa.RecordBatch.from_arrays([pa.array(rgba), pa.array(merged.counts)], schema=POOLED)
