"""Pictures: the curves from which k is chosen (the paper's figure 6), over one image and over a dataset, and an image
before and after with its palette.

Drawn with Matplotlib's Agg and SVG backends, without pyplot: no window, no state between figures. Colours are those of
THEME; `svg` names them as CSS variables instead, so that a page that defines them can be light or dark.
"""

from __future__ import annotations

import io
import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator
from numpy.typing import NDArray
from PIL import Image

from chromapress.choice import Candidate

FORMATS: Final = (".png", ".webp", ".svg", ".pdf")

# Name of the CSS variable, and its value in light. Each value must occur nowhere else in a figure.
THEME: Final = {
    "ink": "#1d2530",
    "muted": "#66707d",
    "rule": "#dfe3e8",
    "silhouette": "#a8521f",
    "quality": "#1f6f8b",
    "chosen": "#3b3f8f",
}
_STYLE: Final[dict[Any, Any]] = {
    "font.size": 9,
    "font.family": "sans-serif",
    "text.color": THEME["ink"],
    "axes.labelcolor": THEME["ink"],
    "axes.edgecolor": THEME["rule"],
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "xtick.color": THEME["muted"],
    "ytick.color": THEME["muted"],
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "grid.color": THEME["rule"],
    "grid.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.fonttype": "none",  # text stays text
}
# The same figure is the same file: without the time of day in it.
_TIMELESS: Final[dict[str, dict[str, Any]]] = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}

# An image of more pixels is scaled down to that in a comparison.
_VIEW_SIDE: Final = 640

_TICKS_K: Final = (2, 4, 8, 16, 32, 64, 128, 256)
_RULE_MARKS: Final = {"silhouette": "^", "silhouette_floor": "D", "quality": "v", "fixed": "s"}


@dataclass(frozen=True)
class Curve:
    """Silhouette and PSNR of ascending k."""

    k: tuple[int, ...]
    silhouette: tuple[float, ...]
    psnr_db: tuple[float, ...]

    @classmethod
    def of(cls, candidates: Iterable[Candidate]) -> Curve:
        return cls.of_rows({"k": one.k, "silhouette": one.silhouette, "psnr_db": one.psnr_db} for one in candidates)

    @classmethod
    def of_rows(cls, rows: Iterable[Mapping[str, Any]]) -> Curve:
        """From the structs of the manifest's column `curve`."""
        rows = list(rows)
        return cls(*(tuple(row[name] for row in rows) for name in ("k", "silhouette", "psnr_db")))

    def __len__(self) -> int:
        return len(self.k)


@dataclass(frozen=True)
class Bands:
    """Quartiles over images, for ascending k."""

    images: int
    k: NDArray[np.int64]
    silhouette: NDArray[np.float64]  # [3, len(k)]: lower quartile, median, upper quartile
    psnr_db: NDArray[np.float64]  # [3, len(k)]


def curve_figure(
    curve: Curve,
    *,
    chosen_k: int | None = None,
    k_by_rule: Mapping[str, int | None] | None = None,
    floor_db: float | None = None,
    title: str = "",
) -> Figure:
    """Silhouette (left axis) and PSNR (right axis) over k, with the k that each rule takes, the one chosen, the floor.

    A curve of no points gives a figure that says so.
    """
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(6.4, 3.4), layout="constrained", dpi=150)
        left = figure.add_subplot()
        left.set_title(_plain(title))
        if not len(curve):
            left.axis("off")
            left.text(0.5, 0.5, "Too few colours for a choice: no curve.", ha="center", color=THEME["muted"])
            return figure
        right = left.twinx()
        right.plot(curve.k, curve.psnr_db, color=THEME["quality"], lw=1.5, marker="o", ms=2.5)
        left.plot(curve.k, curve.silhouette, color=THEME["silhouette"], lw=1.5, marker="o", ms=2.5)
        left.set_zorder(right.get_zorder() + 1)
        left.patch.set_visible(False)
        left.set_ylabel("Silhouette, squared Euclidean", color=THEME["silhouette"])
        right.set_ylabel("PSNR, dB", color=THEME["quality"])
        if floor_db is not None:
            right.axhline(floor_db, color=THEME["quality"], lw=0.9, ls=(0, (4, 3)))
            # Where the line of the chosen k is not.
            at_left = chosen_k is not None and chosen_k**2 > curve.k[0] * curve.k[-1]
            right.annotate(
                f"floor {floor_db:g} dB",
                (0 if at_left else 1, floor_db),
                xycoords=("axes fraction", "data"),
                xytext=(4 if at_left else -4, 3),
                textcoords="offset points",
                ha="left" if at_left else "right",
                fontsize=7.5,
                color=THEME["quality"],
            )
        silhouettes = dict(zip(curve.k, curve.silhouette, strict=True))
        if chosen_k is not None:
            left.axvline(chosen_k, color=THEME["chosen"], lw=1.1)
            left.plot([], [], color=THEME["chosen"], lw=1.1, label=f"chosen: k = {chosen_k}")
        for rule, k in (k_by_rule or {}).items():
            if k in silhouettes:
                left.plot(
                    [k],
                    [silhouettes[k]],
                    ls="",
                    marker=_RULE_MARKS[rule],
                    ms=6.5,
                    mfc="none",
                    mec=THEME["ink"],
                    mew=1.1,
                    label=f"{rule}: k = {k}",
                )
        _k_axis(left, [*curve.k, *([chosen_k] if chosen_k else [])])
        if left.get_legend_handles_labels()[1]:
            figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    return figure


def bands_figure(bands: Bands, floor_db: float | None) -> Figure:
    """Median and quartiles of silhouette and PSNR over k."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(7.2, 2.9), layout="constrained")
        panels = figure.subplots(1, 2)
        for axes, title, values, color in (
            (panels[0], "Silhouette (squared Euclidean)", bands.silhouette, THEME["silhouette"]),
            (panels[1], "PSNR, dB", bands.psnr_db, THEME["quality"]),
        ):
            axes.fill_between(bands.k, values[0], values[2], color=color, alpha=0.2, lw=0)
            axes.plot(bands.k, values[1], color=color, lw=1.7)
            axes.set_title(title)
            _k_axis(axes, bands.k)
        if floor_db is not None:
            panels[1].axhline(floor_db, color=THEME["quality"], lw=0.9, ls=(0, (4, 3)))
    return figure


def comparison_figure(
    before: NDArray[np.uint8],
    after: NDArray[np.uint8],
    palette: NDArray[np.uint8],
    sizes: NDArray[np.int64],
    *,
    captions: tuple[str, str],
) -> Figure:
    """An image before and after, above its palette: an entry's width is its share of the pixels.

    before, after: [H, W, 3 or 4]; palette: [k, 4]; sizes: [k] pixels of each entry.
    """
    height, width = before.shape[:2]
    times = max(1, 240 // max(height, width)) if max(height, width) <= _VIEW_SIDE else _VIEW_SIDE / max(height, width)
    # In pixels of the figure, so that pixels of the image stay pixels.
    view_width, view_height = max(1, round(width * times)), max(1, round(height * times))
    gap, line, strip = 16, 28, 44
    column = max(view_width, 300)
    total_width, total_height = 2 * column + 3 * gap, view_height + strip + 2 * line + 2 * gap
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(total_width / 100, total_height / 100), dpi=100)

        def panel(left: int, top: int, box_width: int, box_height: int, title: str) -> Axes:
            bottom = total_height - top - box_height
            axes = figure.add_axes(
                (left / total_width, bottom / total_height, box_width / total_width, box_height / total_height)
            )
            axes.set_title(_plain(title), fontweight="normal")
            axes.tick_params(left=False, bottom=False, labelleft=False, labelbottom=False)
            axes.spines[:].set_visible(True)
            return axes

        for left, pixels, caption in ((gap, before, captions[0]), (2 * gap + column, after, captions[1])):
            axes = panel(left, line, view_width, view_height, caption)
            axes.imshow(_on_paper(pixels), interpolation="nearest" if times >= 1 else "antialiased")
        order = np.argsort(palette[:, :3] @ (0.299, 0.587, 0.114), kind="stable")
        ends = np.cumsum(sizes[order]) / sizes.sum()
        axes = panel(
            gap,
            2 * line + view_height + gap,
            total_width - 2 * gap,
            strip,
            f"{len(palette)} colours, each as wide as its share of the pixels",
        )
        axes.imshow(
            _on_paper(palette[order][np.searchsorted(ends, (np.arange(1440) + 0.5) / 1440)][None]),
            aspect="auto",
            interpolation="nearest",
        )
    return figure


def save(figure: Figure, path: Path) -> None:
    """Write a figure in the format of the path's suffix (one of FORMATS), aside first: whole or not at all."""
    suffix = path.suffix.lower()
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".chromapress-") as aside, mpl.rc_context(_STYLE):
        half = Path(aside) / f"figure{suffix}"
        if suffix in (".png", ".webp"):
            drawn = io.BytesIO()
            figure.savefig(drawn, format="png", pil_kwargs={"compress_level": 1})
            Image.open(drawn).convert("RGB").save(half, optimize=True, lossless=True)
        else:
            figure.savefig(half, metadata=_TIMELESS[suffix])
        half.replace(path)


def svg(figure: Figure, label: str) -> str:
    """The figure as an element for an HTML page that defines the variables of THEME (--ink and so on).

    label: what a screen reader says; it also keeps the identifiers inside apart from those of other figures on the
    page, and must therefore differ from theirs.
    """
    text = io.StringIO()
    with mpl.rc_context({**_STYLE, "svg.hashsalt": f"salt {label}"}):
        figure.savefig(text, format="svg", transparent=True, metadata=_TIMELESS[".svg"])
    element = text.getvalue()
    element = element[element.index("<svg") :]
    for name, value in THEME.items():
        element = element.replace(value, f"var(--{name})")
    element = re.sub(r"<metadata>.*?</metadata>", "", element, flags=re.DOTALL)
    # As wide as the page allows, in the page's own font.
    element = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", element, count=1)
    element = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", element, count=1)
    element = re.sub(r"font: ([\d.]+px) [^;\"]*", r"font-size: \1", element)
    escaped = label.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    return element.replace("<svg", f'<svg role="img" aria-label="{escaped}"', 1)


def _k_axis(axes: Axes, ks: Sequence[int] | NDArray[np.int64]) -> None:
    axes.set_xscale("log", base=2)
    low, high = min(ks), max(ks)
    axes.set_xlim(low / 1.12, high * 1.12)
    axes.xaxis.set_major_locator(FixedLocator([k for k in _TICKS_K if low / 1.12 <= k <= high * 1.12] or [low]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(lambda k, _position: f"{k:g}")
    axes.set_xlabel("k, number of colours")
    axes.grid(axis="y")


def _plain(text: str) -> str:
    """Without Matplotlib's mathematics: a file's name may hold dollar signs."""
    return text.replace("$", r"\$")


def _on_paper(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Over white."""
    if pixels.shape[2] == 3:
        return pixels
    alpha = pixels[..., 3:].astype(np.float64) / 255
    return (pixels[..., :3] * alpha + 255 * (1 - alpha)).round().astype(np.uint8)
