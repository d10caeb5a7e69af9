"""The rows of a manifest as people look at them: filtered, sorted, searched and a page at a time, at once for 100,000.

A gallery belongs to one published version, which never changes; so does every order that was once computed.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from chromapress.outcome import NEW_FILES

# What of the manifest is kept in memory: about 0.2 kB for each image.
COLUMNS: Final = [
    *("relative_path", "published_path", "pack", "outcome", "reason", "format", "codec", "k"),
    *("source_size_bytes", "source_sha256", "published_size_bytes", "psnr_db", "ssim", "delta_e", "width", "height"),
]
Sort = Literal["path", "saving", "psnr", "size", "k"]
Order = Literal["asc", "desc"]
# Searches whose answer is remembered: people turn pages.
_MASKS: Final = 8


@dataclass(frozen=True)
class View:
    """Which images, and in which order."""

    sort: Sort = "path"
    order: Order = "asc"
    outcome: str = ""
    search: str = ""


class Gallery:
    """The images of one published version. Rows are those of COLUMNS, sorted by relative_path."""

    def __init__(self, rows: pa.Table) -> None:
        self._rows = rows.select(COLUMNS).combine_chunks()
        self._names = pc.utf8_lower(self._rows["relative_path"])
        self._orders: dict[tuple[Sort, Order], NDArray[np.int64]] = {}
        self._masks: OrderedDict[tuple[str, str], NDArray[np.bool_]] = OrderedDict()
        self._turn = threading.Lock()

    def __len__(self) -> int:
        return int(self._rows.num_rows)

    def page(self, view: View, offset: int, limit: int) -> tuple[int, list[dict[str, Any]]]:
        """How many images there are to see, and those from `offset` on."""
        order, mask = self._ordered(view.sort, view.order), self._chosen(view.outcome, view.search)
        places = order if mask is None else order[mask[order]]
        found = self._rows.take(places[offset : offset + limit]).to_pylist()
        return len(places), [image(row) for row in found]

    def row(self, path: str) -> dict[str, Any] | None:
        """The manifest's row of one image, by its source's path."""
        place = pc.index(self._rows["relative_path"], path).as_py()
        return None if place < 0 else dict(self._rows.slice(place, 1).to_pylist()[0])

    def published(self, paths: list[str] | None = None) -> pa.Table:
        """published_path, pack and published_size_bytes of these images, or of all, in the order of their paths."""
        rows = self._rows.filter(pc.is_valid(self._rows["published_path"]))
        if paths is not None:
            rows = rows.filter(pc.is_in(rows["relative_path"], pa.array(paths, pa.string())))
        return rows.select(["published_path", "pack", "published_size_bytes"])

    def _ordered(self, sort: Sort, order: Order) -> NDArray[np.int64]:
        """Row numbers in an order. What has no value comes last; equals in the order of their paths."""
        if (sort, order) not in self._orders:
            ascending = order == "asc"
            if sort == "path":
                places = np.arange(len(self)) if ascending else np.arange(len(self))[::-1]
            else:
                values = self._values(sort)
                places = np.argsort(values if ascending else -values, kind="stable")
            self._orders[sort, order] = places
        return self._orders[sort, order]

    def _values(self, sort: Sort) -> NDArray[np.float64]:
        source = _floats(self._rows["source_size_bytes"])
        published = _floats(self._rows["published_size_bytes"])
        if sort == "size":
            return published
        if sort == "saving":
            with np.errstate(divide="ignore", invalid="ignore"):
                return 1 - published / source
        values = _floats(self._rows["psnr_db" if sort == "psnr" else "k"])
        is_new = pc.is_in(self._rows["outcome"], pa.array(NEW_FILES)).to_numpy()
        return np.where(is_new, values, np.nan)

    def _chosen(self, outcome: str, search: str) -> NDArray[np.bool_] | None:
        """Which rows are to be seen; None for all."""
        if not outcome and not search:
            return None
        key = (outcome, search.lower())
        with self._turn:
            if key in self._masks:
                self._masks.move_to_end(key)
                return self._masks[key]
        chosen = np.ones(len(self), bool)
        if outcome:
            chosen &= pc.equal(self._rows["outcome"], outcome).to_numpy()
        if search:
            chosen &= pc.match_substring(self._names, key[1]).to_numpy()
        with self._turn:
            self._masks[key] = chosen
            if len(self._masks) > _MASKS:
                self._masks.popitem(last=False)
        return chosen


def image(row: dict[str, Any]) -> dict[str, Any]:
    """A manifest's row in the API's words. Quality and colours are those of a new file: a kept source has its own."""
    is_new = row["outcome"] in NEW_FILES
    source, published = row["source_size_bytes"], row["published_size_bytes"]
    of_new = {key: row[key] if is_new else None for key in ("k", "codec", "ssim", "delta_e")}
    psnr = row["psnr_db"]
    return {
        "path": row["relative_path"],
        "output_path": row["published_path"],
        "outcome": row["outcome"],
        "reason": row["reason"],
        "source_bytes": source,
        "published_bytes": published,
        "saving_percent": 100 * (1 - published / source) if source and published is not None else None,
        # Nothing was lost, and JSON has no word for infinite.
        "psnr_db": psnr if is_new and psnr is not None and np.isfinite(psnr) else None,
        "width": row["width"],
        "height": row["height"],
        **of_new,
    }


def _floats(column: pa.ChunkedArray) -> NDArray[np.float64]:
    values: NDArray[np.float64] = column.cast(pa.float64()).to_numpy()  # null becomes nan
    return values
