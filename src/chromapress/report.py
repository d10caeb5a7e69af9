"""report.html: what a run did to every image, as one file for people.

Self-contained: styles inline, pictures as data: URIs, plots as inline SVG; no script, no request to anywhere. Light and
dark, as the reader's system is set. Whatever comes from outside (names, reasons, configuration) is escaped.
"""

from __future__ import annotations

import base64
import io
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib import resources
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image

from chromapress import plots
from chromapress.config import Limits
from chromapress.decode import decode
from chromapress.histogram import premultiplied
from chromapress.outcome import KEPT, NEW_FILES, Outcome
from chromapress.run_summary import outcomes, saved_percent

# The file stays below about 10 MB: 6 examples, two views of each twice, and lossless WebP of 400x400 RGB noise, which
# no codec makes smaller, is 0.5 MB, a third more in base64.
MAX_EXAMPLES: Final = 6
_OVERVIEW_SIDE: Final = 400
_DETAIL_SIDE: Final = 180
_ENLARGED_SIDE: Final = 200  # icons below half of this are shown at a multiple of their size

# An example is decoded where the report is written: none so large that it would need gigabytes.
_MAX_EXAMPLE_PIXELS: Final = 40_000_000

# Of every image the page needs these, which are narrow, and of those that it shows the others, which are not.
_OF_ALL: Final = [
    "outcome",
    "format",
    "width",
    "height",
    "source_size_bytes",
    "published_size_bytes",
    "codec",
    "encoded_size_bytes",
    "size_by_codec",
    "psnr_db",
    "ssim",
    "flat_colors",
    "rules_disagree",
]
_OF_SHOWN: Final = ["relative_path", "reason", "k", "palette", "cluster_sizes", "choice", "curve", "k_by_rule"]
_PICKED_BY: Final = ["outcome", "width", "height", "source_size_bytes", "published_size_bytes", "psnr_db", "ssim"]
# What most of the page does without.
_LISTS: Final = ["palette", "cluster_sizes", "curve", "k_by_rule", "size_by_codec"]

# Rows whose curves make the bands: enough for steady quartiles, few enough for any driver (0.5 kB each).
_MAX_CURVES: Final = 4_000

_MAX_LISTED: Final = 200
_REJECTED: Final = [Outcome.REJECTED.value]
# Rows that are Python objects at a time.
_ROWS_AT_ONCE: Final = 1024
_MAX_CLUSTERS_OPEN: Final = 16

# The refined k of single images say nothing of a dataset: a k is in the bands where this share of curves has it.
_BAND_SHARE: Final = 0.9

_MEANINGS: Final = {
    Outcome.PUBLISHED: "a new file: quantized to a palette, or lossy where codec auto found that smaller",
    Outcome.PUBLISHED_LOSSLESS: "few enough colours: an exact palette file",
    Outcome.KEPT_LARGER: "a new file would not save enough: the source, byte for byte",
    Outcome.KEPT_QUALITY: "no allowed number of colours reaches the floor: the source, byte for byte",
    Outcome.KEPT_ANIMATED: "more than one frame: the source, byte for byte",
    Outcome.KEPT_MULTIPAGE: "more than one page: the source, byte for byte",
    Outcome.REJECTED: "not published",
}


@dataclass(frozen=True)
class Example:
    """An image that the report shows."""

    relative_path: str
    why: str  # such as "lowest PSNR"
    before: bytes  # the source file
    after: bytes  # the published file


def pick_examples(manifest: pa.Table) -> list[tuple[str, str]]:
    """The worst and the best of the new files, by quality and by saving: (relative_path, why), at most MAX_EXAMPLES.

    An image that is extreme in several ways comes once. Equals are taken in the order of their paths.
    """
    rows = manifest.select(["relative_path", *_PICKED_BY]).sort_by("relative_path")
    return [(rows["relative_path"][place].as_py(), why) for place, why in _pick(rows)]


def _pick(rows: pa.Table) -> list[tuple[int, str]]:
    """`pick_examples` by their places in rows, which are in the order of paths."""
    rows = rows.select(_PICKED_BY).append_column("place", pa.array(np.arange(rows.num_rows)))
    new = rows.filter(pc.is_in(rows["outcome"], pa.array(NEW_FILES)))
    size = np.asarray(new["width"], np.int64) * np.asarray(new["height"], np.int64)
    new = new.filter(pa.array(size <= _MAX_EXAMPLE_PIXELS))
    if not new.num_rows:
        return []
    psnr_db = np.asarray(new["psnr_db"], np.float64)
    ssim = np.asarray(new["ssim"], np.float64)
    before = np.asarray(new["source_size_bytes"], np.float64)
    saved = 1 - np.asarray(new["published_size_bytes"], np.float64) / before
    lossy = np.where(np.isfinite(psnr_db), psnr_db, np.nan)
    chosen: dict[int, list[str]] = {}
    for why, values, largest in (
        ("lowest PSNR", lossy, False),
        ("lowest SSIM", np.where(np.isfinite(lossy), ssim, np.nan), False),
        ("highest PSNR", lossy, True),
        ("largest saving", saved, True),
        ("smallest saving", saved, False),
    ):
        if not np.isnan(values).all():
            place = int(np.nanargmax(values) if largest else np.nanargmin(values))
            chosen.setdefault(place, []).append(why)
    for place in np.argsort(lossy, kind="stable"):
        if len(chosen) >= MAX_EXAMPLES or np.isnan(lossy[place]):
            break
        chosen.setdefault(int(place), ["low PSNR"])
    return [(new["place"][place].as_py(), ", ".join(whys)) for place, whys in chosen.items()]


def read_rows(manifest: pq.ParquetFile) -> pa.Table:
    """A manifest's rows as `render` and `run_summary.summary` need them, in some hundred bytes each.

    Names, reasons, choices and lists are left null where they are not shown: but for the rows of `pick_examples`, the
    first that are not new, the reasons of whom is rejected, and the curve of some rows at equal distances.
    """
    of_all = manifest.read(_OF_ALL, use_threads=False)
    places = np.arange(of_all.num_rows)
    examples = np.isin(places, [place for place, _ in _pick(of_all)])
    rejected, kept = (np.asarray(pc.is_in(of_all["outcome"], pa.array(which))) for which in (_REJECTED, KEPT))
    listed = np.isin(places, [*np.flatnonzero(rejected)[:_MAX_LISTED], *np.flatnonzero(kept)[:_MAX_LISTED]])
    shown = {
        "relative_path": examples | listed,
        "reason": rejected | listed,
        "curve": examples | (places % -(-max(len(places), 1) // _MAX_CURVES) == 0),
    }
    types = {name: manifest.schema_arrow.field(name).type for name in _OF_SHOWN}
    groups: list[pa.Table] = []
    first = 0
    for number in range(manifest.num_row_groups):
        end = first + manifest.metadata.row_group(number).num_rows
        wanted = {name: shown.get(name, examples)[first:end] for name in _OF_SHOWN}
        read = manifest.read_row_group(number, [name for name in wanted if wanted[name].any()], use_threads=False)
        columns = {
            name: _where(read[name], wanted[name]) if name in read.column_names else pa.nulls(end - first, types[name])
            for name in _OF_SHOWN
        }
        groups.append(pa.table(columns))
        first = end
    of_shown = pa.concat_tables(groups)
    return pa.table({**dict(zip(_OF_ALL, of_all, strict=True)), **dict(zip(_OF_SHOWN, of_shown, strict=True))})


def _where(column: pa.ChunkedArray, shown: NDArray[np.bool_]) -> pa.ChunkedArray:
    """A column with nulls, which take no memory of what was there, where it is not shown."""
    return column.take(pa.array(np.arange(len(shown)), mask=~shown))


def render(run: Mapping[str, Any], manifest: pa.Table, examples: Sequence[Example]) -> str:
    """The whole page.

    run: run.json, that is run_summary.summary() with dataset, partition, version, run_id, stages {stage: {started,
    seconds}}, config (resolved) and versions {component: version}; manifest: rows of tables.MANIFEST (`read_rows`).
    """
    title = f"{run['dataset']} {run['partition']}"
    style = resources.files("chromapress").joinpath("report.css").read_text(encoding="utf-8")
    flat = manifest.drop_columns(_LISTS)
    parts = [
        _head(run),
        _totals(run),
        _outcomes(flat),
        _formats(manifest),
        _curves(run, manifest),
        _examples(manifest, examples[:MAX_EXAMPLES], run["config"]["quality"]["min_psnr_db"]),
        _not_new(flat),
        _stages(run["stages"]),
        _conditions(run),
    ]
    body = "\n".join(part for part in parts if part)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(title)} - Chromapress</title>\n<style>\n{style}</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _head(run: Mapping[str, Any]) -> str:
    begun = min((_time(stage["started"]) for stage in run["stages"].values()), default="")
    return (
        f'<header>\n<p class="brand">Chromapress</p>\n<h1>{_name(run["dataset"])} '
        f"<span>{_name(run['partition'])}</span></h1>\n"
        f'<p class="quiet">Version <code>{escape(run["version"])}</code>, made by run '
        f"<code>{escape(run['run_id'])}</code>{', begun ' + escape(begun) if begun else ''}.</p>\n</header>"
    )


def _totals(run: Mapping[str, Any]) -> str:
    quality = run["psnr_db"]
    lowest, mean = (f"{quality[name]:.2f} dB" if quality else "exact" for name in ("min", "mean"))
    if not any(run["outcomes"].get(name) for name in NEW_FILES):
        lowest = mean = "none"
    rejected = f"; {_bytes(run['rejected_bytes'])} of rejected files not counted" if run["rejected_bytes"] else ""
    sizes = f"{_bytes(run['bytes_in'])} to {_bytes(run['bytes_out'])}{rejected}"
    tiles = (
        ("Images", f"{run['images']:,}", _few_outcomes(run["outcomes"])),
        ("Saved", f"{run['saved_percent']:.1f} %", sizes),
        ("Lowest PSNR", lowest, "of the new files that are not exact"),
        ("Mean PSNR", mean, f"mean SSIM {run['ssim']['mean']:.4f}" if run["ssim"] else ""),
    )
    cells = "".join(
        f"<div><dt>{label}</dt><dd>{escape(value)}<small>{escape(note)}</small></dd></div>"
        for label, value, note in tiles
    )
    return f'<dl class="tiles">{cells}</dl>'


def _few_outcomes(counts: Mapping[str, int]) -> str:
    new = sum(counts.get(name, 0) for name in NEW_FILES)
    kept = sum(count for name, count in counts.items() if name.startswith("kept_"))
    return f"{new:,} new, {kept:,} kept, {counts.get(Outcome.REJECTED, 0):,} rejected"


def _outcomes(manifest: pa.Table) -> str:
    rows: list[list[str]] = []
    for name, count in outcomes(manifest).items():
        rows.append([f"<code>{name}</code>", _number(count), _MEANINGS[Outcome(name)]])
    rejected = manifest.filter(pc.equal(manifest["outcome"], Outcome.REJECTED.value))["reason"].fill_null("")
    kinds = pc.value_counts(pc.list_element(pc.split_pattern(rejected, ":", max_splits=1), 0)).to_pylist()
    for kind in sorted(kinds, key=lambda one: (-one["counts"], one["values"])):
        rows.append([f'<span class="inner">{escape(kind["values"])}</span>', _number(kind["counts"]), ""])
    return _section("What became of the images", _table(("Outcome", "Images", ""), rows, numbers=(1,)))


def _formats(manifest: pa.Table) -> str:
    published = manifest.filter(pc.not_equal(manifest["outcome"], Outcome.REJECTED.value))
    sums = [("source_size_bytes", "count"), ("source_size_bytes", "sum"), ("published_size_bytes", "sum")]
    new = published.filter(pc.is_in(published["outcome"], pa.array(NEW_FILES)))
    text = _byte_table("New files by codec", "Codec", new.group_by("codec").aggregate(sums).to_pylist(), "codec")
    by_format = published.group_by("format").aggregate(sums).to_pylist()
    text += _codec_sentence(new)
    text += _byte_table("All published files by source format", "Source", by_format, "format")
    return _section("Bytes", text + _jpeg_sentence(manifest)) if text else ""


def _codec_sentence(new: pa.Table) -> str:
    """By how much the codecs that won beat the best of the others, where several competed."""
    images = ours = others = 0
    for batch in new.select(["codec", "size_by_codec"]).to_batches(_ROWS_AT_ONCE):
        for row in batch.to_pylist():
            sizes = dict(row["size_by_codec"] or ())
            if len(sizes) > 1:
                images += 1
                ours += sizes.pop(row["codec"])
                others += min(sizes.values())
    if not images:
        return ""
    return (
        f'<p class="note">For {_count(images, "image", "images")}, several codecs made a file: the smallest take '
        f"{_bytes(ours)}, {saved_percent(others, ours):.1f} % less than the second smallest would.</p>"
    )


def _byte_table(caption: str, label: str, groups: list[dict[str, Any]], key: str) -> str:
    if not groups:
        return ""
    rows = []
    for group in sorted(groups, key=lambda one: -one["source_size_bytes_sum"]):
        before, after = group["source_size_bytes_sum"], group["published_size_bytes_sum"]
        rows.append(
            [
                escape(group[key] or "several frames or pages"),
                _number(group["source_size_bytes_count"]),
                _bytes(before),
                _bytes(after),
                f"{saved_percent(before, after):.1f} %",
            ]
        )
    return f"<h3>{caption}</h3>" + _table((label, "Images", "Before", "After", "Saved"), rows, numbers=(1, 2, 3, 4))


def _jpeg_sentence(manifest: pa.Table) -> str:
    jpeg = manifest.filter(pc.equal(manifest["format"], "JPEG"))
    kept = jpeg.filter(pc.equal(jpeg["outcome"], Outcome.KEPT_LARGER.value))
    if not kept.num_rows:
        return ""
    compared = kept.filter(pc.is_valid(kept["encoded_size_bytes"]))
    sizes = ""
    if compared.num_rows:
        theirs, ours = (pc.sum(compared[name]).as_py() for name in ("source_size_bytes", "encoded_size_bytes"))
        sizes = f": they take {_bytes(theirs)}, their palette files would take {_bytes(ours)}"
    return (
        f'<p class="note">{kept.num_rows:,} of the {jpeg.num_rows:,} images that came as JPEG are kept as they are '
        f"(<code>kept_larger</code>){sizes}. Photographs that come as JPEG mostly end so: a palette file is larger at "
        "the same quality. Codec <code>auto</code> tries lossy WebP and AVIF too.</p>"
    )


def _curves(run: Mapping[str, Any], manifest: pa.Table) -> str:
    bands = dataset_bands(manifest["curve"])
    if bands is None:
        return ""
    figure = plots.bands_figure(bands, run["config"]["quality"]["min_psnr_db"])
    images = "the one image" if bands.images == 1 else f"the {bands.images:,} images"
    if manifest.num_rows > _MAX_CURVES:
        images = f"a sample of {bands.images:,} images"
    return _section(
        "Silhouette and quality over the dataset",
        f'<figure class="plot">{plots.svg(figure, "Silhouette and PSNR over k")}<figcaption>Median and quartiles over '
        f"{images} with more than {bands.k.max()} colours. The silhouette is the squared-Euclidean one over the pixels."
        f"</figcaption></figure><p>{_count(run['flat_graphics'], 'image consists', 'images consist')} of flat colours. "
        f"For {_count(run['rules_disagree'], 'image', 'images')}, the number of colours with the best silhouette and "
        "the fewest that reach the floor differ by a factor of four or more: the silhouette alone would mislead "
        "there.</p>",
    )


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


def dataset_bands(curves: pa.ChunkedArray) -> plots.Bands | None:
    """Quartiles over the manifest's column `curve`, of those curves that reach the largest k; None of no curves.

    Only of those, so that they are over the same images for every k: an image of few colours is exact early and then
    has no curve any more. A k that is exact is left out: it has no PSNR to take a median of.
    """
    lists = curves.drop_null().combine_chunks()
    lengths = pc.list_value_length(lists).to_numpy(zero_copy_only=False)
    points = pc.list_flatten(lists)
    k, silhouette, psnr_db = (
        pc.struct_field(points, name).to_numpy(zero_copy_only=False) for name in ("k", "silhouette", "psnr_db")
    )
    if not len(k):
        return None
    last = np.zeros(len(lengths), k.dtype)
    last[lengths > 0] = k[np.cumsum(lengths)[lengths > 0] - 1]
    long = np.repeat(last == last.max(), lengths)
    k, silhouette, psnr_db = k[long], silhouette[long], psnr_db[long]
    images = int((last == last.max()).sum())
    tried, counts = np.unique(k[np.isfinite(psnr_db)], return_counts=True)
    tried = tried[counts >= _BAND_SHARE * images]

    def quartiles(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.array([np.quantile(values[k == one], (0.25, 0.5, 0.75)) for one in tried]).T

    return plots.Bands(images, tried, quartiles(silhouette), quartiles(psnr_db))


def _examples(manifest: pa.Table, examples: Sequence[Example], floor_db: float | None) -> str:
    if not examples:
        return ""
    wanted = pa.array([example.relative_path for example in examples])
    chosen = manifest.filter(pc.is_in(manifest["relative_path"], wanted)).to_pylist()
    rows = {row["relative_path"]: row for row in chosen}
    cards = (
        _example(number, example, rows[example.relative_path], floor_db) for number, example in enumerate(examples, 1)
    )
    return _section("The worst and the best", "".join(cards))


def _example(number: int, example: Example, row: Mapping[str, Any], floor_db: float | None) -> str:
    exact = row["psnr_db"] is None or math.isinf(row["psnr_db"])
    facts = [
        f"{row['width']}x{row['height']}",
        f"k = {row['k']}" if row["k"] else str(row["codec"]),
        "exact" if exact else f"PSNR {row['psnr_db']:.2f} dB",
        *([f"SSIM {row['ssim']:.4f}"] if row["ssim"] is not None and not exact else []),
        f"{_bytes(row['source_size_bytes'])} to {_bytes(row['published_size_bytes'])} "
        f"({saved_percent(row['source_size_bytes'], row['published_size_bytes']):.1f} % saved)",
    ]
    curve = plots.Curve.of_rows(row["curve"] or ())
    plot = ""
    if len(curve):
        figure = plots.curve_figure(curve, chosen_k=row["k"], k_by_rule=row["k_by_rule"], floor_db=floor_db)
        plot = f'<figure class="plot">{plots.svg(figure, f"Silhouette and PSNR over k of example {number}")}</figure>'
    return (
        f'<article>\n<h3>{escape(example.why[:1].upper() + example.why[1:])}</h3>\n<p class="path">'
        f'{_name(example.relative_path)}</p>\n<p class="quiet">{" · ".join(facts)}</p>\n'
        f"{_views(example)}\n<p>{escape(_sentence(row['choice'] or ''))}</p>\n"
        f"{plot}{_clusters(row)}</article>\n"
    )


def _views(example: Example) -> str:
    generous = Limits(max_pixels=10**9, max_bytes=10**9)
    before, after = (decode(content, generous).pixels for content in (example.before, example.after))
    height, width = before.shape[:2]
    whole = [Image.fromarray(pixels) for pixels in (before, after)]
    note = "at full size"
    largest = max(width, height)
    style = ""
    if largest > _OVERVIEW_SIDE:
        size = tuple(max(1, round(side * _OVERVIEW_SIDE / largest)) for side in (width, height))
        whole = [_premultiplied_resize(image, size) for image in whole]
        note = f"scaled to {100 * _OVERVIEW_SIDE / largest:.0f} %"
    elif largest * 2 <= _ENLARGED_SIDE:
        times = _ENLARGED_SIDE // largest
        style = f' class="enlarged" width="{width * times}" height="{height * times}"'
        note = f"enlarged {times} times"
    views = _pair(whole, note, style)
    if largest > _OVERVIEW_SIDE and before.shape[:2] == after.shape[:2]:
        y, x = _worst_place(before, after)
        crop = np.s_[y : y + _DETAIL_SIDE, x : x + _DETAIL_SIDE]
        details = [Image.fromarray(np.ascontiguousarray(pixels[crop])) for pixels in (before, after)]
        views += _pair(details, f"where they differ most, at full size (from {x}, {y})")
    return f'<div class="views">{views}</div>'


def _premultiplied_resize(image: Image.Image, size: tuple[int, ...]) -> Image.Image:
    target = (size[0], size[1])
    if image.mode == "RGBA":
        return image.convert("RGBa").resize(target, Image.Resampling.LANCZOS).convert("RGBA")
    return image.resize(target, Image.Resampling.LANCZOS)


def _pair(images: Sequence[Image.Image], note: str, attributes: str = "") -> str:
    figures = ""
    for image, side in zip(images, ("Before", "After"), strict=True):
        size = attributes or f' width="{image.width}" height="{image.height}"'
        figures += f'<img src="{_data_uri(image)}" alt="{side}"{size}>'
    return f'<figure><div class="pair">{figures}</div><figcaption>Before and after, {note}.</figcaption></figure>'


def _worst_place(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> tuple[int, int]:
    """Top and left of the square with the largest squared error."""
    channels = min(before.shape[2], after.shape[2])
    error = np.zeros((before.shape[0] + 1, before.shape[1] + 1))
    for channel in range(channels):
        difference = before[..., channel].astype(np.float32) - after[..., channel]
        error[1:, 1:] += np.square(difference)
    summed = error.cumsum(axis=0).cumsum(axis=1)
    rows, columns = (min(side, _DETAIL_SIDE) for side in before.shape[:2])
    boxes = summed[rows:, columns:] - summed[:-rows, columns:] - summed[rows:, :-columns] + summed[:-rows, :-columns]
    y, x = np.unravel_index(int(boxes.argmax()), boxes.shape)
    return int(y), int(x)


def _data_uri(image: Image.Image) -> str:
    content = io.BytesIO()
    image.save(content, "WEBP", lossless=True, method=3, exact=True)
    return f"data:image/webp;base64,{base64.b64encode(content.getvalue()).decode()}"


def _clusters(row: Mapping[str, Any]) -> str:
    """The paper's figure 5: the points of each cluster and the colour of its centre."""
    palette = np.frombuffer(row["palette"] or b"", np.uint8).reshape(-1, 4)
    sizes = np.array(row["cluster_sizes"] or [], np.int64)
    if not len(palette):
        return ""
    largest_first = np.argsort(-sizes, kind="stable")
    by_lightness = np.argsort(premultiplied(palette)[:, :3] @ (0.299, 0.587, 0.114), kind="stable")
    bar = "".join(f'<i style="flex:{sizes[place]};--color:{_css(palette[place])}"></i>' for place in by_lightness)
    total = int(sizes.sum())
    cells = [
        f'<li><i style="--color:{_css(palette[place])}"></i><span><b>{_number(int(sizes[place]))}</b> '
        f"<small>{100 * sizes[place] / total:.2f} %</small><br><code>{_channels(palette[place])}</code></span></li>"
        for place in largest_first
    ]
    text = (
        f'<h4>Clusters</h4><div class="bar" role="img" aria-label="The palette by share of pixels">{bar}</div>'
        f'<ol class="clusters">{"".join(cells[:_MAX_CLUSTERS_OPEN])}</ol>'
    )
    if len(cells) > _MAX_CLUSTERS_OPEN:
        text += (
            f"<details><summary>{len(cells) - _MAX_CLUSTERS_OPEN} smaller clusters</summary>"
            f'<ol class="clusters">{"".join(cells[_MAX_CLUSTERS_OPEN:])}</ol></details>'
        )
    return text + '<p class="quiet">Pixels of each cluster, their share, and the colour of its centre.</p>'


def _css(rgba: NDArray[np.uint8]) -> str:
    red, green, blue, alpha = (int(level) for level in rgba)
    return f"#{red:02x}{green:02x}{blue:02x}" + ("" if alpha == 255 else f"{alpha:02x}")


def _channels(rgba: NDArray[np.uint8]) -> str:
    levels = [str(int(level)) for level in rgba]
    return " ".join(levels[:3] if levels[3] == "255" else levels)


def _not_new(manifest: pa.Table) -> str:
    """Rejected first, then kept: the first of them by name, and how many more there are."""
    text = ""
    for heading, which in (
        ("Rejected", _REJECTED),
        ("Kept as they are", KEPT),
    ):
        found = manifest.filter(pc.is_in(manifest["outcome"], pa.array(which)))
        if not found.num_rows:
            continue
        columns = ["relative_path", "outcome", "reason", "source_size_bytes"]
        rows = [
            [
                _name(row["relative_path"]),
                *([] if heading == "Rejected" else [f"<code>{row['outcome']}</code>"]),
                escape(row["reason"] or ""),
                _bytes(row["source_size_bytes"]),
            ]
            for row in found.select(columns).slice(0, _MAX_LISTED).to_pylist()
        ]
        heads = ("Image", "Why", "Bytes") if heading == "Rejected" else ("Image", "Outcome", "Why", "Bytes")
        more = found.num_rows - len(rows)
        text += (
            f"<details{' open' if heading == 'Rejected' or found.num_rows <= 20 else ''}><summary>{heading}: "
            f"{found.num_rows:,}</summary>{_table(heads, rows, numbers=(len(heads) - 1,), extra='list')}"
            + (f'<p class="quiet">And {more:,} more, in the manifest.</p>' if more else "")
            + "</details>"
        )
    return _section("Rejected and kept", text) if text else ""


def _stages(stages: Mapping[str, Mapping[str, Any]]) -> str:
    longest = max((stage["seconds"] for stage in stages.values()), default=0)
    rows = [
        [
            f"<code>{escape(name)}</code>",
            escape(_time(stage["started"])),
            f"{stage['seconds']:.1f}",
            f'<i class="length" style="width:{100 * stage["seconds"] / longest if longest else 0:.1f}%"></i>',
        ]
        for name, stage in stages.items()
    ]
    table = _table(("Stage", "Started", "Seconds", ""), rows, numbers=(2,))
    return _section("Seconds per stage", table) if rows else ""


def _conditions(run: Mapping[str, Any]) -> str:
    versions = _table(
        ("Component", "Version"),
        [[escape(name), f"<code>{escape(str(version))}</code>"] for name, version in run["versions"].items()],
    )
    configuration = escape(json.dumps(run["config"], indent=2, ensure_ascii=False))
    return _section(
        "How it was made",
        f"<details><summary>Configuration</summary><pre>{configuration}</pre></details>"
        f"<details><summary>Versions</summary>{versions}</details>",
    )


def _section(heading: str, content: str) -> str:
    return f"<section>\n<h2>{heading}</h2>\n{content}\n</section>"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]], numbers: Sequence[int] = (), extra: str = "") -> str:
    """Cells are HTML already. The columns `numbers` are set to the right."""

    def line(tag: str, cells: Sequence[str]) -> Iterator[str]:
        yield "<tr>"
        for place, cell in enumerate(cells):
            yield f"<{tag}{' class=number' if place in numbers else ''}>{cell}</{tag}>"
        yield "</tr>"

    body = "".join("".join(line("td", row)) for row in rows)
    kind = f' class="{extra}"' if extra else ""
    head = "".join(line("th", heads))
    return f'<div class="scroll"><table{kind}><thead>{head}</thead><tbody>{body}</tbody></table></div>'


def _name(text: str) -> str:
    """A name from outside: escaped, and whatever its direction of writing, without effect on what is around it."""
    return f"<bdi>{escape(text)}</bdi>"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def _time(text: str) -> str:
    """2026-11-24T02:00:00+00:00 as people write it."""
    return text.replace("T", " ").replace("+00:00", " UTC")


def _number(count: int) -> str:
    return f"{count:,}"


def _bytes(count: int) -> str:
    """In the decimal units of disks and networks."""
    size = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 999.5 or (unit == "bytes" and size < 1000):
            return f"{size:.0f} {unit}" if unit == "bytes" or size >= 99.95 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:,.1f} TB"
