"""From pixels and a k to palette and index map."""

from typing import Any

import numpy as np
import pytest

from chromapress.choice import choose
from chromapress.config import DatasetConfig, parse
from chromapress.histogram import Histogram
from chromapress.quantization import Quantized, quantize
from tests.landing_set import flat, icon, photograph

PHOTO = np.asarray(photograph("astronaut.png", 100, 0))


def quantized(pixels: np.ndarray, **sections: Any) -> Quantized:
    config: DatasetConfig = parse(sections, "test")
    histogram = Histogram.of(pixels)
    choice = choose(histogram, config.palette, config.quality)
    return quantize(pixels, histogram, choice.verdict, choice.k, choice.centres, config)


def test_few_colours_come_back_exactly() -> None:
    pixels = np.asarray(flat(9, 1))
    result = quantized(pixels)
    assert np.array_equal(result.palette[result.indices][..., :3], pixels)
    assert not result.below_floor


def test_cluster_sizes_are_the_pixels_of_each_entry() -> None:
    result = quantized(PHOTO, palette={"rule": "fixed", "k": 16})
    assert result.k == 16
    assert result.sizes.sum() == PHOTO.shape[0] * PHOTO.shape[1]
    assert [int((result.indices == entry).sum()) for entry in range(16)] == result.sizes.tolist()


def test_transparent_pixels_stay_transparent_and_opaque_ones_opaque() -> None:
    pixels = np.asarray(icon(3))
    result = quantized(pixels, palette={"rule": "fixed", "k": 6})
    alpha = result.palette[result.indices][..., 3]
    for kept in (0, 255):
        assert (alpha[pixels[..., 3] == kept] == kept).all()


def test_protected_colours_are_in_the_palette_exactly() -> None:
    result = quantized(PHOTO, palette={"rule": "fixed", "k": 12, "protected": ["#cc0000", "#12ab34"]})
    entries = result.palette.tolist()
    assert [204, 0, 0, 255] in entries
    assert [18, 171, 52, 255] in entries


def test_a_k_that_was_not_chosen_from_anything_is_as_good() -> None:
    fixed = {"rule": "fixed", "k": 16}
    measured = quantized(PHOTO, palette=fixed)
    unmeasured = quantized(PHOTO, palette={**fixed, "candidates": []})
    assert unmeasured.k == 16
    assert unmeasured.measured.psnr_db == pytest.approx(measured.measured.psnr_db, abs=0.1)


@pytest.mark.parametrize(("k", "entries"), [(9, 9), (200, 9), (8, 8)])
def test_no_more_colours_than_there_are(k: int, entries: int) -> None:
    result = quantized(np.asarray(flat(9, 1)), palette={"rule": "fixed", "k": k, "candidates": []})
    assert result.k == entries
    assert np.isinf(result.measured.psnr_db) == (entries == 9)


def test_no_fewer_than_kinds_of_opacity_and_protected_colours_need() -> None:
    pixels = np.asarray(icon(3))
    palette = {"rule": "fixed", "k": 2, "candidates": [], "protected": ["#cc0000", "#12ab34"]}
    result = quantized(pixels, palette=palette)
    assert result.k == 5
    assert set(result.palette[:, 3]) >= {0, 255}


def test_a_floor_of_ssim_takes_more_colours() -> None:
    loose = quantized(PHOTO, palette={"rule": "quality"}, quality={"min_psnr_db": 28})
    strict = quantized(PHOTO, palette={"rule": "quality"}, quality={"min_psnr_db": 28, "min_ssim": 0.95})
    assert loose.measured.ssim < 0.95 <= strict.measured.ssim
    assert strict.k > loose.k


def test_dithering_is_paid_for_with_more_colours_until_the_floor_holds() -> None:
    floor = {"min_psnr_db": 33}
    plain = quantized(PHOTO, palette={"rule": "quality"}, quality=floor)
    dithered = quantized(PHOTO, palette={"rule": "quality", "dither": 1.0}, quality=floor)
    assert plain.measured.psnr_db >= 33
    assert dithered.measured.psnr_db >= 33
    assert dithered.k > plain.k


def test_a_rule_without_floor_keeps_its_k_and_says_so() -> None:
    result = quantized(PHOTO, palette={"rule": "fixed", "k": 4}, quality={"min_psnr_db": 40})
    assert (result.k, result.below_floor) == (4, True)


@pytest.mark.parametrize("space", ["srgb", "oklab"])
def test_both_colour_spaces_reach_the_floor(space: str) -> None:
    result = quantized(PHOTO, palette={"rule": "quality", "color_space": space}, quality={"min_psnr_db": 33})
    assert result.measured.psnr_db >= 33


def test_rate_distortion_optimisation_keeps_the_floor_that_is_measured_after_it() -> None:
    result = quantized(PHOTO, palette={"rule": "quality"}, quality={"min_psnr_db": 33.0}, compression={"rdo": 0.3})
    assert not result.below_floor
    measured = float(np.mean((result.palette[result.indices][..., :3].astype(float) - PHOTO) ** 2))
    assert 10 * np.log10(255**2 / measured) >= 33.0


def test_rate_distortion_optimisation_leaves_few_colours_exact() -> None:
    pixels = np.asarray(flat(9, 1))
    result = quantized(pixels, compression={"rdo": 2.0})
    assert np.array_equal(result.palette[result.indices][..., :3], pixels)
