"""How many flat colours an image has: the true number of colours of a chart, a map or a drawing.

A flat colour is a peak of the density of pixels in colour space. Noise widens a peak, and anti-aliasing puts little
pixels between the peaks, which is why neither counting distinct colours nor a silhouette finds the number: splitting
one wide peak costs the silhouette next to nothing, and so does losing a small one. Peaks are merged where the valley
between them is shallow, which is their persistence (after Chazal, Guibas, Oudot and Skraba, "Persistence-Based
Clustering in Riemannian Manifolds", 2013), over the centres of a fine clustering instead of all colours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

# A valley that is shallower than this share of the lower of its two peaks does not part them.
_VALLEY: Final = 0.75
# An image is a flat graphic when so much of it is near a flat colour; of photographs, about half is.
_LEAST_SHARE: Final = 0.9


@dataclass(frozen=True)
class FlatColors:
    """The flat colours of an image."""

    count: int
    share: float  # of the pixels that are nearer than the least distance to one of them, 0 to 1

    @property
    def number(self) -> int | None:
        """The true number of colours of a flat graphic; None of an image that is something else."""
        return self.count if self.share >= _LEAST_SHARE else None


def flat_colors(
    centres: NDArray[np.float64], sizes: NDArray[np.int64], *, least_area_percent: float, least_distance: float
) -> FlatColors:
    """Count the flat colours.

    centres: [k, 4] of a fine clustering, or the colours, in the engine's clustering space; sizes: [k], pixels.
    least_area_percent: a peak of fewer pixels does not count. least_distance: two peaks nearer than about this, in
    levels, count as one.
    """
    area = sizes / sizes.sum()
    squared = sum((np.square(channel[:, None] - channel) for channel in centres.T), np.zeros(()))
    density = np.exp(squared / (-2 * (least_distance / 4) ** 2)) @ area
    peak = np.array(_peaks(density, squared <= (least_distance / 2) ** 2))
    areas = np.bincount(peak, weights=area, minlength=len(centres))
    counts = areas[peak] >= least_area_percent / 100
    near = squared[np.arange(len(centres)), peak] <= least_distance**2
    return FlatColors(len(np.unique(peak[counts])), float(area[counts & near].sum()))


def _peaks(density: NDArray[np.float64], neighbours: NDArray[np.bool_]) -> list[int]:
    """Of each centre, the centre at the top of its hill: from the densest down, each joins its neighbours' highest."""
    heights = density.tolist()
    places, others = (one.tolist() for one in neighbours.nonzero())
    near: list[list[int]] = [[] for _ in heights]
    for place, other in zip(places, others, strict=True):
        near[place].append(other)
    peak = [-1] * len(heights)
    hills: dict[int, list[int]] = {}  # a peak's centres
    for one in np.argsort(-density, kind="stable").tolist():
        peaks = sorted({peak[other] for other in near[one]} - {-1})
        highest = max(peaks, key=heights.__getitem__, default=one)
        for other in peaks:
            if other != highest and heights[one] > _VALLEY * heights[other]:
                hills[highest] += hills[other]
                for joined in hills.pop(other):
                    peak[joined] = highest
        hills.setdefault(highest, []).append(one)
        peak[one] = highest
    return peak
