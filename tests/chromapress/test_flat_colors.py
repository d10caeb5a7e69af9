"""Counting flat colours: charts of a known number, and images that are none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chromapress.choice import Verdict, choose, count_flat
from chromapress.config import Palette, Quality
from chromapress.flat_colors import flat_colors
from chromapress.histogram import Histogram
from tests.charts import STYLES, chart
from tests.landing_set import photograph

COLORS = range(3, 33, 2)


def taken(**kind: Any) -> list[tuple[int, int | None]]:
    """For each chart, how many colours it has and how many the default rule takes."""
    ks = []
    for colors in COLORS:
        pixels = chart(colors, STYLES[colors // 2 % len(STYLES)], seed=colors, size=(320, 240), **kind)
        choice = choose(Histogram.of(pixels), Palette(), Quality())
        ks.append((colors, choice.k_by_rule["silhouette_floor"]))
    return ks


@pytest.mark.parametrize("sigma", [0, 1, 2, 4])
def test_a_chart_of_n_colours_gets_n(sigma: float) -> None:
    ks = taken(sigma=sigma)
    assert sum(k == colors for colors, k in ks) >= 0.9 * len(ks), ks


@pytest.mark.parametrize("sigma", [0, 2])
def test_an_anti_aliased_chart_gets_nearly_as_many(sigma: float) -> None:
    ks = taken(anti_aliased=True, sigma=sigma)
    assert sum(k is not None and abs(k - colors) <= 2 for colors, k in ks) >= 0.9 * len(ks), ks


def test_a_noisy_chart_is_told_as_what_it_is() -> None:
    choice = choose(Histogram.of(chart(7, "pie", 1, sigma=2)), Palette(), Quality())
    assert (choice.k, choice.flat_colors, choice.verdict) == (7, 7, Verdict.QUANTIZE)
    assert choice.reason.startswith("7 flat colours are 100% of the image")


@pytest.mark.parametrize("name", ["astronaut.png", "coffee.png", "chelsea.png", "motorcycle_left.png"])
def test_a_photograph_is_no_flat_graphic(name: str) -> None:
    histogram = Histogram.of(np.asarray(photograph(name, 0, 0)))
    assert count_flat(histogram, Palette()).number is None
    choice = choose(histogram, Palette(), Quality())
    assert choice.flat_colors is None
    assert choice.k == choice.k_by_rule["quality"]


def centres(*reds: float) -> np.ndarray:
    return np.array([[red, 0, 0, 255] for red in reds], np.float64)


def test_small_colours_and_near_colours_do_not_count() -> None:
    far = centres(0, 100, 200)
    sizes = np.array([500, 495, 5])
    assert flat_colors(far, sizes, least_area_percent=0.4, least_distance=16).count == 3
    assert flat_colors(far, sizes, least_area_percent=0.6, least_distance=16).count == 2
    assert flat_colors(centres(0, 7, 100), sizes, least_area_percent=0.4, least_distance=16).count == 2
    assert flat_colors(centres(0, 7, 100), sizes, least_area_percent=0.4, least_distance=8).count == 3


def test_a_ramp_is_one_hill_most_of_which_is_far_from_its_top() -> None:
    ramp = flat_colors(centres(*range(0, 256, 4)), np.full(64, 10), least_area_percent=0.4, least_distance=16)
    assert ramp.number is None


def test_one_colour_is_one() -> None:
    one = flat_colors(centres(9), np.array([1]), least_area_percent=0.4, least_distance=16)
    assert (one.number, one.share) == (1, 1.0)
