"""What is as large as it may be: images of 100 megapixels, and a dataset of all 2^24 opaque colours."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from PIL import Image

from chromapress import publication
from chromapress.paths import STAGES, DatasetPaths
from chromapress.storage import hdfs as store_of
from stack.hdfs import Address

pytestmark = [pytest.mark.long, pytest.mark.timeout(7200)]

ROOT: Final = Path(__file__).parents[2]
SIDE: Final = 10_000


def press(
    hdfs: Address, monkeypatch: pytest.MonkeyPatch, dataset: str, files: Mapping[str, bytes], config: Mapping[str, Any]
) -> publication.Publication:
    """Five spark-submits of one core and an executor's default memory."""
    for name, value in hdfs.environ.items():
        monkeypatch.setenv(name, value)
    store, partition = store_of(), DatasetPaths("/large", dataset).partition("dt=2026-11-23")
    for path, content in files.items():
        store.write(f"{partition.landing}/{path}", content)
    submit = [Path(sys.executable).with_name("spark-submit"), "--master", "local[1]", "--driver-memory", "3g"]
    submit += ["--conf", "spark.ui.enabled=false", "--conf", "spark.log.level=ERROR"]
    job = ["--root", "/large", "--dataset", dataset, "--partition", "dt=2026-11-23", "--run", "run"]
    environment = {**os.environ, "PYSPARK_PYTHON": sys.executable, "PYTHONPATH": str(ROOT / "jobs")}
    for stage in STAGES:
        arguments = [*job, *(["--config", json.dumps(config)] if stage == "ingest" else [])]
        done = subprocess.run(
            [*submit, ROOT / "jobs" / f"{stage}.py", *arguments],
            check=False,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"{stage}: {done.stderr[-3000:]}"
    return publication.current(store, partition)


def waves() -> Image.Image:
    """100 megapixels with smooth colours and a little grain in the green."""
    random = np.random.default_rng(1)
    y, x = (np.linspace(0, 6.28, SIDE, dtype=np.float32).reshape(shape) for shape in ((-1, 1), (1, -1)))
    pixels = np.empty((SIDE, SIDE, 3), np.uint8)
    for channel, (a, b) in enumerate(((3, 5), (7, 2), (4, 9))):
        grain = random.integers(-1, 2, (SIDE, SIDE), dtype=np.int8) if channel == 1 else 0
        pixels[..., channel] = 128 + 100 * np.sin(a * x + b * y) + grain
    return Image.fromarray(pixels)


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def test_images_of_100_megapixels_stay_within_an_executor_of_one_core(
    hdfs: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = waves()
    files = {
        "large.png": encoded(image, "PNG", compress_level=1),
        "large.tif": encoded(image, "TIFF", compression="tiff_adobe_deflate"),
    }
    assert all(len(content) < 200_000_000 for content in files.values())
    config = {"compression": {"effort": 1}, "quality": {"min_psnr_db": 25}}
    made = press(hdfs, monkeypatch, "images", files, config)
    for row in made.manifest().to_pylist():
        assert (row["width"], row["height"], row["outcome"]) == (SIDE, SIDE, "published"), row["reason"]
        assert row["psnr_db"] >= 25
        assert row["published_size_bytes"] < row["source_size_bytes"]


def test_a_dataset_of_all_colours_gets_one_palette(hdfs: Address, monkeypatch: pytest.MonkeyPatch) -> None:
    colors = np.random.default_rng(7).permutation(1 << 24).astype(np.uint32).reshape(16, 1024, 1024)
    files = {}
    for number, part in enumerate(colors):
        rgb = np.stack([part >> 16, part >> 8 & 255, part & 255], axis=2).astype(np.uint8)
        files[f"{number:02}.png"] = encoded(Image.fromarray(rgb), "PNG", compress_level=1)
    config = {
        "palette": {"scope": "dataset", "candidates": [16, 64]},
        "quality": {"min_psnr_db": 20},
        "compression": {"effort": 1},
    }
    rows = press(hdfs, monkeypatch, "cube", files, config).manifest().to_pylist()
    assert len({row["palette"] for row in rows}) == 1
    assert all(row["outcome"] == "published" and row["psnr_db"] >= 20 for row in rows), rows[0]["reason"]
    # Equally many pixels of each colour: entries share the cube evenly.
    sizes = np.sum([row["cluster_sizes"] for row in rows], axis=0)
    assert sizes.sum() == 1 << 24
    assert sizes.max() < 3 * sizes.min()
