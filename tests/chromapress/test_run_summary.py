"""What a run amounts to."""

import json
import math
from typing import Any

import pyarrow as pa
import pytest

from chromapress.outcome import Outcome
from chromapress.run_summary import summary
from chromapress.tables import MANIFEST


def manifest(*rows: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), MANIFEST)


def row(
    outcome: str, source: int, published: int | None, psnr_db: float | None = None, ssim: float | None = None
) -> Any:
    return {
        "outcome": outcome,
        "source_size_bytes": source,
        "published_size_bytes": published,
        "psnr_db": psnr_db,
        "ssim": ssim,
    }


def test_counts_bytes_and_quality() -> None:
    told = summary(
        manifest(
            row("published", 1000, 200, 33.0, 0.9) | {"rules_disagree": True},
            row("published", 1000, 300, 35.0, 0.96),
            row("published_lossless", 500, 100, math.inf, 1.0) | {"flat_colors": 5, "rules_disagree": False},
            row("kept_larger", 400, 400, 31.0, 0.5),
            row("kept_animated", 100, 100),
            row("rejected", 7000, None),
        )
    )
    assert told == {
        "images": 6,
        "outcomes": {"published": 2, "published_lossless": 1, "kept_larger": 1, "kept_animated": 1, "rejected": 1},
        "bytes_in": 3000,
        "rejected_bytes": 7000,
        "bytes_out": 1100,
        "saved_percent": pytest.approx(100 * (1 - 1100 / 3000)),
        "psnr_db": {"min": 33.0, "mean": 34.0},
        "ssim": {"min": 0.9, "mean": pytest.approx((0.9 + 0.96 + 1) / 3)},
        "flat_graphics": 1,
        "rules_disagree": 1,
    }
    assert list(told["outcomes"]) == [outcome for outcome in Outcome if outcome in told["outcomes"]]
    json.dumps(told, allow_nan=False)


def test_without_new_files_there_is_no_quality() -> None:
    told = summary(manifest(row("rejected", 10, None), row("kept_quality", 50, 50, 20.0, 0.5)))
    assert (told["psnr_db"], told["ssim"], told["saved_percent"]) == (None, None, 0.0)


def test_exact_files_alone_have_no_psnr() -> None:
    told = summary(manifest(row("published_lossless", 10, 5, math.inf, 1.0)))
    assert told["psnr_db"] is None
    assert told["ssim"] == {"min": 1.0, "mean": 1.0}


def test_nothing_landed_is_nothing() -> None:
    told = summary(manifest())
    assert (told["images"], told["outcomes"], told["bytes_in"], told["saved_percent"]) == (0, {}, 0, 0.0)
