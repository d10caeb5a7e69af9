"""Published versions without Spark: the core's own press for each image, and a manifest of its rows."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from chromapress.config import DatasetConfig
from chromapress.naming import published_paths
from chromapress.outcome import Outcome
from chromapress.paths import STAGES, PartitionPaths
from chromapress.press import press
from chromapress.run_summary import summary
from chromapress.storage import Hdfs
from chromapress.tables import MANIFEST


def publish(
    store: Hdfs, partition: PartitionPaths, files: Mapping[str, bytes], version: str = "v1", layout: str = "files"
) -> dict[str, dict[str, Any]]:
    """Land files, press and publish them, and switch readers to the version; {path: manifest's row}."""
    config = DatasetConfig()
    ends = {path: press(content, config) for path, content in sorted(files.items())}
    shown = [(path, one.codec if one.outcome.is_new_file else None) for path, one in ends.items()]
    names = published_paths([one for one in shown if ends[one[0]].outcome != Outcome.REJECTED])
    rows, contents = [], {}
    for path, one in ends.items():
        content = one.content if one.outcome.is_new_file else files[path]
        name = names.get(path)
        finished = one.finished
        measured = finished.measured
        size = {} if one.decoded is None else dict(zip(("height", "width"), one.decoded.pixels.shape, strict=False))
        rows.append(
            {
                "relative_path": path,
                "outcome": str(one.outcome),
                "reason": one.reason,
                "published_path": name,
                "pack": 0 if layout == "parquet" and name else None,
                "format": one.decoded.format if one.decoded else None,
                **size,
                "source_size_bytes": len(files[path]),
                "source_sha256": hashlib.sha256(files[path]).hexdigest(),
                "published_size_bytes": len(content) if name else None,
                "codec": one.codec,
                "k": finished.k,
                "psnr_db": measured.psnr_db if measured else None,
                "ssim": measured.ssim if measured else None,
                "delta_e": measured.delta_e if measured else None,
                "rules_disagree": False,
            }
        )
        store.write(f"{partition.landing}/{path}", files[path])
        if name:
            contents[name] = content
    write_version(store, partition, rows, contents, version, layout)
    return {row["relative_path"]: row for row in rows}


def write_version(
    store: Hdfs,
    partition: PartitionPaths,
    rows: list[dict[str, Any]],
    contents: Mapping[str, bytes],
    version: str,
    layout: str = "files",
    run_id: str = "run",
    started: str = "2026-11-24T00:00:00+00:00",
) -> None:
    """A version with this manifest and these files."""
    paths = partition.version(version)
    manifest = pa.Table.from_pylist(rows, MANIFEST)
    if layout == "parquet":
        packed = pa.table({"published_path": list(contents), "content": list(contents.values())})
        store.write(f"{paths.images}/part-00000.parquet", _parquet(packed, 2))
    else:
        for name, content in contents.items():
            store.write(f"{paths.images}/{name}", content)
    store.write(paths.manifest, _parquet(manifest, 1024))
    facts = {
        "dataset": partition.dataset,
        "partition": partition.partition,
        "version": version,
        "run_id": run_id,
        **summary(manifest),
        "stages": {stage: {"started": started, "seconds": 1.5} for stage in STAGES},
        "config": DatasetConfig().model_dump(mode="json"),
        "versions": {},
    }
    facts["stages"]["ingest"] |= {"images": len(rows), "source": partition.landing}
    store.write(paths.run, json.dumps(facts).encode())
    store.write(partition.current, f"{version}\n".encode())


def generated_rows(count: int) -> list[dict[str, Any]]:
    """Rows of a manifest as a large run has them, of images that are nowhere."""
    random = np.random.default_rng(1)
    kinds = ["published", "published_lossless", "kept_larger", "rejected"]
    outcomes = random.choice(kinds, count, p=[0.8, 0.1, 0.08, 0.02])
    rows = []
    for number, outcome in enumerate(outcomes.tolist()):
        source = int(random.integers(10_000, 5_000_000))
        named = outcome != "rejected"
        rows.append(
            {
                "relative_path": f"shelf-{number // 1000:03}/box-{number // 100 % 10}/scan-{number:06}.jpg",
                "outcome": outcome,
                "reason": "128 colours are the fewest that reach 32 dB" if named else "truncated: ends early",
                "published_path": f"shelf-{number // 1000:03}/scan-{number:06}.png" if named else None,
                "format": "JPEG",
                "width": 1600,
                "height": 1200,
                "source_size_bytes": source,
                "source_sha256": hashlib.sha256(str(number).encode()).hexdigest(),
                "published_size_bytes": int(source * random.uniform(0.3, 1)) if named else None,
                "codec": "png",
                "k": int(random.integers(2, 257)),
                "psnr_db": float("inf") if outcome == "published_lossless" else float(random.uniform(32, 45)),
                "ssim": float(random.uniform(0.9, 1)),
                "delta_e": float(random.uniform(0, 5)),
                "palette": random.bytes(1024),
                "cluster_sizes": random.integers(0, 10_000, 256).tolist(),
                "curve": [{"k": k, "silhouette": 0.5, "psnr_db": 30.0 + k, "delta_e": None} for k in range(15)],
                "rules_disagree": False,
            }
        )
    return rows


def _parquet(table: pa.Table, row_group_size: int) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, row_group_size=row_group_size, compression="zstd")
    return sink.getvalue()
