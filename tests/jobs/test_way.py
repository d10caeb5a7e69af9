"""The whole way of the data, stage by stage on real HDFS and Spark, for all palette scopes."""

from __future__ import annotations

import hashlib
import io
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from chromapress import publication
from chromapress.config import DatasetConfig, parse
from chromapress.decode import decode
from tests.landing_set import Landed, landing_set

if TYPE_CHECKING:
    from lake import Run

SMALL = {"candidates": [4, 8, 16]}


def configured(scope: str, partitions: int, layout: str = "files") -> DatasetConfig:
    return parse(
        {
            "palette": {"scope": scope, **({} if scope == "image" else SMALL)},
            "quality": {"min_psnr_db": 32 if scope == "image" else 18},
            "compression": {"codec": "png" if scope == "image" else "webp"},
            "limits": {"max_rejected_percent": 50},
            "publish": {"layout": layout},
            "execution": {"partitions": partitions},
        },
        "test",
    )


@pytest.fixture(scope="module")
def landed() -> Mapping[str, Landed]:
    return landing_set()


@pytest.fixture(scope="module")
def run(press_partition: Callable[..., Run], landed: Mapping[str, Landed]) -> Run:
    contents = {path: file.content for path, file in landed.items()}
    return press_partition("/way-1", "manual__2026-11-24T01:02:03+00:00", contents, configured("image", 1))


@pytest.fixture(scope="module")
def published(run: Run) -> publication.Publication:
    return publication.current(run.store, run.partition)


@pytest.fixture(scope="module")
def rows(published: publication.Publication) -> dict[str, dict[str, Any]]:
    return {row["relative_path"]: row for row in published.manifest().to_pylist()}


def test_every_file_ends_as_it_is_to(rows: Mapping[str, Any], landed: Mapping[str, Landed]) -> None:
    wrong = {
        path: (rows[path]["outcome"], rows[path]["reason"])
        for path, file in landed.items()
        if rows[path]["outcome"] not in file.outcomes or not rows[path]["reason"].startswith(file.reason)
    }
    assert wrong == {}


def test_what_landed_is_the_sum_of_the_outcomes(
    published: publication.Publication, rows: Mapping[str, Any], landed: Mapping[str, Landed]
) -> None:
    assert set(rows) == set(landed)
    facts = published.run()
    assert facts["outcomes"] == Counter(row["outcome"] for row in rows.values())
    assert sum(facts["outcomes"].values()) == facts["images"] == len(landed)


def test_every_published_file_decodes_keeps_the_floor_and_is_not_larger(
    published: publication.Publication, rows: Mapping[str, Any], landed: Mapping[str, Landed], run: Run
) -> None:
    for path, row in rows.items():
        source = landed[path]
        if row["outcome"] == "rejected":
            assert row["published_path"] is None
            continue
        content = published.image(row["published_path"])
        assert len(content) == row["published_size_bytes"] <= len(source.content)
        if row["outcome"].startswith("kept_"):
            assert content == source.content, path
            continue
        with Image.open(io.BytesIO(content)) as image:
            assert (image.format, image.size) == ("PNG", source.size), path
            seen = np.asarray(image.convert("RGBA")).astype(float)
        pixels = decode(source.content, run.config.limits).pixels
        wanted = np.dstack([pixels, np.full(pixels.shape[:2], 255)]) if pixels.shape[2] == 3 else pixels
        for alpha in (0, 255):
            assert (seen[wanted[..., 3] == alpha][:, 3] == alpha).all(), path
        assert psnr_of_premultiplied(seen, wanted.astype(float), pixels.shape[2]) >= 32, path


def psnr_of_premultiplied(a: np.ndarray, b: np.ndarray, channels: int) -> float:
    """By the definition, not by the engine."""
    for rgba in (a, b):
        rgba[..., :3] *= rgba[..., 3:] / 255
    error = np.mean(np.square(a - b)[..., :channels])
    return float("inf") if error == 0 else 10 * np.log10(255**2 / error)


def test_published_names_mirror_the_landing_tree(rows: Mapping[str, Any]) -> None:
    paths = [row["published_path"] for row in rows.values() if row["published_path"]]
    assert len(set(paths)) == len(paths)
    assert rows["meet/a.png"]["published_path"] == "meet/a.png"
    assert rows["meet/a.bmp"]["published_path"] == "meet/a.bmp.png"
    assert rows["one/same-name.png"]["published_path"] == "one/same-name.png"
    assert rows["two/same-name.png"]["published_path"] == "two/same-name.png"
    assert rows["_DSC0001.jpg"]["published_path"].startswith("_DSC0001.")
    assert rows[".hidden/Übung #1 100%.png"]["published_path"] == ".hidden/Übung #1 100%.png"


def test_the_report_stands_alone(published: publication.Publication, rows: Mapping[str, Any]) -> None:
    report = run_file(published, published.paths.report).decode()
    assert "http://" not in report.replace("http://www.w3.org/", "") and "https://" not in report
    assert "not_an_image" in report and "data:image/" in report


def run_file(published: publication.Publication, path: str) -> bytes:
    return published.store.read(path)


def test_publishing_the_same_version_again_changes_nothing(
    published: publication.Publication, run: Run, press_partition: Callable[..., Run]
) -> None:
    before = run_file(published, published.paths.run)
    again = press_partition("/way-1", "manual__again", {}, run.config)
    assert publication.current(again.store, again.partition).version == published.version
    assert run_file(published, published.paths.run) == before
    assert run.store.names(run.partition.published) == [published.version, "_CURRENT"] or sorted(
        run.store.names(run.partition.published)
    ) == sorted(["_CURRENT", published.version])


def digests(run: Run) -> dict[str, str]:
    """{file: sha256} of everything that is to be the same whoever computed it."""
    made = publication.current(run.store, run.partition)
    files = {file.relative_path for file in run.store.files(made.paths.images)}
    contents = {f"images/{path}": run.store.read(f"{made.paths.images}/{path}") for path in files}
    contents["manifest.parquet"] = run.store.read(made.paths.manifest)
    return {"version": made.version} | {path: hashlib.sha256(content).hexdigest() for path, content in contents.items()}


def test_the_same_images_give_the_same_bytes_with_one_partition_and_three(
    run: Run, press_partition: Callable[..., Run], landed: Mapping[str, Landed]
) -> None:
    contents = {path: file.content for path, file in landed.items()}
    other = press_partition("/way-3", "scheduled__other", contents, configured("image", 3))
    assert digests(other) == digests(run)


def test_auto_publishes_the_smallest_and_never_less_than_the_floor(
    press_partition: Callable[..., Run], landed: Mapping[str, Landed]
) -> None:
    chosen = ("photos/coffee-0.png", "kinds/cmyk.jpg", "meet/a.jpg", "flat/chart-5.png", "icons/icon-1.png")
    contents = {path: landed[path].content for path in chosen}
    keys = {"compression": {"codec": "auto"}, "palette": {"candidates": [2, 8]}, "quality": {"min_psnr_db": 31}}
    run = press_partition("/auto", "auto", contents, parse(keys, "test"))
    made = publication.current(run.store, run.partition)
    rows = {row["relative_path"]: row for row in made.manifest().to_pylist()}
    assert rows["flat/chart-5.png"]["outcome"] == "published_lossless"
    assert dict(rows["flat/chart-5.png"]["size_by_codec"]).keys() == {"png", "webp"}
    lossy = [row for row in rows.values() if (row["codec"] or "").startswith("lossy_")]
    assert lossy
    for row in lossy:
        content = made.image(row["published_path"])
        sizes = dict(row["size_by_codec"])
        # Eight colours do not reach the floor: only lossy files do.
        assert (row["outcome"], row["k"], row["palette"]) == ("published", None, None)
        assert len(content) == row["published_size_bytes"] == sizes[row["codec"]]
        assert row["published_path"].rpartition(".")[2] == row["codec"].removeprefix("lossy_")
        with Image.open(io.BytesIO(content)) as image:
            shown = np.asarray(image.convert("RGBA")).astype(float)
        pixels = decode(contents[row["relative_path"]], run.config.limits).pixels
        wanted = np.dstack([pixels, np.full(pixels.shape[:2], 255)]) if pixels.shape[2] == 3 else pixels
        assert psnr_of_premultiplied(shown, wanted.astype(float), pixels.shape[2]) >= 31
    assert "less than the second smallest would" in run_file(made, made.paths.report).decode()


@pytest.mark.parametrize("scope", ["folder", "dataset"])
def test_a_shared_palette_gives_the_same_bytes_with_one_partition_and_three(
    press_partition: Callable[..., Run], landed: Mapping[str, Landed], scope: str
) -> None:
    contents = {path: file.content for path, file in landed.items()}
    runs = [press_partition(f"/{scope}-{n}", f"run-{n}", contents, configured(scope, n, "parquet")) for n in (1, 3)]
    one, three = (digests(run) for run in runs)
    assert one == three
    made = publication.current(runs[0].store, runs[0].partition)
    rows = made.manifest().to_pylist()
    palettes = defaultdict(set)
    for row in rows:
        if row["palette"]:
            palettes["" if scope == "dataset" else row["relative_path"].rpartition("/")[0]].add(row["palette"])
    assert {len(of_group) for of_group in palettes.values()} == {1}
    assert len(palettes) == len(set.union(*palettes.values()))
    if scope == "folder":
        assert {"photos", "flat", "icons", "kinds", ""} <= set(palettes)
    for row in rows:
        if row["outcome"] == "published":
            assert row["psnr_db"] >= 18
            content = made.image(row["published_path"], row["pack"])
            assert len(content) == row["published_size_bytes"]
            assert (row["codec"], row["published_path"][-5:], content[8:12]) == ("webp", ".webp", b"WEBP")
