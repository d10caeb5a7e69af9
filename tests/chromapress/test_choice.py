"""Choosing k by each rule."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from chromapress.choice import (
    RULES,
    Candidate,
    Verdict,
    by_rule,
    candidates_for,
    choose,
    least_colors,
    measured,
    pick,
    protected_colors,
)
from chromapress.config import Palette, Quality
from chromapress.flat_colors import FlatColors
from chromapress.histogram import Histogram
from tests.landing_set import flat, icon, photograph

PHOTO = Histogram.of(np.asarray(photograph("coffee.png", 0, 0)))
ICON = Histogram.of(np.asarray(icon(1)))
NOT_FLAT = FlatColors(9, share=0.5)


def palette(**keys: Any) -> Palette:
    return Palette(**keys)


def candidate(k: int, silhouette: float, psnr_db: float) -> Candidate:
    return Candidate(k, silhouette, psnr_db, None, np.zeros((k, 4)))


@st.composite
def curves(draw: st.DrawFn) -> list[Candidate]:
    ks = sorted(draw(st.sets(st.integers(2, 256), min_size=1, max_size=12)))
    qualities = sorted(draw(st.lists(st.floats(10, 60), min_size=len(ks), max_size=len(ks))))
    silhouettes = draw(st.lists(st.floats(-1, 1), min_size=len(ks), max_size=len(ks)))
    return [candidate(*one) for one in zip(ks, silhouettes, qualities, strict=True)]


@given(curves(), st.floats(10, 60), st.floats(0, 0.5))
def test_silhouette_floor_takes_the_smallest_near_the_best_of_the_good(
    curve: list[Candidate], floor: float, tolerance: float
) -> None:
    good = [one for one in curve if one.psnr_db >= floor]
    k = by_rule(curve, palette(tolerance=tolerance), Quality(min_psnr_db=floor), NOT_FLAT)["silhouette_floor"]
    if not good:
        assert k is None
        return
    best = max(one.silhouette for one in good)
    if next(one.k for one in good if one.silhouette == best) == good[-1].k:
        # It rises to the end.
        assert k == good[0].k
        return
    enough = best - tolerance
    assert k == next(one.k for one in good if one.silhouette >= enough)


@given(curves(), st.floats(10, 60))
def test_quality_takes_the_fewest_colours_that_reach_the_floor(curve: list[Candidate], floor: float) -> None:
    k = by_rule(curve, palette(), Quality(min_psnr_db=floor), NOT_FLAT)["quality"]
    assert k == next((one.k for one in curve if one.psnr_db >= floor), None)


@given(curves())
def test_silhouette_takes_the_highest_score_and_of_equals_the_fewest_colours(curve: list[Candidate]) -> None:
    k = by_rule(curve, palette(), Quality(), NOT_FLAT)["silhouette"]
    best = max(one.silhouette for one in curve)
    assert k == next(one.k for one in curve if one.silhouette == best)


@given(curves(), st.sampled_from(RULES), st.floats(10, 60))
def test_what_is_picked_is_on_the_curve_with_its_centres_and_a_reason(
    curve: list[Candidate], rule: Any, floor: float
) -> None:
    choice = pick(curve, palette(rule=rule), Quality(min_psnr_db=floor), NOT_FLAT)
    assert choice.k in {one.k for one in curve}
    assert len(choice.centres) == choice.k
    assert choice.reason
    unreachable = rule in ("quality", "silhouette_floor") and all(one.psnr_db < floor for one in curve)
    assert (choice.verdict == Verdict.UNREACHABLE) == unreachable
    picked = next(one for one in curve if one.k == choice.k)
    assert choice.below_floor == (picked.psnr_db < floor)


@pytest.mark.parametrize("colors", [1, 2, 5, 30])
def test_few_colours_are_kept_exactly(colors: int) -> None:
    histogram = Histogram.of(np.asarray(flat(colors, 3)))
    choice = choose(histogram, palette(), Quality())
    assert (choice.verdict, choice.k) == (Verdict.LOSSLESS, len(histogram))


def test_a_fixed_k_decides_what_is_few() -> None:
    histogram = Histogram.of(np.asarray(flat(12, 3)))
    assert len(histogram) == 12
    assert choose(histogram, palette(rule="fixed", k=12), Quality()).verdict == Verdict.LOSSLESS
    choice = choose(histogram, palette(rule="fixed", k=11), Quality())
    assert (choice.verdict, choice.k) == (Verdict.QUANTIZE, 11)


def test_a_fixed_k_is_taken_whatever_its_quality_and_flagged() -> None:
    choice = choose(PHOTO, palette(rule="fixed", k=5), Quality(min_psnr_db=40))
    assert (choice.verdict, choice.k, choice.below_floor) == (Verdict.QUANTIZE, 5, True)
    assert "under the floor" in choice.reason


def test_without_candidates_a_fixed_k_is_taken_unmeasured() -> None:
    choice = choose(PHOTO, palette(rule="fixed", k=24, candidates=[]), Quality())
    assert choice.k_by_rule == {"fixed": 24, "silhouette": None, "silhouette_floor": None, "quality": None}
    assert (choice.flat_colors, choice.rules_disagree, choice.curve) == (None, False, ())
    assert (choice.k, choice.verdict, len(choice.centres)) == (24, Verdict.QUANTIZE, 0)
    assert choose(ICON, palette(rule="fixed", k=24, candidates=[]), Quality()).reason == choice.reason


def test_the_quality_rule_finds_the_exact_number() -> None:
    quality = Quality(min_psnr_db=34)
    choice = choose(PHOTO, palette(rule="quality"), quality)
    assert measured(PHOTO, [choice.k], palette(), quality)[0].psnr_db >= 34
    assert measured(PHOTO, [choice.k - 1], palette(), quality)[0].psnr_db < 34


def test_a_ceiling_of_delta_e_counts_as_well() -> None:
    loose = choose(PHOTO, palette(rule="quality"), Quality(min_psnr_db=25))
    strict = choose(PHOTO, palette(rule="quality"), Quality(min_psnr_db=25, max_delta_e=6))
    assert strict.k > loose.k
    delta_e = next(one.delta_e for one in strict.curve if one.k == strict.k)
    assert delta_e is not None
    assert delta_e <= 6


def test_the_silhouette_finds_the_number_of_flat_colours_in_a_noisy_chart() -> None:
    chart = np.zeros((60, 60, 3), np.uint8)
    for place, color in enumerate([(200, 30, 30), (30, 200, 30), (30, 30, 200), (220, 220, 220), (20, 20, 20)]):
        chart[:, 12 * place : 12 * place + 12] = color
    noisy = np.clip(chart + np.random.default_rng(1).normal(0, 3, chart.shape), 0, 255).astype(np.uint8)
    assert choose(Histogram.of(noisy), palette(rule="silhouette"), Quality()).k == 5


def test_a_floor_that_no_candidate_reaches_is_unreachable() -> None:
    choice = choose(PHOTO, palette(candidates=(2, 3)), Quality(min_psnr_db=50))
    assert (choice.verdict, choice.k, choice.below_floor) == (Verdict.UNREACHABLE, 3, True)
    assert "no k up to 3 reaches the floor" in choice.reason


def test_without_a_floor_every_candidate_is_good() -> None:
    choice = choose(PHOTO, palette(rule="quality"), Quality(min_psnr_db=None))
    assert (choice.k, choice.below_floor) == (2, False)


def test_the_curve_ascends_and_holds_the_winner() -> None:
    choice = choose(PHOTO, palette(), Quality())
    ks = [one.k for one in choice.curve]
    assert ks == sorted(set(ks))
    assert choice.k in ks
    assert set(choice.k_by_rule) == set(RULES)


def test_kinds_of_transparency_and_protected_colours_need_their_own() -> None:
    assert candidates_for(ICON, palette(candidates=(2, 4)), NOT_FLAT)[0] == 3
    protected = palette(protected=("#ff0000", "#00ff00", "#0000ff"))
    assert least_colors(PHOTO, protected) == 3
    assert least_colors(ICON, protected) == 6
    assert choose(ICON, palette(rule="fixed", k=3, protected=protected.protected), Quality()).k == 6
    translucent = Histogram(np.array([[1, 1, 1, 9], [2, 2, 2, 9]], np.uint8), np.array([1, 1]))
    assert least_colors(translucent, protected) == 4


@pytest.mark.parametrize("rule", RULES)
def test_three_colours_of_three_kinds_with_k_of_two(rule: Any) -> None:
    histogram = Histogram.of(np.array([[[0, 0, 0, 0], [9, 9, 9, 128], [9, 9, 9, 255]]], np.uint8))
    choice = choose(histogram, palette(rule=rule, k=2, candidates=(2,)), Quality())
    assert (choice.verdict, choice.k) == (Verdict.LOSSLESS, 3)


def test_protected_colours_that_take_all_pixels_leave_a_choice() -> None:
    reds = np.zeros((1, 40, 3), np.uint8)
    reds[..., 0] = np.arange(200, 240)
    keys = palette(protected=("#ff0000", "#00ff00"), candidates=(2, 4, 8))
    choice = choose(Histogram.of(reds), keys, Quality(min_psnr_db=20))
    assert choice.curve[0].silhouette == -1.0
    assert choice.k_by_rule["silhouette"] != 2


def test_protected_colours_are_the_first_centres() -> None:
    keys = palette(rule="fixed", k=8, protected=("#cc0000", "#00aa55"))
    assert protected_colors(keys) is not None
    choice = choose(PHOTO, keys, Quality())
    assert choice.centres[:2].tolist() == [[204, 0, 0, 255], [0, 170, 85, 255]]


@given(st.integers(0, 2**32 - 1), st.sampled_from(RULES), st.integers(2, 20))
def test_every_image_gets_a_choice(seed: int, rule: Any, k: int) -> None:
    random = np.random.default_rng(seed)
    levels = random.choice([2, 5, 256])
    pixels: NDArray[np.uint8] = random.integers(0, levels, (6, 5, random.choice([3, 4])), dtype=np.uint8)
    if pixels.shape[2] == 4:
        pixels[..., 3] = random.choice([0, 128, 255], (6, 5))
    choice = choose(Histogram.of(pixels), palette(rule=rule, k=k, candidates=(k,)), Quality(min_psnr_db=1))
    assert choice.k == len(choice.centres)
    assert all(-1 <= one.silhouette <= 1 and not math.isnan(one.psnr_db) for one in choice.curve)
