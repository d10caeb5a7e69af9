"""report.html: what it says, and that it is one file that asks for nothing."""

import base64
import io
import math
import re
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from chromapress.report import MAX_EXAMPLES, Example, dataset_bands, pick_examples, read_rows, render
from chromapress.run_summary import summary
from chromapress.tables import MANIFEST
from tests.chromapress.conftest import SOURCES, Made
from tests.landing_set import encoded


class Page(HTMLParser):
    """Text, tags and addresses of a page; void and unclosed tags are told apart."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text: list[str] = []
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.images: list[bytes] = []
        self._open: list[str] = []
        self.feed(html)
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "srcset", "action", "xlink:href") and value and not value.startswith("#"):
                self.addresses.append(value[:40])
                if value.startswith("data:image/webp;base64,"):
                    self.images.append(base64.b64decode(value.partition(",")[2]))
        if tag not in ("meta", "img", "br"):
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).split())


@pytest.fixture(scope="session")
def html(made: Made) -> str:
    examples = [made.example(path, why) for path, why in pick_examples(made.manifest)]
    return render(made.run, made.manifest, examples)


@pytest.fixture(scope="session")
def page(html: str) -> Page:
    return Page(html)


def test_the_page_is_well_formed_and_asks_for_nothing(page: Page, html: str) -> None:
    assert all(address.startswith("data:image/webp;base64,") for address in page.addresses)
    assert not {"script", "link", "iframe", "object", "form"} & set(page.tags)
    assert "@import" not in html
    assert "url(" not in re.sub(r"url\(#\w+\)", "", html)


def test_the_totals_are_those_of_the_run(page: Page, made: Made) -> None:
    assert f"Images {len(SOURCES)}" in page.words
    assert f"Saved {made.run['saved_percent']:.1f} %" in page.words
    assert f"Lowest PSNR {made.run['psnr_db']['min']:.2f} dB" in page.words
    for name in ("maps", "dt=2026-11-23", "0123456789abcdef", "scheduled__2026-11-24T02:00:00+00:00"):
        assert name in page.words


def test_every_outcome_is_counted_and_rejections_by_their_reason(page: Page, made: Made) -> None:
    for outcome, count in made.run["outcomes"].items():
        assert f"{outcome} {count}" in page.words
    assert "not_an_image 1" in page.words


def test_jpegs_that_are_kept_are_explained_with_their_numbers(page: Page) -> None:
    assert "1 of the 2 images that came as JPEG are kept as they are ( kept_larger ): they take" in page.words
    assert "a palette file is larger at the same quality" in page.words


def test_whatever_comes_from_outside_stays_text(made: Made) -> None:
    bad = "<img src=x onerror=alert(1)>\"'&"
    rows = made.manifest.to_pylist()
    for row in rows:
        row |= {"reason": bad, "choice": bad}
        row["relative_path"] = bad + row["relative_path"]
    table = pa.Table.from_pylist(rows, MANIFEST)
    run = made.run | {"dataset": bad, "partition": bad, "run_id": bad, "version": bad, "versions": {bad: bad}}
    run |= {"stages": {bad: {"started": bad, "seconds": 1.0}}, "config": {"quality": {"min_psnr_db": 32}, "x": bad}}
    example = Example(bad + "a.png", bad, SOURCES["a.png"], made.pressed["a.png"].content or b"")
    page = Page(render(run, table, [example]))
    assert all(address.startswith("data:") for address in page.addresses)
    assert bad in "".join(page.text)


def test_the_clusters_of_an_example_add_up(page: Page, made: Made) -> None:
    row = next(row for row in made.manifest.to_pylist() if row["relative_path"] == "a.png")
    largest = int(np.argmax(row["cluster_sizes"]))
    red, green, blue, _ = np.frombuffer(row["palette"], np.uint8).reshape(-1, 4)[largest]
    assert f"{max(row['cluster_sizes']):,}" in page.words
    assert f"{red} {green} {blue}" in page.words


def test_examples_show_the_pixels_unless_they_are_scaled_and_say_so(page: Page, made: Made) -> None:
    shown = [np.asarray(Image.open(io.BytesIO(content)).convert("RGBA")) for content in page.images]
    decoded = made.pressed["icons/icon.png"].decoded
    assert decoded is not None
    assert any(np.array_equal(image, decoded.pixels) for image in shown)
    assert "Before and after, enlarged 3 times" in page.words
    assert "Before and after, scaled to 42 %" in page.words
    assert "where they differ most, at full size" in page.words
    assert max(max(image.shape) for image in shown) == 400


def test_the_detail_is_where_the_images_differ_most() -> None:
    before = np.zeros((600, 800, 3), np.uint8)
    after = before.copy()
    after[300:400, 500:600] = 90
    row = {
        "relative_path": "x.png",
        "outcome": "published",
        "width": 800,
        "height": 600,
        "k": 2,
        "psnr_db": 30.0,
        "source_size_bytes": 9,
        "published_size_bytes": 3,
    }
    example = Example("x.png", "lowest PSNR", *(encoded(Image.fromarray(one), "PNG") for one in (before, after)))
    run = {"dataset": "d", "partition": "p", "version": "v", "run_id": "r", "stages": {}, "versions": {}}
    table = pa.Table.from_pylist([row], MANIFEST)
    run |= summary(table) | {"config": {"quality": {"min_psnr_db": None}}}
    page = Page(render(run, table, [example]))
    place = re.search(r"\(from (\d+), (\d+)\)", page.words)
    assert place is not None
    x, y = (int(number) for number in place.groups())
    assert 420 <= x <= 500
    assert 220 <= y <= 300


def rows_of(*values: tuple[str, float, float, int, int]) -> pa.Table:
    return pa.Table.from_pylist(
        [
            {
                "relative_path": path,
                "outcome": "published_lossless" if math.isinf(psnr_db) else "published",
                "psnr_db": psnr_db,
                "ssim": ssim,
                "source_size_bytes": before,
                "published_size_bytes": after,
                "width": 10,
                "height": 10,
            }
            for path, psnr_db, ssim, before, after in values
        ],
        MANIFEST,
    )


def test_the_worst_and_the_best_are_picked_each_once() -> None:
    table = rows_of(
        ("worst", 32.0, 0.8, 100, 50),
        ("blurred", 33.0, 0.7, 100, 60),
        ("best", 45.0, 0.99, 100, 70),
        ("exact", math.inf, 1.0, 100, 1),
        ("little", 40.0, 0.9, 100, 94),
        ("plain", 41.0, 0.9, 100, 70),
    )
    assert pick_examples(table) == [
        ("worst", "lowest PSNR"),
        ("blurred", "lowest SSIM"),
        ("best", "highest PSNR"),
        ("exact", "largest saving"),
        ("little", "smallest saving"),
        ("plain", "low PSNR"),
    ]


def test_an_image_that_is_extreme_in_all_comes_once() -> None:
    picked = pick_examples(rows_of(("only", 32.0, 0.8, 100, 50)))
    assert picked == [("only", "lowest PSNR, lowest SSIM, highest PSNR, largest saving, smallest saving")]


def test_exact_images_alone_are_picked_by_their_saving() -> None:
    picked = pick_examples(rows_of(("a", math.inf, 1.0, 100, 5), ("b", math.inf, 1.0, 100, 50)))
    assert picked == [("a", "largest saving"), ("b", "smallest saving")]


def test_what_is_picked_does_not_depend_on_the_rows_order(made: Made) -> None:
    reverse = made.manifest.take(list(range(made.manifest.num_rows))[::-1])
    assert pick_examples(reverse) == pick_examples(made.manifest)
    assert len(pick_examples(made.manifest)) <= MAX_EXAMPLES


def test_nothing_new_gives_no_examples(made: Made) -> None:
    kept = made.manifest.filter(pa.compute.equal(made.manifest["outcome"], "rejected"))
    assert pick_examples(kept) == []


def curves(*of: list[tuple[int, float, float]] | None) -> pa.ChunkedArray:
    lists: list[Any] = [
        None if one is None else [dict(zip(("k", "silhouette", "psnr_db"), point, strict=True)) for point in one]
        for one in of
    ]
    return pa.table({"curve": lists}, pa.schema([MANIFEST.field("curve")]))["curve"]


def test_bands_are_quartiles_over_the_images_that_reach_the_largest_k() -> None:
    bands = dataset_bands(
        curves(
            [(2, 0.1, 20.0), (8, 0.2, 30.0)],
            [(2, 0.3, 22.0), (5, 0.9, 25.0), (8, 0.4, 32.0)],
            None,
            [],
            [(2, 0.9, 99.0)],
            [(2, 0.5, 24.0), (8, 0.6, 34.0)],
        )
    )
    assert bands is not None
    assert (bands.images, bands.k.tolist()) == (3, [2, 8])
    assert bands.silhouette[1].tolist() == [0.3, 0.4]
    assert bands.psnr_db[:, 0].tolist() == [21.0, 22.0, 23.0]


def test_without_curves_there_are_no_bands() -> None:
    assert dataset_bands(curves(None, [])) is None


def test_a_run_of_nothing_but_rejected_images_has_a_report(made: Made) -> None:
    rows = made.manifest.filter(pa.compute.equal(made.manifest["outcome"], "rejected"))
    page = Page(render(made.run | summary(rows), rows, []))
    assert "1 rejected" in page.words


def test_long_lists_are_cut_and_the_rest_is_counted_and_the_file_stays_small(made: Made) -> None:
    rows = pa.concat_tables([made.manifest] * 1000)
    examples = [made.example(path, why) for path, why in pick_examples(made.manifest)]
    html = render(made.run | summary(rows), rows, examples)
    assert "And 800 more, in the manifest." in Page(html).words
    assert len(html) < 3_000_000


def test_rows_are_read_with_lists_for_examples_and_a_sample_of_curves_alone(made: Made) -> None:
    many = pa.concat_tables([made.manifest] * (7_000 // made.manifest.num_rows))
    names = [f"{number:05} {path}" for number, path in enumerate(many["relative_path"].to_pylist())]
    many = many.set_column(0, MANIFEST.field("relative_path"), pa.array(names))
    file = io.BytesIO()
    pq.write_table(many, file, row_group_size=300)
    rows = read_rows(pq.ParquetFile(file))
    examples = dict(pick_examples(many))
    assert pick_examples(rows) == list(examples.items())
    assert summary(rows) == summary(many)
    outcomes = many["outcome"].to_pylist()
    rejected = [outcome == "rejected" for outcome in outcomes]
    kept = [outcome.startswith("kept_") for outcome in outcomes]
    listed = [n for which in (rejected, kept) for n in [n for n, one in enumerate(which) if one][:200]]
    shown = [path in examples for path in names]
    named = [one or number in listed for number, one in enumerate(shown)]
    why = [one or number in listed for number, one in enumerate(rejected)]
    sampled = [one or number % 2 == 0 for number, one in enumerate(shown)]
    some = dict.fromkeys(("palette", "cluster_sizes", "k_by_rule", "k", "choice"), shown)
    some |= {"relative_path": named, "reason": why, "curve": sampled}
    for name in rows.column_names:
        whole = many[name].to_pylist()
        shows = some.get(name, [True] * len(whole))
        assert rows[name].to_pylist() == [value if one else None for value, one in zip(whole, shows, strict=True)], name
    page = Page(render(made.run | summary(rows), rows, []))
    assert "Median and quartiles over a sample of" in page.words


def test_the_page_of_rows_that_are_read_is_that_of_the_whole_manifest(made: Made) -> None:
    many = pa.concat_tables([made.manifest] * (3_000 // made.manifest.num_rows))
    names = [f"{number:05}" for number in range(many.num_rows)]
    many = many.set_column(0, MANIFEST.field("relative_path"), pa.array(names))
    file = io.BytesIO()
    pq.write_table(many, file, row_group_size=300)
    paths = made.manifest["relative_path"].to_pylist()
    examples = [
        Example(path, why, made.example(paths[int(path) % len(paths)], why).before, SOURCES["a.png"])
        for path, why in pick_examples(many)
    ]
    run = made.run | summary(many)
    assert render(run, read_rows(pq.ParquetFile(file)), examples) == render(run, many, examples)


def test_examples_of_noise_stay_within_the_promised_size() -> None:
    random = np.random.default_rng(1)
    noise = encoded(Image.fromarray(random.integers(0, 256, (900, 900, 3), dtype=np.uint8)), "PNG")
    table = rows_of(*((f"{n}", 32.0, 0.9, 100, 50) for n in range(MAX_EXAMPLES)))
    run = {"dataset": "d", "partition": "p", "version": "v", "run_id": "r", "stages": {}, "versions": {}}
    run |= summary(table) | {"config": {"quality": {"min_psnr_db": 32}}}
    html = render(run, table, [Example(f"{n}", "low PSNR", noise, noise) for n in range(MAX_EXAMPLES)])
    assert len(html) < 10_500_000
