"""Images that land in S3: a partition is read from a server on loopback, and published in HDFS."""

from __future__ import annotations

import io
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image
from pyarrow import fs
from pyspark.sql import SparkSession

from chromapress import publication
from chromapress.config import DatasetConfig
from chromapress.storage import open_source

if TYPE_CHECKING:
    from lake import Run

NAMES = ("_DSC1.jpg", "sub/ü#?.png", "sub/.hidden/100%.png", "a b+c.png", "%41.png")


@pytest.fixture
def bucket(
    spark: SparkSession, free_ports: Callable[[], dict[str, int]], monkeypatch: pytest.MonkeyPatch
) -> Iterator[fs.SubTreeFileSystem]:
    """An empty bucket called `images`, of a server that this process and Spark's find by AWS' variables."""
    port = free_ports()["airflow"]
    variables = {
        "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
        # The JVM, which started long ago, hands these on to the workers.
        monkeypatch.setitem(spark.sparkContext.environment, name, value)
    open_source.cache_clear()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            s3 = fs.S3FileSystem(endpoint_override=variables["AWS_ENDPOINT_URL_S3"], allow_bucket_creation=True)
            make_bucket(s3, "images")
            yield fs.SubTreeFileSystem("images", s3)
        finally:
            server.kill()
    open_source.cache_clear()


def make_bucket(s3: fs.S3FileSystem, name: str) -> None:
    """As soon as the server listens."""
    deadline = time.monotonic() + 300
    while True:
        try:
            s3.create_dir(name)
            return
        except OSError:
            assert time.monotonic() < deadline, "the server does not answer"
            time.sleep(0.2)


def picture(seed: int, kind: str) -> bytes:
    y, x = np.mgrid[0:48, 0:64]
    smooth = np.stack([4 * x, 5 * y, 2 * (x + y)], axis=-1) + np.random.default_rng(seed).integers(0, 8, (48, 64, 3))
    content = io.BytesIO()
    Image.fromarray(smooth.clip(0, 255).astype(np.uint8)).save(content, kind)
    return content.getvalue()


def test_a_partition_in_s3_is_published_in_hdfs(
    bucket: fs.SubTreeFileSystem, press_partition: Callable[..., Run]
) -> None:
    files = {name: picture(seed, "JPEG" if "jpg" in name else "PNG") for seed, name in enumerate(NAMES)}
    for name, content in files.items():
        with bucket.open_output_stream(f"scans/dt=2026-11-23/{name}") as file:
            file.write(content)
    config = DatasetConfig.model_validate({"source": {"uri": "s3a://images/scans/{partition}"}})
    run = press_partition("/in-s3", "run", {}, config)
    published = publication.current(run.store, run.partition)
    rows = {row["relative_path"]: row for row in published.manifest().to_pylist()}
    assert {name: row["source_size_bytes"] for name, row in rows.items()} == {
        name: len(content) for name, content in files.items()
    }
    assert {row["outcome"] for row in rows.values()} <= {"published", "published_lossless", "kept_larger"}
    for row in rows.values():
        with Image.open(io.BytesIO(published.image(row["published_path"]))) as image:
            assert image.size == (64, 48)
