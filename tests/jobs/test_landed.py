"""Packs are read again where they landed, and what is told where they are not there any more."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest

from chromapress import publication
from chromapress.config import parse
from chromapress.storage import hdfs
from tests.jobs.test_packs import FILES, FIXED, LIMITS, pack, rows_of

if TYPE_CHECKING:
    from lake import Run

PHOTOS = {path: content for path, content in FILES.items() if path.startswith("photos/") and "0" not in path}


def ends(run: Run) -> dict[str, str]:
    """{relative_path: outcome, and the reason of what is rejected}"""
    rows = publication.current(hdfs(), run.partition).manifest(["relative_path", "outcome", "reason"]).to_pylist()
    return {
        row["relative_path"]: row["reason"] if row["outcome"] == "rejected" else row["outcome"].partition("_")[0]
        for row in rows
    }


@pytest.mark.parametrize("codec", ["png", "auto"])
@pytest.mark.parametrize("rule", [{"rule": "fixed", "k": 8, "candidates": []}, {"scope": "dataset"}])
def test_images_whose_pack_changes_after_ingest_are_rejected_and_the_others_go_on(
    press_partition: Callable[..., Any], rule: dict[str, Any], codec: str
) -> None:
    rows = rows_of(PHOTOS)
    landed = {"one.parquet": pack(rows[:2]), "two.parquet": pack(rows[2:3]), "three.parquet": pack(rows[3:])}

    def change(run: Run) -> None:
        run.store.write(f"{run.partition.landing}/two.parquet", pack(rows[3:]))
        run.store.delete(f"{run.partition.landing}/three.parquet")

    keys = {"palette": rule, "compression": {"codec": codec}, "source": {"layout": "parquet"}, **LIMITS}
    told = ends(press_partition(f"/changed-{codec}-{rule.get('rule')}", "run", landed, parse(keys, "test"), change))
    changed = "changed: two.parquet is not the pack any more that ingest has read"
    assert told.pop("photos/3.png") == changed
    assert told.pop("photos/4.png").startswith(changed.replace("two", "three") + ": ")
    assert told == {"photos/1.png": "published", "photos/2.png": "published"}


def test_a_file_that_changes_before_it_is_read_is_what_has_landed(press_partition: Callable[..., Any]) -> None:
    path, before = next(iter(PHOTOS.items()))
    after = FILES["icon.png"]

    def change(run: Run) -> None:
        run.store.write(f"{run.partition.landing}/one.parquet", pack(rows_of({path: after})))

    config = parse({"source": {"layout": "parquet"}, **FIXED}, "test")
    run = press_partition("/later", "run", {"one.parquet": pack(rows_of({path: before}))}, config, change)
    manifest = publication.current(hdfs(), run.partition).manifest(["source_sha256", "source_size_bytes", "format"])
    assert manifest.to_pylist() == [
        {"source_sha256": hashlib.sha256(after).hexdigest(), "source_size_bytes": len(after), "format": "PNG"}
    ]


@pytest.mark.parametrize("rule", [{}, FIXED])
@pytest.mark.parametrize("layout", ["files", "parquet"])
def test_what_is_kept_is_published_from_where_it_landed(
    press_partition: Callable[..., Any], layout: str, rule: dict[str, Any]
) -> None:
    landed = PHOTOS if layout == "files" else {"a.parquet": pack(rows_of(PHOTOS))}
    keys = {"source": {"layout": layout}, "compression": {"min_saving_percent": 99.9}, **rule, **LIMITS}
    run = press_partition(f"/kept-{layout}-{len(rule)}", "run", landed, parse(keys, "test"))
    made = publication.current(hdfs(), run.partition)
    rows = made.manifest(["relative_path", "published_path", "outcome"]).to_pylist()
    assert {row["outcome"] for row in rows} == {"kept_larger"}
    assert {row["relative_path"]: made.image(row["published_path"]) for row in rows} == PHOTOS
    with hdfs().reader(f"{run.paths.stage('ingest')}/part-000000.parquet") as part:
        contents = pq.read_table(part, columns=["content"])["content"]
    assert (contents.null_count == len(contents)) == (layout == "parquet")
