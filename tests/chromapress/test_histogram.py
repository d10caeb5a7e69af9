"""What the colour histogram alone says of an image."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chromapress import engine
from chromapress.histogram import Histogram, for_choice, premultiplied, psnr_db, straight
from tests.engine.strategies import images, palettes
from tests.landing_set import photograph


@given(images())
def test_counts_add_up_to_the_pixels(pixels: np.ndarray) -> None:
    histogram = Histogram.of(pixels)
    assert histogram.pixels == pixels.shape[0] * pixels.shape[1]
    assert len(histogram) == len(np.unique(histogram.colors, axis=0))


@given(images())
def test_a_histogram_survives_the_bytes_of_a_row(pixels: np.ndarray) -> None:
    histogram = Histogram.of(pixels)
    again = Histogram.unpacked(*histogram.packed())
    assert np.array_equal(again.colors, histogram.colors)
    assert np.array_equal(again.counts, histogram.counts)
    assert again.counts.dtype == np.int64


@given(st.lists(images(max_side=4, channels=(3,)), min_size=1, max_size=4))
def test_merged_histograms_are_those_of_the_images_side_by_side(many: list[np.ndarray]) -> None:
    merged = Histogram.merged([Histogram.of(pixels) for pixels in many])
    together = Histogram.of(np.vstack([pixels.reshape(-1, 1, 3) for pixels in many]))
    assert np.array_equal(merged.colors, together.colors)
    assert np.array_equal(merged.counts, together.counts)


@given(images(), palettes(max_colors=253))
def test_psnr_from_the_histogram_is_the_one_from_the_pixels(pixels: np.ndarray, palette: np.ndarray) -> None:
    histogram = Histogram.of(pixels)
    palette = np.vstack([palette, np.array([[0, 0, 0, 0], [9, 9, 9, 99], [9, 9, 9, 255]], np.uint8)])
    labels = engine.map_colors(histogram.colors, palette)
    mapped = palette[engine.map_pixels(pixels, palette)]
    channels = 3 if histogram.is_opaque else 4
    measured = engine.psnr(pixels[..., :channels], mapped[..., :channels])
    told = histogram.psnr_db(palette, labels)
    assert told == measured or math.isclose(told, measured, rel_tol=1e-9)


def test_kinds_are_transparent_translucent_and_opaque() -> None:
    alphas = {(255,): 1, (0, 255): 2, (0, 7, 255): 3, (7, 8): 1}
    for alpha, kinds in alphas.items():
        pixels = np.array([[[1, 2, 3, a] for a in alpha]], np.uint8)
        assert Histogram.of(pixels).kinds == kinds


def test_psnr_is_infinite_without_an_error_and_zero_at_the_largest() -> None:
    assert math.isinf(psnr_db(0, 3))
    assert psnr_db(3 * 255**2, 3) == 0


@given(palettes())
def test_visible_colours_survive_premultiplication(palette: np.ndarray) -> None:
    again = straight(premultiplied(palette))
    assert np.array_equal(again[:, 3], palette[:, 3])
    visible = palette[:, 3] > 0
    assert np.array_equal(again[visible], palette[visible])


@given(images(), st.integers(1, 4))
def test_cells_hold_all_pixels_and_keep_kinds_apart(pixels: np.ndarray, shift: int) -> None:
    histogram = Histogram.of(pixels)
    binned = histogram.binned(shift)
    assert binned.pixels == histogram.pixels
    assert binned.kinds == histogram.kinds
    cells = {(*(color >> shift).tolist(), min(color[3], 1) + (color[3] == 255)) for color in histogram.colors}
    assert len(binned) == len(cells)
    assert binned.colors.tolist() == sorted(binned.colors.tolist())
    assert len(np.unique(binned.colors, axis=0)) == len(binned)


def test_cells_have_the_quality_and_the_silhouette_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Histogram.of(np.asarray(photograph("coffee.png", 0, 0)))
    monkeypatch.setattr("chromapress.histogram.EXACT_COLORS", 5000)
    coarse = for_choice([whole])
    assert len(coarse) <= 5000 < len(whole)
    assert coarse.pixels == whole.pixels
    clustering = engine.kmeans(coarse.colors, coarse.counts, 12)
    qualities, silhouettes = [], []
    for one in (whole, coarse):
        labels = engine.map_colors(one.colors, clustering.palette)
        qualities.append(one.psnr_db(clustering.palette, labels))
        silhouettes.append(engine.silhouette(one.colors, one.counts, labels))
    assert qualities[1] == pytest.approx(qualities[0], abs=0.05)
    assert silhouettes[1] == pytest.approx(silhouettes[0], abs=0.02)
