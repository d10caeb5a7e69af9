"""How a dataset's published versions develop: what each run has saved, at which quality, and how long it took.

It is read from the run.json of the versions that are still kept; there is no other record.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from chromapress.outcome import Outcome
from chromapress.paths import DatasetPaths
from chromapress.storage import Hdfs

# A trip to the NameNode and one to a DataNode for each: mostly waiting.
_READERS: Final = 8
_KEPT: Final = 4096


def trends(store: Hdfs, paths: DatasetPaths, limit: int) -> list[dict[str, Any]]:
    """A point for each version of the dataset's last `limit` partitions by name, in the order in which they were made.

    partition, version, run_id, started  where it is, and which run made it when (ISO, UTC)
    images, rejected                     files that landed, and those of them that were rejected
    bytes_in, bytes_out, saved_bytes, saved_percent
    psnr_db, ssim                        {min, mean} over the new files, None where there are none
    seconds                              {stage: seconds}, with what Spark took to start
    """
    read = functools.partial(_point, store)
    with ThreadPoolExecutor(_READERS) as readers:
        partitions = [paths.partition(name) for name in store.names(paths.published)[-limit:]]
        names = readers.map(lambda partition: store.names(partition.published), partitions)
        found = [
            partition.version(name).run
            for partition, versions in zip(partitions, names, strict=True)
            for name in versions
            if not name.startswith("_")
        ]
        points = [point for point in readers.map(read, found) if point is not None]
    return sorted(points, key=lambda point: (point["started"], point["partition"]))


@functools.lru_cache(_KEPT)
def _point(store: Hdfs, path: str) -> dict[str, Any] | None:
    """Of one run.json, which never changes; None if it has been pruned in this moment."""
    try:
        return point(json.loads(store.read(path)))
    except FileNotFoundError:
        return None


def point(run: Mapping[str, Any]) -> dict[str, Any]:
    """What the trends show of a run.json."""
    copied = ("partition", "version", "run_id", "images", "bytes_in", "bytes_out", "saved_percent", "psnr_db", "ssim")
    return {
        **{key: run[key] for key in copied},
        "started": run["stages"]["ingest"]["started"],
        "rejected": run["outcomes"].get(Outcome.REJECTED.value, 0),
        "saved_bytes": run["bytes_in"] - run["bytes_out"],
        "seconds": {stage: facts["seconds"] for stage, facts in run["stages"].items()},
    }
