"""Published versions as the portal shows them: each manifest is read once, of its columns those that are shown."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Final

import pyarrow.parquet as pq

from chromapress.paths import DatasetPaths
from chromapress.publication import NotPublishedError, Publication, current
from chromapress.storage import Hdfs
from portal.gallery import COLUMNS, Gallery

# Rows of all galleries that are kept in memory, some 0.3 kB each: ten versions of 100,000 images.
_MOST_ROWS: Final = 1_000_000


@dataclass(frozen=True)
class Results:
    """One published version, ready to be looked at."""

    publication: Publication
    dataset: str
    gallery: Gallery
    run: dict[str, Any]  # run.json

    @property
    def source(self) -> str:
        """The URI of the directory in which the sources were."""
        uri: str = self.run["stages"]["ingest"]["source"]
        return uri

    def summary(self) -> dict[str, Any]:
        run = self.run
        return {
            "images": run["images"],
            "source_bytes": run["bytes_in"],
            "published_bytes": run["bytes_out"],
            "saved_percent": run["saved_percent"],
            "outcomes": run["outcomes"],
        }


class Publications:
    """Published versions by where they are; the last ones that somebody looked at are kept."""

    def __init__(self, storage: Hdfs, root: str, most_rows: int = _MOST_ROWS) -> None:
        self._storage = storage
        self._root = root
        self._most_rows = most_rows
        self._kept: OrderedDict[str, Results] = OrderedDict()
        self._turn = threading.Lock()

    def current(self, dataset: str, partition: str) -> Results:
        """What readers of a partition read now; NotPublishedError."""
        return self._read(current(self._storage, DatasetPaths(self._root, dataset).partition(partition)), dataset)

    def version(self, dataset: str, partition: str, version: str) -> Results:
        """One version of a partition; NotPublishedError, also if it has been pruned since."""
        paths = DatasetPaths(self._root, dataset).partition(partition).version(version)
        return self._read(Publication(self._storage, partition, version, paths), dataset)

    def _read(self, publication: Publication, dataset: str) -> Results:
        key = publication.paths.base
        with self._turn:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        try:
            # By piece, not by column: a page of the file is a trip to a DataNode.
            with self._storage.reader(publication.paths.manifest) as file:
                gallery = Gallery(pq.read_table(file, columns=COLUMNS, pre_buffer=True))
            results = Results(publication, dataset, gallery, publication.run())
        except FileNotFoundError:
            raise NotPublishedError(f"version {publication.version} is not published any more") from None
        with self._turn:
            self._kept[key] = results
            while len(self._kept) > 1 and sum(len(one.gallery) for one in self._kept.values()) > self._most_rows:
                self._kept.popitem(last=False)
        return results
