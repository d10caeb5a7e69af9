"""What a run amounts to, from its manifest: the counts, bytes and quality that run.json and the report begin with."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from chromapress.outcome import NEW_FILES, Outcome

_SUMMED: Final = [
    "outcome",
    "source_size_bytes",
    "published_size_bytes",
    "psnr_db",
    "ssim",
    "flat_colors",
    "rules_disagree",
]


def summary(manifest: pa.Table) -> dict[str, Any]:
    """Of the rows of a manifest (tables.MANIFEST), as JSON can hold it.

    images           rows
    outcomes         {outcome: images}, those that occur, in the order of Outcome
    bytes_in         of the sources, without those of rejected images
    rejected_bytes   of the sources of rejected images
    bytes_out        of what is published
    saved_percent    of bytes_in; 0.0 where there are none
    psnr_db, ssim    {min, mean} over the new files; PSNR over those that are not exact. None where there are none
    flat_graphics    images that consist of flat colours
    rules_disagree   images for which silhouette and floor want very different k
    """
    manifest = manifest.select(_SUMMED)
    rejected = pc.equal(manifest["outcome"], Outcome.REJECTED.value)
    bytes_in = _total(manifest["source_size_bytes"].filter(pc.invert(rejected)))
    bytes_out = _total(manifest["published_size_bytes"])
    new = manifest.filter(pc.is_in(manifest["outcome"], pa.array(NEW_FILES)))
    return {
        "images": manifest.num_rows,
        "outcomes": outcomes(manifest),
        "bytes_in": bytes_in,
        "rejected_bytes": _total(manifest["source_size_bytes"].filter(rejected)),
        "bytes_out": bytes_out,
        "saved_percent": saved_percent(bytes_in, bytes_out),
        "psnr_db": _least_and_mean(new["psnr_db"]),
        "ssim": _least_and_mean(new["ssim"]),
        "flat_graphics": pc.count(manifest["flat_colors"]).as_py(),
        "rules_disagree": _total(manifest["rules_disagree"].cast(pa.int64())),
    }


def outcomes(manifest: pa.Table) -> dict[str, int]:
    """{outcome: images}, those that occur, in the order of Outcome."""
    counted = {row["values"]: row["counts"] for row in pc.value_counts(manifest["outcome"]).to_pylist()}
    return {outcome.value: counted[outcome.value] for outcome in Outcome if outcome.value in counted}


def saved_percent(bytes_in: int, bytes_out: int) -> float:
    """What is saved of bytes_in; negative where more came out; 0.0 of nothing."""
    return 100 * (1 - bytes_out / bytes_in) if bytes_in else 0.0


def _total(column: pa.ChunkedArray) -> int:
    return pc.sum(column).as_py() or 0


def _least_and_mean(column: pa.ChunkedArray) -> dict[str, float] | None:
    values = column.drop_null().to_numpy()
    values = values[np.isfinite(values)]
    return {"min": float(values.min()), "mean": float(values.mean())} if len(values) else None
