"""Where all images of a run meet: their names, their order, and who is written together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyspark.sql import SparkSession

if TYPE_CHECKING:
    from catalogue import Catalogue


def image(path: str, **more: Any) -> dict[str, Any]:
    row = {"relative_path": path, "outcome": "published", "codec": "png", "part": 0, "group": 0, "pack": None}
    return row | {"told": path.encode()} | more


@contextmanager
def catalogue(folder: Path, images: Iterable[dict[str, Any]]) -> Iterator[Catalogue]:
    from catalogue import Catalogue

    with closing(Catalogue(str(folder), images)) as made:
        yield made


def test_images_are_in_the_order_of_code_points(spark: SparkSession, tmp_path: Path) -> None:
    # UTF-16 has the last two the other way round, and no locale has capitals first.
    paths = ["B.png", "a/b.png", "a.png", "é.png", "\uff5e.png", "\U0001f600.png"]
    with catalogue(tmp_path, [image(path) for path in paths]) as made:
        assert [told.decode() for _, _, told in made.by_path()] == sorted(paths)


def test_names_that_meet_stay_apart_wherever_the_images_landed(spark: SparkSession, tmp_path: Path) -> None:
    images = [
        image("x/a.jpg"),
        image("b.jpg", outcome="kept_larger"),
        image("x/a.bmp", part=7),
        image("x/a.png", part=9),
    ]
    with catalogue(tmp_path, [*images, image("x/c", outcome="rejected", codec=None)]) as made:
        assert {told.decode(): name for name, _, told in made.by_path()} == {
            "b.jpg": "b.jpg",
            "x/a.bmp": "x/a.bmp.png",
            "x/a.jpg": "x/a.jpg.png",
            "x/a.png": "x/a.png",
            "x/c": None,
        }
        assert made.part("x/a.bmp") == 7
        assert made.outcomes() == {"published": 3, "kept_larger": 1, "rejected": 1}


def test_groups_are_of_what_is_published_as_it_landed(spark: SparkSession, tmp_path: Path) -> None:
    images = [image("c.png"), image("b.txt", outcome="rejected"), image("a.png"), image("d.png", part=3, group=1)]
    with catalogue(tmp_path, images) as made:
        groups = [[(row["part"], row["relative_path"]) for row in group] for group in made.by_group()]
    assert groups == [[(0, "c.png"), (0, "a.png")], [(3, "d.png")]]


def test_packs_are_of_neighbours_and_of_a_block_in_size(spark: SparkSession) -> None:
    from publish import grouped

    sizes = [100 << 20, 28 << 20, None, 1, 300 << 20]
    images = [
        {"published_size_bytes": size, "outcome": "published" if size else "rejected", "file": number // 2}
        for number, size in enumerate(sizes)
    ]
    packed, files = (
        [(row["pack"], row["group"]) for row in grouped(images, layout)] for layout in ("parquet", "files")
    )
    assert packed == [(0, 0), (1, 1), (None, None), (1, 1), (3, 3)]
    assert files == [(None, 0), (None, 0), (None, 1), (None, 1), (None, 2)]
