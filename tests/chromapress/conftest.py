"""The real HDFS as the core's storage sees it, with one dataset published in it."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import settings

from chromapress import naming
from chromapress.config import DatasetConfig
from chromapress.outcome import Outcome
from chromapress.paths import DatasetPaths, PartitionPaths
from chromapress.press import Pressed, press
from chromapress.report import Example
from chromapress.run_summary import summary
from chromapress.storage import Hdfs
from chromapress.tables import MANIFEST
from stack.hdfs import Address
from tests.landing_set import encoded, flat, icon, photograph

# Times say nothing on a machine that others use as well.
settings.register_profile("shared", deadline=None)
settings.load_profile("shared")

SOURCES = {
    "a.jpg": encoded(photograph("coffee.png", 60, 40), "JPEG", quality=90),
    "a.png": encoded(photograph("coffee.png", 60, 40), "PNG"),
    "bad/text.png": b"This is not an image.\n",
    "flat/chart.bmp": encoded(flat(5, 1), "BMP"),
    "flat/<b>&\"'\N{RIGHT-TO-LEFT OVERRIDE}$x$ #1 100%.png": encoded(flat(7, 2), "PNG", compress_level=0),
    "icons/icon.png": encoded(icon(1), "PNG", compress_level=1),
    "photos/low.jpg": encoded(photograph("astronaut.png", 100, 0), "JPEG", quality=25),
    "photos/large.png": encoded(photograph("astronaut.png", 0, 0, 480, 256).resize((960, 512)), "PNG"),
}


def manifest_row(path: str, pressed: Pressed) -> dict[str, Any]:
    """What the stages tell of one image (tables.MANIFEST), but its published path."""
    decoded, quantized, choice = pressed.decoded, pressed.quantized, pressed.choice
    row: dict[str, Any] = {
        "relative_path": path,
        "outcome": str(pressed.outcome),
        "reason": pressed.reason,
        "source_size_bytes": pressed.source_size_bytes,
        "source_sha256": "0" * 64,
    }
    if pressed.outcome != Outcome.REJECTED:
        new = pressed.content if pressed.outcome.is_new_file else None
        row["published_size_bytes"] = pressed.source_size_bytes if new is None else len(new)
    if decoded and quantized and choice:
        height, width = decoded.pixels.shape[:2]
        row |= {
            "format": decoded.format,
            "mode": decoded.mode,
            "width": width,
            "height": height,
            "codec": pressed.codec,
            "encoded_size_bytes": len(pressed.content or b""),
            "size_by_codec": list(pressed.finished.size_by_codec.items()),
            "k": pressed.finished.k,
            "below_floor": pressed.finished.below_floor,
            "psnr_db": pressed.finished.measured.psnr_db if pressed.finished.measured else None,
            "ssim": pressed.finished.measured.ssim if pressed.finished.measured else None,
            "palette": quantized.palette.tobytes() if pressed.finished.k else None,
            "cluster_sizes": quantized.sizes.tolist() if pressed.finished.k else None,
            "choice": choice.reason,
            "curve": [{"k": c.k, "silhouette": c.silhouette, "psnr_db": c.psnr_db} for c in choice.curve],
            "k_by_rule": choice.k_by_rule,
            "flat_colors": choice.flat_colors,
            "rules_disagree": choice.rules_disagree,
        }
    return row


class Made:
    """A run's results, as publish has them."""

    def __init__(self, sources: dict[str, bytes], config: DatasetConfig) -> None:
        self.sources = sources
        self.pressed = {path: press(content, config) for path, content in sources.items()}
        names = naming.published_paths(
            [
                (path, one.codec if one.outcome.is_new_file else None)
                for path, one in self.pressed.items()
                if one.outcome != Outcome.REJECTED
            ]
        )
        self.files = {
            names[path]: (one.content or b"") if one.outcome.is_new_file else sources[path]
            for path, one in self.pressed.items()
            if path in names
        }
        rows = [
            manifest_row(path, one) | {"published_path": names.get(path)} for path, one in sorted(self.pressed.items())
        ]
        self.manifest = pa.Table.from_pylist(rows, MANIFEST)
        self.run: dict[str, Any] = {
            "dataset": "maps",
            "partition": "dt=2026-11-23",
            "version": "0123456789abcdef",
            "run_id": "scheduled__2026-11-24T02:00:00+00:00",
            **summary(self.manifest),
            "stages": {
                stage: {"started": f"2026-11-24T02:0{minute}:00+00:00", "seconds": 1.5 * minute}
                for minute, stage in enumerate(("ingest", "select_k", "quantize", "compress", "publish"))
            },
            "config": config.model_dump(mode="json"),
            "versions": {"chromapress": "0.1.0", "engine": "0.1.0", "pillow": "13.0.0"},
        }

    def example(self, path: str, why: str) -> Example:
        return Example(path, why, self.sources[path], self.pressed[path].content or b"")


@pytest.fixture(scope="session")
def made() -> Made:
    return Made(SOURCES, DatasetConfig())


@pytest.fixture(scope="session")
def store(hdfs: Address) -> Iterator[Hdfs]:
    """The HDFS that HADOOP_CONF_DIR names."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in hdfs.environ.items():
            patch.setenv(name, value)
        yield Hdfs()


@pytest.fixture
def root(store: Hdfs, tmp_path: Path) -> str:
    """An empty directory in HDFS, another for each test."""
    path = f"/chromapress/{tmp_path.name}"
    store.make_directory(path)
    return path


def publish(store: Hdfs, partition: PartitionPaths, made: Made, version: str) -> None:
    target = partition.version(version)
    for name, content in made.files.items():
        store.write(f"{target.images}/{name}", content)
    manifest = io.BytesIO()
    pq.write_table(made.manifest, manifest)
    store.write(target.manifest, manifest.getvalue())
    store.write(target.run, json.dumps(made.run | {"partition": partition.partition, "version": version}).encode())
    store.write(partition.current, f"{version}\n".encode())


@pytest.fixture(scope="session")
def published(store: Hdfs, made: Made) -> DatasetPaths:
    """Dataset 'maps' with two days and an upload, below a root of its own."""
    paths = DatasetPaths("/chromapress/published-by-test", "maps")
    for partition in ("dt=2026-11-22", "dt=2026-11-23", "upload=abc"):
        publish(store, paths.partition(partition), made, "0123456789abcdef")
    return paths
