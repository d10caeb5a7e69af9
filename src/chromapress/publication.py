"""What is published: which version of a partition readers should read, and what is in it."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from chromapress.paths import DatasetPaths, PartitionPaths, VersionPaths
from chromapress.storage import Hdfs


class NotPublishedError(LookupError):
    """There is no such dataset, partition or image among what is published."""


@dataclass(frozen=True)
class Publication:
    """One partition's current version."""

    store: Hdfs
    partition: str
    version: str
    paths: VersionPaths

    def run(self) -> dict[str, Any]:
        """run.json: counts, bytes, quality, and when and by which run it was made."""
        facts: dict[str, Any] = json.loads(self.store.read(self.paths.run))
        return facts

    def manifest(self, columns: list[str] | None = None) -> pa.Table:
        """The manifest's rows (tables.MANIFEST)."""
        return pq.read_table(io.BytesIO(self.store.read(self.paths.manifest)), columns=columns)

    def image(self, published_path: str, pack: int | None = None) -> bytes:
        """One published file, by the manifest's published_path and pack."""
        if pack is None:
            return self.store.read(f"{self.paths.images}/{published_path}")
        # Of the pack, a block in size, only the row group that may hold it.
        with self.store.reader(f"{self.paths.images}/part-{pack:05}.parquet") as packed:
            found = pq.read_table(packed, columns=["content"], filters=[("published_path", "=", published_path)])
        content: bytes = found["content"][0].as_py()
        return content


def partitions(store: Hdfs, paths: DatasetPaths) -> list[str]:
    """The published partitions of a dataset."""
    return [name for name in store.names(paths.published) if store.exists(paths.partition(name).current)]


def current(store: Hdfs, paths: PartitionPaths) -> Publication:
    """The version that _CURRENT names; NotPublishedError if there is none."""
    try:
        version = store.read(paths.current).decode().strip()
    except FileNotFoundError:
        raise NotPublishedError(f"nothing is published of {paths.dataset}, partition {paths.partition}") from None
    return Publication(store, paths.partition, version, paths.version(version))
