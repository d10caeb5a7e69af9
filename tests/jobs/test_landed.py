"""Images are read again where they landed, and what is told where they are not there any more."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from chromapress import publication
from chromapress.config import parse
from chromapress.storage import hdfs
from tests.jobs.test_packs import FILES, FIXED, LIMITS, pack, png, rows_of

if TYPE_CHECKING:
    from lake import Run

PHOTOS = {path: content for path, content in FILES.items() if path.startswith("photos/") and "0" not in path}


def noise_png(seed: int) -> bytes:
    """A file of 300 kB."""
    return png(Image.fromarray(np.random.default_rng(seed).integers(0, 256, (320, 320, 3), np.uint8)))


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
def test_large_files_are_read_again_and_small_ones_are_kept_where_a_histogram_is_needed(
    press_partition: Callable[..., Any], rule: dict[str, Any]
) -> None:
    large, small = [noise_png(seed) for seed in range(4)], PHOTOS["photos/1.png"]
    landed = {"gone.png": large[0], "other.png": large[1], "same.png": large[2], "small.png": small}

    def change(run: Run) -> None:
        run.store.delete(f"{run.partition.landing}/gone.png")
        run.store.write(f"{run.partition.landing}/other.png", large[3])
        run.store.write(f"{run.partition.landing}/small.png", FILES["icon.png"])

    keys = {**rule, **LIMITS, "compression": {"min_saving_percent": 99.9}}
    run = press_partition(f"/files-{len(rule)}", "run", landed, parse(keys, "test"), change)
    made = publication.current(hdfs(), run.partition)
    rows = {row["relative_path"]: row for row in made.manifest().to_pylist()}
    changed = "changed: it is not the file any more that ingest has found"
    assert rows["gone.png"]["reason"].startswith(f"{changed}: ")
    if rule:
        # Nothing was read before it changed: the new file is what has landed.
        expected = {"other.png": large[3], "same.png": large[2], "small.png": FILES["icon.png"]}
    else:
        assert rows["other.png"]["reason"] == changed
        expected = {"same.png": large[2], "small.png": small}
    sums = {path: hashlib.sha256(content).hexdigest() for path, content in expected.items()}
    assert {path: rows[path]["source_sha256"] for path in expected} == sums
    kept = {path for path in expected if rows[path]["outcome"].startswith("kept_")}
    assert "same.png" in kept
    assert all(made.image(rows[path]["published_path"]) == expected[path] for path in kept)


@pytest.mark.parametrize("layout", ["files", "parquet"])
def test_what_was_to_be_kept_and_is_gone_is_rejected(press_partition: Callable[..., Any], layout: str) -> None:
    landed = (
        PHOTOS
        if layout == "files"
        else {"a.parquet": pack(rows_of(PHOTOS)[:1]), "b.parquet": pack(rows_of(PHOTOS)[1:])}
    )
    lost = next(iter(PHOTOS if layout == "files" else landed))

    def lose(run: Run) -> None:
        run.store.delete(f"{run.partition.landing}/{lost}")

    keys = {"source": {"layout": layout}, "compression": {"min_saving_percent": 99.9}, **FIXED, **LIMITS}
    config = parse(keys, "test")
    told = ends(press_partition(f"/lost-{layout}", "run", landed, config, lose, "compress"))
    assert told.pop(next(iter(PHOTOS))).startswith("changed: ")
    assert len(told) == len(PHOTOS) - 1
    assert set(told.values()) == {"kept"}
    # Where it is there again, that is another version.
    assert set(ends(press_partition(f"/lost-{layout}", "again", landed, config)).values()) == {"kept"}


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
    assert (contents.null_count == len(contents)) == (layout == "parquet" or rule == FIXED)
