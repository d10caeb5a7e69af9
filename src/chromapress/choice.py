"""Choosing k, the number of colours: a curve of candidates, and the rules that pick from it.

Silhouettes are squared-Euclidean over the pixels, exact, from the colour histogram (engine.silhouette). A candidate's
quality is that of its rounded palette without dithering. The candidates are a coarse grid: around the winner, k is
refined to the exact number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from chromapress import engine
from chromapress.config import Palette, Quality, Rule
from chromapress.histogram import Histogram
from chromapress.quality import histogram_delta_e, reached

RULES: Final[tuple[Rule, ...]] = ("fixed", "silhouette", "silhouette_floor", "quality")

# Between neighbouring candidates no further apart than this, every k is tried; flat graphics live down there.
_EXHAUSTIVE_GAP: Final = 16


@dataclass(frozen=True)
class Candidate:
    """One k with its clustering and what it is worth."""

    k: int
    silhouette: float
    psnr_db: float
    delta_e: float | None  # 95th percentile of CIEDE2000, where the configuration asks for it
    centres: NDArray[np.float64]  # [k, 4]


class Verdict(StrEnum):
    """What is to be done with an image."""

    QUANTIZE = "quantize"
    LOSSLESS = "lossless"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True)
class Choice:
    """The k that a rule took, and why."""

    k: int
    centres: NDArray[np.float64]  # [k, 4], where K-means starts
    verdict: Verdict
    reason: str
    curve: tuple[Candidate, ...]  # ascending in k; what was tried
    k_by_rule: dict[str, int | None]  # None where no candidate reaches the floor
    below_floor: bool


def protected_colors(palette: Palette) -> NDArray[np.uint8] | None:
    """[p, 4] opaque RGBA, or None."""
    if not palette.protected:
        return None
    return np.array([[*bytes.fromhex(color[1:]), 255] for color in palette.protected], np.uint8)


def measure(histogram: Histogram, k: int, palette: Palette, quality: Quality) -> Candidate:
    """Cluster a histogram of more than k colours, and say what that is worth."""
    clustering = engine.kmeans(
        histogram.colors,
        histogram.counts,
        k,
        protected=protected_colors(palette),
        color_space=palette.color_space,
    )
    labels = engine.map_colors(histogram.colors, clustering.palette, color_space=palette.color_space)
    return Candidate(
        k,
        engine.silhouette(histogram.colors, histogram.counts, clustering.labels),
        histogram.psnr_db(clustering.palette, labels),
        None if quality.max_delta_e is None else histogram_delta_e(histogram, clustering.palette, labels),
        clustering.centres,
    )


def least_colors(histogram: Histogram, palette: Palette) -> int:
    """The fewest colours that will do: one for each protected colour, and for each kind that those are not of."""
    opaque = bool((histogram.colors[:, 3] == 255).any())
    return max(2, histogram.kinds - opaque + max(len(palette.protected), opaque))


def candidates_for(histogram: Histogram, palette: Palette) -> list[int]:
    """The k to try: not less than least_colors, fewer than there are colours."""
    least = least_colors(histogram, palette)
    wanted = [palette.k] if palette.rule == "fixed" else list(palette.candidates)
    grid = sorted({max(k, least) for k in wanted} | ({*palette.candidates} if palette.rule == "fixed" else set()))
    return [k for k in grid if least <= k < len(histogram)]


def choose(histogram: Histogram, palette: Palette, quality: Quality) -> Choice:
    """The number of colours for one image, with the curve it was chosen from."""

    def tried(k: int) -> Candidate:
        return measure(histogram, k, palette, quality)

    curve = [tried(k) for k in candidates_for(histogram, palette)]
    if len(histogram) <= max(palette.largest_k, least_colors(histogram, palette)):
        colors = len(histogram)
        return Choice(
            colors,
            engine.kmeans(histogram.colors, histogram.counts, colors).centres,
            Verdict.LOSSLESS,
            f"all of its {colors} distinct colours fit in a palette",
            tuple(curve),
            by_rule(curve, palette, quality),
            below_floor=False,
        )
    return pick(curve, palette, quality, tried)


def pick(
    curve: Sequence[Candidate],
    palette: Palette,
    quality: Quality,
    tried: Callable[[int], Candidate] | None = None,
) -> Choice:
    """What palette.rule takes from a curve; `tried`, where given, measures further k to refine the winner."""
    curve = list(curve)
    named = by_rule(curve, palette, quality)
    if palette.keeps_floor and named["quality"] is None:
        last = curve[-1]
        told = f"no k up to {last.k} reaches the floor ({_told(last, quality)})"
        return Choice(last.k, last.centres, Verdict.UNREACHABLE, told, tuple(curve), named, below_floor=True)
    winner = next(one for one in curve if one.k == named[palette.rule])
    if tried is not None and palette.rule != "fixed":
        winner, curve = _refined(winner, curve, palette, quality, tried)
    missed = not reached(winner.psnr_db, winner.delta_e, None, quality)
    reason = _reason(winner, palette, quality, missed, of_quality=winner.k <= (named["quality"] or 0))
    return Choice(winner.k, winner.centres, Verdict.QUANTIZE, reason, tuple(curve), named, below_floor=missed)


def by_rule(curve: Sequence[Candidate], palette: Palette, quality: Quality) -> dict[str, int | None]:
    """The candidate that each rule would take from the curve."""
    if not curve:
        return dict.fromkeys(RULES)
    good = [one for one in curve if reached(one.psnr_db, one.delta_e, None, quality)]
    best_of_good = max((one.silhouette for one in good), default=0.0)
    return {
        "fixed": min((one.k for one in curve if one.k >= palette.k), default=curve[-1].k),
        "silhouette": max(curve, key=lambda one: (one.silhouette, -one.k)).k,
        "silhouette_floor": min(
            (one.k for one in good if one.silhouette >= best_of_good - palette.tolerance), default=None
        ),
        "quality": min((one.k for one in good), default=None),
    }


def _refined(
    winner: Candidate,
    curve: list[Candidate],
    palette: Palette,
    quality: Quality,
    tried: Callable[[int], Candidate],
) -> tuple[Candidate, list[Candidate]]:
    """The winner among all k between its neighbours on the grid."""
    known = {one.k: one for one in curve}
    grid = sorted(known)
    place = grid.index(winner.k)
    below = grid[place - 1] if place else winner.k
    above = grid[place + 1] if place + 1 < len(grid) else winner.k
    quality_k = by_rule(curve, palette, quality)["quality"]
    if palette.rule == "quality" or (palette.rule == "silhouette_floor" and winner.k == quality_k):
        # The floor decides, and quality rises with k: halve the gap.
        while winner.k - below > 1:
            middle = tried((below + winner.k) // 2)
            known[middle.k] = middle
            if reached(middle.psnr_db, middle.delta_e, None, quality):
                winner = middle
            else:
                below = middle.k
    elif above - below <= 2 * _EXHAUSTIVE_GAP:
        # The silhouette decides, and it has many peaks: try them all.
        for k in range(below + 1, above):
            if k not in known:
                known[k] = tried(k)
        around = [known[k] for k in sorted(known)]
        winner = known[by_rule(around, palette, quality)[palette.rule] or winner.k]
    return winner, [known[k] for k in sorted(known)]


def _reason(winner: Candidate, palette: Palette, quality: Quality, missed: bool, of_quality: bool) -> str:
    told = _told(winner, quality)
    if palette.rule == "fixed":
        text = f"{winner.k} colours as configured ({told})"
    elif palette.rule == "silhouette":
        text = f"{winner.k} colours have the highest silhouette, {winner.silhouette:.3f} ({told})"
    elif palette.rule == "quality" or of_quality:
        text = f"{winner.k} colours are the fewest that reach the floor ({told})"
    else:
        text = (
            f"{winner.k} colours are the fewest whose silhouette, {winner.silhouette:.3f}, is within "
            f"{palette.tolerance:g} of the best of those that reach the floor ({told})"
        )
    return text + ("; under the floor" if missed else "")


def _told(one: Candidate, quality: Quality) -> str:
    floors = []
    if quality.min_psnr_db is not None:
        floors.append(f"PSNR {one.psnr_db:.2f} dB, floor {quality.min_psnr_db:g}")
    if quality.max_delta_e is not None:
        floors.append(f"CIEDE2000 {one.delta_e:.2f}, ceiling {quality.max_delta_e:g}")
    return "; ".join(floors) or f"PSNR {one.psnr_db:.2f} dB, no floor set"
