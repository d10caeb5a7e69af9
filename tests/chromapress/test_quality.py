"""How close an image is to its source."""

import math

import numpy as np
import pytest
from skimage.color import deltaE_ciede2000, rgb2lab
from skimage.metrics import peak_signal_noise_ratio

from chromapress import engine
from chromapress.config import Quality
from chromapress.histogram import Histogram
from chromapress.quality import histogram_delta_e, measure, reached
from tests.landing_set import icon, photograph

PHOTO = np.asarray(photograph("astronaut.png", 0, 0))
WITH_DELTA_E = Quality(max_delta_e=5)


def mapped(pixels: np.ndarray, k: int, dither: float = 0.0) -> np.ndarray:
    palette = engine.kmeans(*engine.histogram(pixels), k).palette
    return palette[:, : pixels.shape[2]][engine.map_pixels(pixels, palette, dither=dither)]


def test_psnr_is_scikit_images() -> None:
    shown = mapped(PHOTO, 16)
    wanted = peak_signal_noise_ratio(PHOTO, shown)
    assert measure(PHOTO, shown, Quality()).psnr_db == pytest.approx(wanted)


@pytest.mark.parametrize("dither", [0.0, 1.0])
def test_delta_e_is_the_95th_percentile_over_the_pixels(dither: float) -> None:
    shown = mapped(PHOTO, 16, dither)
    differences = deltaE_ciede2000(rgb2lab(PHOTO), rgb2lab(shown))
    wanted = np.quantile(differences, 0.95, method="inverted_cdf")
    assert measure(PHOTO, shown, WITH_DELTA_E).delta_e == pytest.approx(wanted)


def test_delta_e_from_the_histogram_is_the_one_from_the_pixels() -> None:
    histogram = Histogram.of(PHOTO)
    palette = engine.kmeans(histogram.colors, histogram.counts, 16).palette
    told = histogram_delta_e(histogram, palette, engine.map_colors(histogram.colors, palette))
    assert told == pytest.approx(measure(PHOTO, mapped(PHOTO, 16), WITH_DELTA_E).delta_e)


def test_an_exact_image_has_no_error() -> None:
    pixels = np.asarray(icon(1))[:12, :12]
    histogram = Histogram.of(pixels)
    assert len(histogram) <= 256
    shown = histogram.colors[engine.map_pixels(pixels, histogram.colors)]
    measured = measure(pixels, shown, WITH_DELTA_E)
    assert (measured.psnr_db, measured.ssim, measured.delta_e) == (math.inf, 1.0, 0.0)


def test_delta_e_is_measured_only_where_it_is_asked_for() -> None:
    assert measure(PHOTO, mapped(PHOTO, 4), Quality()).delta_e is None


@pytest.mark.parametrize(
    ("psnr_db", "delta_e", "ssim", "good"),
    [
        (32.0, 5.0, 0.9, True),
        (31.9, 5.0, 0.9, False),
        (32.0, 5.1, 0.9, False),
        (32.0, 5.0, 0.89, False),
        (math.inf, 0.0, 1.0, True),
        (32.0, None, None, True),
    ],
)
def test_all_floors_must_hold(psnr_db: float, delta_e: float | None, ssim: float | None, good: bool) -> None:
    assert reached(psnr_db, delta_e, ssim, Quality(min_psnr_db=32, max_delta_e=5, min_ssim=0.9)) == good


def test_without_floors_everything_is_good() -> None:
    assert reached(1.0, 99.0, 0.0, Quality(min_psnr_db=None))
