import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from chromapress import engine

from . import reference
from .strategies import U8, images, photograph


def premultiplied(image: U8) -> np.ndarray:
    if image.shape[2] == 3:
        return image.astype(np.float64)
    return reference.premultiply(image.reshape(-1, 4)).reshape(image.shape)


def noisy(image: U8, seed: int) -> U8:
    noise = np.random.default_rng(seed).normal(0, 12, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


@given(images(), st.integers(0, 99))
def test_psnr_is_scikit_images(image: U8, seed: int) -> None:
    other = noisy(image, seed)
    if np.array_equal(premultiplied(image), premultiplied(other)):
        assert engine.psnr(image, other) == math.inf
        return
    expected = peak_signal_noise_ratio(premultiplied(image), premultiplied(other), data_range=255)
    assert engine.psnr(image, other) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("shape", [(11, 11), (11, 40), (37, 12), (64, 95)])
def test_ssim_is_scikit_images(shape: tuple[int, int], channels: int) -> None:
    image = photograph(*shape, channels=channels)
    other = noisy(image, 3)
    expected = structural_similarity(
        premultiplied(image),
        premultiplied(other),
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=255,
        channel_axis=-1,
    )
    assert engine.ssim(image, other) == pytest.approx(expected, abs=1e-6)


@given(images())
def test_an_image_is_like_itself(image: U8) -> None:
    assert engine.ssim(image, image) == pytest.approx(1)
    assert engine.psnr(image, image) == math.inf


def test_small_images_are_one_window() -> None:
    black, white = np.zeros((3, 50, 3), np.uint8), np.full((3, 50, 3), 255, np.uint8)
    assert engine.ssim(black, white) == pytest.approx(6.5025 / (65025 + 6.5025))
