"""The paper's experiment: MLlib on pixels and the engine on the histogram find the same."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pyspark.sql import SparkSession

from tests.landing_set import icon, photograph


def test_from_the_same_start_both_find_the_same_centres_sizes_and_silhouette(spark: SparkSession) -> None:
    import experiment

    pixels = np.asarray(photograph("coffee.png", 40, 20, 96, 72))
    frame = experiment.pixel_frame(spark, pixels)
    theirs, ours = experiment.compared(frame, pixels, 10)
    assert np.abs(theirs.centres - ours.centres).max() < 0.5
    assert np.abs(theirs.sizes - ours.sizes).sum() <= 2  # of pixels that are as near to one centre as to another
    assert theirs.sizes.sum() == ours.sizes.sum() == 96 * 72
    assert ours.silhouette == pytest.approx(theirs.silhouette, abs=1e-4)


def test_the_command_prints_tables_and_leaves_plots(spark: SparkSession, tmp_path: Path) -> None:
    import experiment

    photograph("chelsea.png", 40, 20, 64, 48).save(tmp_path / "photo.png")
    told: list[str] = []
    options = ["--k", "4", "--candidates", "2,3,5", "--output", str(tmp_path / "out")]
    assert experiment.main([str(tmp_path / "photo.png"), *options], told.append) == 0
    text = "\n".join(told)
    assert "64x48, 3,072 pixels" in text
    assert re.search(r"All 3 candidates: MLlib [\d.]+ CPU s", text)
    for name in ("images.png", "silhouettes.png"):
        with Image.open(tmp_path / "out" / name) as plot:
            assert plot.width > 500


@pytest.mark.parametrize("name", ["missing.png", "icon.png", "text.png"])
def test_what_it_cannot_do_it_says(tmp_path: Path, spark: SparkSession, name: str) -> None:
    import experiment

    icon(1).save(tmp_path / "icon.png")
    (tmp_path / "text.png").write_text("no image")
    told: list[str] = []
    assert experiment.main([str(tmp_path / name)], told.append) == 64
    assert told[0].startswith("experiment.py: error: ")
