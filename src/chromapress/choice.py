"""Choosing k, the number of colours: a curve of candidates, and the rules that pick from it.

Silhouettes are squared-Euclidean over the pixels, exact, from the colour histogram (engine.silhouette). A candidate's
quality is that of its rounded palette without dithering. The candidates are a coarse grid: around each rule's winner,
k is refined to the exact number.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from chromapress import engine
from chromapress.config import Palette, Quality
from chromapress.flat_colors import FlatColors, flat_colors
from chromapress.histogram import Histogram, for_choice, premultiplied
from chromapress.quality import histogram_delta_e, reached

RULES: Final[tuple[str, ...]] = ("fixed", "silhouette", "silhouette_floor", "quality")

# Between neighbouring candidates no further apart than this, every k is tried; flat graphics live down there.
_EXHAUSTIVE_GAP: Final = 16
# So often the gap below the floor's winner is cut where the floor probably is, which mostly ends it; then in halves.
_INTERPOLATIONS: Final = 3
# Silhouette and floor disagree strongly where one wants so many times the colours of the other.
_DISAGREEMENT: Final = 4


@dataclass(frozen=True)
class Candidate:
    """One k with its clustering and what it is worth."""

    k: int
    silhouette: float
    psnr_db: float
    delta_e: float | None  # 95th percentile of CIEDE2000, where the configuration asks for it
    centres: NDArray[np.float64]  # [k, 4]


# Measures candidates by their k.
Measure = Callable[[Sequence[int]], list[Candidate]]


class Verdict(StrEnum):
    """What is to be done with an image."""

    QUANTIZE = "quantize"
    LOSSLESS = "lossless"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True)
class Choice:
    """The k that a rule took, and why."""

    k: int
    centres: NDArray[np.float64]  # [k, 4], where K-means starts, or [0, 4]: the engine finds its own start
    verdict: Verdict
    reason: str
    curve: tuple[Candidate, ...]  # ascending in k; what was tried
    k_by_rule: dict[str, int | None]  # None where no candidate reaches the floor, or there are none
    below_floor: bool
    flat_colors: int | None  # how many an image has that consists of them; None of others

    @property
    def rules_disagree(self) -> bool:
        """Whether the silhouette alone wants four times the colours that reach the floor, or the floor so many more.

        Where the floor is not reached, it wants more than there are.
        """
        silhouette, floor = self.k_by_rule["silhouette"], self.k_by_rule["quality"]
        if silhouette is None:
            return False
        return floor is None or max(silhouette, floor) >= _DISAGREEMENT * min(silhouette, floor)


def protected_colors(palette: Palette) -> NDArray[np.uint8] | None:
    """[p, 4] opaque RGBA, or None."""
    if not palette.protected:
        return None
    return np.array([[*bytes.fromhex(color[1:]), 255] for color in palette.protected], np.uint8)


def measured(histogram: Histogram, ks: Sequence[int], palette: Palette, quality: Quality) -> list[Candidate]:
    """Cluster a histogram of at least as many colours, for each k, and say what that is worth."""
    return _scored(curve_of(histogram, palette), histogram, ks, palette, quality)


def curve_of(histogram: Histogram, palette: Palette) -> engine.Curve:
    """The clusterings that a choice is made from."""
    return engine.Curve(
        histogram.colors, histogram.counts, protected=protected_colors(palette), color_space=palette.color_space
    )


def _scored(
    curve: engine.Curve, histogram: Histogram, ks: Sequence[int], palette: Palette, quality: Quality
) -> list[Candidate]:
    if not ks:
        return []
    scored = curve.scored(ks)
    return [
        Candidate(
            k,
            # Where protected colours leave all pixels to one cluster, there is none: as bad as can be.
            -1.0 if math.isnan(one.silhouette) else one.silhouette,
            histogram.psnr_of(one.error),
            _delta_e(histogram, one.clustering.palette, palette) if quality.max_delta_e is not None else None,
            one.clustering.centres,
        )
        for k, one in zip(ks, scored, strict=True)
    ]


def _delta_e(histogram: Histogram, entries: NDArray[np.uint8], palette: Palette) -> float:
    labels = engine.map_colors(histogram.colors, entries, color_space=palette.color_space)
    return histogram_delta_e(histogram, entries, labels)


def least_colors(histogram: Histogram, palette: Palette) -> int:
    """The fewest colours that will do: one for each protected colour, and for each kind of the others.

    Where all are opaque, the protected ones will do.
    """
    protected, kinds = len(palette.protected), histogram.kinds
    return max(2, protected + (0 if protected and histogram.is_opaque else kinds))


def fits(histogram: Histogram, palette: Palette) -> bool:
    """Whether a palette holds all colours there are, with nothing lost."""
    return len(histogram) <= max(palette.largest_k, least_colors(histogram, palette))


def candidates_for(histogram: Histogram, palette: Palette, flat: FlatColors) -> list[int]:
    """The k to try: from least_colors up to as many as there are colours, which is tried where a palette holds them."""
    least, colors = least_colors(histogram, palette), len(histogram)
    wanted = {*palette.candidates, *([palette.k] if palette.rule == "fixed" else ())}
    if flat.number is not None and flat.number <= palette.largest_k:
        wanted.add(flat.number)
    if colors <= palette.largest_k:
        wanted.add(colors)
    # One colour alone has no silhouette.
    return [k for k in sorted({max(k, least) for k in wanted}) if 2 <= k <= colors]


def count_flat(histogram: Histogram, palette: Palette, curve: engine.Curve | None = None) -> FlatColors:
    """The flat colours of a histogram; none are looked for where there is nothing to choose from.

    curve: curve_of the two, where there is one already.
    """
    if not palette.candidates:
        return FlatColors(0, 0.0)
    centres, sizes = premultiplied(histogram.colors), histogram.counts
    if len(histogram) > engine.MAX_COLORS:
        if curve is not None and not palette.protected and palette.color_space == "srgb":
            fine = curve.finest
        else:
            fine = engine.kmeans(histogram.colors, histogram.counts, engine.MAX_COLORS)
        centres, sizes = fine.centres, fine.sizes
    return flat_colors(
        centres, sizes, least_area_percent=palette.least_area_percent, least_distance=palette.least_distance
    )


def choose(histogram: Histogram, palette: Palette, quality: Quality) -> Choice:
    """The number of colours for one image, with the curve it was chosen from.

    Of more than EXACT_COLORS colours, the choice is made on cells of them. What needs no histogram, is not measured.
    """
    if not palette.needs_histograms:
        return as_configured(palette)
    histogram = for_choice([histogram])
    clusterings = curve_of(histogram, palette)

    def tried(ks: Sequence[int]) -> list[Candidate]:
        return _scored(clusterings, histogram, ks, palette, quality)

    flat = count_flat(histogram, palette, clusterings)
    curve = tried(candidates_for(histogram, palette, flat))
    if not fits(histogram, palette):
        return pick(curve, palette, quality, flat, tried)
    colors = len(histogram)
    known = {one.k: one for one in curve}
    k_by_rule = refined(known, palette, quality, flat, tried)
    return Choice(
        colors,
        engine.kmeans(histogram.colors, histogram.counts, colors).centres,
        Verdict.LOSSLESS,
        f"all of its {colors} distinct colours fit in a palette",
        ascending(known),
        k_by_rule,
        below_floor=False,
        flat_colors=flat.number,
    )


def as_configured(palette: Palette) -> Choice:
    """The number of colours where nothing is chosen, for any image; it has no centres to start from."""
    return Choice(
        palette.k,
        np.zeros((0, 4)),
        Verdict.QUANTIZE,
        f"{palette.k} colours as configured, or all that there are",
        (),
        {**dict.fromkeys(RULES), "fixed": palette.k},
        below_floor=False,
        flat_colors=None,
    )


def pick(
    curve: Sequence[Candidate],
    palette: Palette,
    quality: Quality,
    flat: FlatColors,
    tried: Measure | None = None,
) -> Choice:
    """What palette.rule takes from a curve; `tried`, where given, measures further k to refine each rule's winner."""
    known = {one.k: one for one in curve}
    taken = by_rule(curve, palette, quality, flat) if tried is None else refined(known, palette, quality, flat, tried)
    k = taken[palette.rule]
    winner = known[max(known) if k is None else k]
    missed = not reached(winner.psnr_db, winner.delta_e, None, quality)
    if k is None:
        reason = f"no k up to {winner.k} reaches the floor ({_told(winner, quality)})"
    else:
        reason = _reason(winner, palette, quality, taken["quality"], flat) + ("; under the floor" if missed else "")
    return Choice(
        winner.k,
        winner.centres,
        Verdict.UNREACHABLE if k is None else Verdict.QUANTIZE,
        reason,
        ascending(known),
        taken,
        below_floor=missed,
        flat_colors=flat.number,
    )


def ascending(known: dict[int, Candidate]) -> tuple[Candidate, ...]:
    """Candidates by their k."""
    return tuple(known[k] for k in sorted(known))


def by_rule(curve: Sequence[Candidate], palette: Palette, quality: Quality, flat: FlatColors) -> dict[str, int | None]:
    """The candidate that each rule would take from the curve."""
    if not curve:
        return dict.fromkeys(RULES)
    fixed = min((one.k for one in curve if one.k >= palette.k), default=curve[-1].k)
    if not palette.candidates:
        return {**dict.fromkeys(RULES), "fixed": fixed}
    good = [one for one in curve if reached(one.psnr_db, one.delta_e, None, quality)]
    return {
        "fixed": fixed,
        "silhouette": _best(curve).k,
        "silhouette_floor": flat.number if flat.number in {one.k for one in good} else _near_best(good, palette),
        "quality": min((one.k for one in good), default=None),
    }


def _best(curve: Sequence[Candidate]) -> Candidate:
    return max(curve, key=lambda one: (one.silhouette, -one.k))


def _near_best(good: Sequence[Candidate], palette: Palette) -> int | None:
    """The smallest k whose silhouette is near the best; where it rises to the end, it has no peak to be near to."""
    if not good:
        return None
    best = _best(good)
    if best.k == good[-1].k:
        return good[0].k
    return min(one.k for one in good if one.silhouette >= best.silhouette - palette.tolerance)


def refined(
    known: dict[int, Candidate],
    palette: Palette,
    quality: Quality,
    flat: FlatColors,
    tried: Measure,
) -> dict[str, int | None]:
    """by_rule among all k between the neighbours of each winner on the grid; `known` gets all that was tried."""
    grid = sorted(known)
    taken = by_rule(ascending(known), palette, quality, flat)
    of_floor = taken["quality"]
    if of_floor is not None:
        taken["quality"] = _fewest(of_floor, grid, known, quality, tried)
    if taken["silhouette_floor"] == of_floor != flat.number:
        taken["silhouette_floor"] = taken["quality"]
    for rule in ("silhouette", "silhouette_floor"):
        k = taken[rule]
        if k is None or (rule == "silhouette_floor" and k in (taken["quality"], flat.number)):
            continue
        place = grid.index(k)
        below, above = grid[max(place - 1, 0)], grid[min(place + 1, len(grid) - 1)]
        if above - below <= 2 * _EXHAUSTIVE_GAP:
            # The silhouette has many peaks: try them all.
            known.update({one.k: one for one in tried([k for k in range(below, above) if k not in known])})
            taken[rule] = by_rule(ascending(known), palette, quality, flat)[rule]
    return taken


def _fewest(
    k: int,
    grid: Sequence[int],
    known: dict[int, Candidate],
    quality: Quality,
    tried: Measure,
) -> int:
    """The fewest colours that reach the floor: quality rises with k, so that the gap below k is made smaller."""
    below = grid[max(grid.index(k) - 1, 0)]
    for step in itertools.count():
        if k - below <= 1:
            break
        middle = (below + k) // 2
        if step < _INTERPOLATIONS:
            middle = _crossing(known[below], known[k], quality)
        (known[middle],) = tried([middle])
        if reached(known[middle].psnr_db, known[middle].delta_e, None, quality):
            k = middle
        else:
            below = middle
    return k


def _crossing(below: Candidate, above: Candidate, quality: Quality) -> int:
    """The k between two candidates that probably reaches the floor: quality is nearly linear in the logarithm of k."""
    shares = [0.0]
    if quality.min_psnr_db is not None and below.psnr_db < above.psnr_db < math.inf:
        shares.append((quality.min_psnr_db - below.psnr_db) / (above.psnr_db - below.psnr_db))
    if quality.max_delta_e is not None and (below.delta_e or 0) > (above.delta_e or 0):
        fall = (below.delta_e or 0) - (above.delta_e or 0)
        shares.append(((below.delta_e or 0) - quality.max_delta_e) / fall)
    crossing = below.k * math.exp(min(max(shares), 1.0) * math.log(above.k / below.k))
    return min(max(math.ceil(crossing), below.k + 1), above.k - 1)


def _reason(winner: Candidate, palette: Palette, quality: Quality, of_floor: int | None, flat: FlatColors) -> str:
    told = _told(winner, quality)
    if palette.rule == "fixed":
        return f"{winner.k} colours as configured ({told})"
    if palette.rule == "silhouette":
        return f"{winner.k} colours have the highest silhouette, {winner.silhouette:.3f} ({told})"
    if palette.rule == "silhouette_floor" and winner.k == flat.number:
        return f"{winner.k} flat colours are {flat.share:.0%} of the image ({told})"
    if winner.k == of_floor:
        return f"{winner.k} colours are the fewest that reach the floor ({told})"
    return (
        f"{winner.k} colours are the fewest whose silhouette, {winner.silhouette:.3f}, is within "
        f"{palette.tolerance:g} of the best of those that reach the floor ({told})"
    )


def _told(one: Candidate, quality: Quality) -> str:
    floors = []
    if quality.min_psnr_db is not None:
        floors.append(f"PSNR {one.psnr_db:.2f} dB, floor {quality.min_psnr_db:g}")
    if quality.max_delta_e is not None:
        floors.append(f"CIEDE2000 {one.delta_e:.2f}, ceiling {quality.max_delta_e:g}")
    return "; ".join(floors) or f"PSNR {one.psnr_db:.2f} dB, no floor set"
