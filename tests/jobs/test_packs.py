"""Images that land packed in Parquet files."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from chromapress import publication
from chromapress.config import parse
from chromapress.storage import Hdfs, hdfs
from tests.landing_set import icon, photograph


def png(image: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


FILES = {
    **{f"photos/{n}.png": png(photograph("coffee.png", 20 * n, 0)) for n in range(5)},
    "icon.png": png(icon(3)),
    "notes.txt": b"no image",
    "empty.png": b"",
}
LIMITS = {"limits": {"max_rejected_percent": 50}}
FIXED: dict[str, Any] = {"palette": {"rule": "fixed", "k": 8, "candidates": []}}


def pack(rows: list[dict[str, Any]], schema: pa.Schema | None = None, row_group: int = 3) -> bytes:
    schema = schema or pa.schema([("content", pa.binary()), ("more", pa.int64()), ("relative_path", pa.string())])
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema), file, row_group_size=row_group)
    return file.getvalue()


def rows_of(files: dict[str, bytes]) -> list[dict[str, Any]]:
    return [{"relative_path": path, "content": content} for path, content in files.items()]


def published(store: Hdfs, made: publication.Publication) -> dict[str, bytes]:
    paths = [row["published_path"] for row in made.manifest(["published_path"]).to_pylist() if row["published_path"]]
    return {path: store.read(f"{made.paths.images}/{path}") for path in paths}


@pytest.mark.parametrize("keys", [{}, FIXED, FIXED | {"compression": {"codec": "auto", "min_saving_percent": 60}}])
def test_packed_images_end_as_files_do(press_partition: Callable[..., Any], keys: dict[str, Any]) -> None:
    half = dict(list(FILES.items())[:3])
    rest = dict(list(FILES.items())[3:])
    packs = {"part-0.parquet": pack(rows_of(half)), "more/part-1.parquet": pack(rows_of(rest))}
    config = {"source": {"layout": "parquet"}, **keys, **LIMITS}
    root = f"-{len(str(keys))}"
    packed = press_partition(f"/packed{root}", "run", packs, parse(config, "test"))
    plain = press_partition(f"/plain{root}", "run", FILES, parse(keys | LIMITS, "test"))
    store = hdfs()
    ends = [publication.current(store, run.partition) for run in (packed, plain)]
    assert ends[0].manifest().equals(ends[1].manifest())
    assert published(store, ends[0]) == published(store, ends[1])
    assert [made.version for made in ends] == [ends[0].version] * 2


def test_what_is_published_packed_can_land_again(press_partition: Callable[..., Any]) -> None:
    first = press_partition("/first", "run", FILES, parse({"publish": {"layout": "parquet"}, **LIMITS}, "test"))
    images = publication.current(hdfs(), first.partition).paths.images
    again = parse({"source": {"uri": images, "layout": "parquet"}, "palette": {"rule": "fixed", "k": 8}}, "test")
    second = press_partition("/second", "run", {}, again)
    manifest = publication.current(hdfs(), second.partition).manifest(["relative_path", "outcome"])
    assert manifest["relative_path"].to_pylist() == sorted(
        path for path in FILES if path.endswith(".png") and FILES[path]
    )


def test_more_images_than_are_read_or_written_at_once_are_all_there(press_partition: Callable[..., Any]) -> None:
    shades = {f"{number * 37 % 1100:04}.png": png(Image.new("L", (8, 8), number % 256)) for number in range(1100)}
    config = {
        "source": {"layout": "parquet"},
        "palette": {"rule": "fixed", "k": 2, "candidates": []},
        "compression": {"on_larger": "publish"},
        "publish": {"layout": "parquet"},
    }
    run = press_partition("/many", "run", {"a.parquet": pack(rows_of(shades), row_group=100)}, parse(config, "test"))
    made = publication.current(hdfs(), run.partition)
    rows = made.manifest(["relative_path", "published_path", "pack", "source_size_bytes"]).to_pylist()
    assert [(row["relative_path"], row["source_size_bytes"]) for row in rows] == [
        (path, len(shades[path])) for path in sorted(shades)
    ]
    with hdfs().reader(f"{made.paths.images}/part-00000.parquet") as stream:
        packed = pq.read_table(stream).to_pylist()
    assert [row["relative_path"] for row in packed] == list(shades)
    for row in packed:
        with Image.open(io.BytesIO(row["content"])) as image:
            assert image.getpixel((0, 0)) == Image.open(io.BytesIO(shades[row["relative_path"]])).getpixel((0, 0))
    assert not run.store.exists(run.paths.stage("publish"))


SWAPPED = pa.schema([("relative_path", pa.binary()), ("content", pa.binary())])


@pytest.mark.parametrize(
    ("landed", "told"),
    [
        ({"a.png": FILES["icon.png"]}, "a.png is not a pack: .*Parquet"),
        (
            {"a.parquet": pack([{"relative_path": b"a"}], SWAPPED)},
            "has relative_path of type binary, string is expected",
        ),
        ({"a.parquet": pack([{"a": 1}], pa.schema([("a", pa.int64())]))}, "has no column relative_path"),
        ({"a.parquet": pack([])}, "the packs in .* are empty"),
        ({"a.parquet": pack(rows_of({"../a.png": b""}))}, r"'\.\./a\.png', which is no path below a directory"),
        ({"a.parquet": pack([{"content": b""}])}, "None, which is no path"),
        ({f"{n}.parquet": pack(rows_of({"a.png": b""})) for n in range(2)}, "a.png is in the packs 2 times"),
    ],
)
def test_what_cannot_go_on_is_told(press_partition: Callable[..., Any], landed: dict[str, bytes], told: str) -> None:
    from lake import GateError

    root = "/gate" + re.sub(r"\W", "", told)
    with pytest.raises(GateError, match=told):
        press_partition(root, "run", landed, parse({"source": {"layout": "parquet"}}, "test"))


@pytest.mark.parametrize("path", ["a", "a.png", "a/b/c.png", ".a", "..a/b..", "a b/ü.png", "_x/.y"])
def test_paths_below_a_directory_are_safe(path: str) -> None:
    from packs import SAFE_PATH

    assert SAFE_PATH.fullmatch(path)


@pytest.mark.parametrize("path", ["", "/a", "a/", "a//b", ".", "..", "a/..", "a/../b", "./a", "a:b", "a\nb", "a/b:c/d"])
def test_other_paths_are_not(path: str) -> None:
    from packs import SAFE_PATH

    assert not SAFE_PATH.fullmatch(path)
