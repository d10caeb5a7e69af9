"""How close an image is to its source: PSNR and SSIM (the engine's), CIEDE2000 (scikit-image's), and the floors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chromapress import engine
from chromapress.config import Quality
from chromapress.histogram import Histogram, premultiplied


@dataclass(frozen=True)
class Measured:
    """The quality of an image, measured on its pixels."""

    psnr_db: float
    ssim: float
    delta_e: float | None  # 95th percentile of CIEDE2000, where the configuration asks for it


def measure(pixels: NDArray[np.uint8], shown: NDArray[np.uint8], quality: Quality) -> Measured:
    """The quality of the pixels that are shown in place of others, both uint8 [H, W, 3 or 4]."""
    return Measured(
        engine.psnr(pixels, shown),
        engine.ssim(pixels, shown),
        None if quality.max_delta_e is None else _pixel_delta_e(pixels, shown),
    )


def reached(psnr_db: float, delta_e: float | None, ssim: float | None, quality: Quality) -> bool:
    """Whether all floors that are set hold; what was not measured (None) is not asked for."""
    return not (
        (quality.min_psnr_db is not None and psnr_db < quality.min_psnr_db)
        or (quality.max_delta_e is not None and delta_e is not None and delta_e > quality.max_delta_e)
        or (quality.min_ssim is not None and ssim is not None and ssim < quality.min_ssim)
    )


def histogram_delta_e(histogram: Histogram, palette: NDArray[np.uint8], labels: NDArray[np.uint8]) -> float:
    """95th percentile over the pixels of CIEDE2000 between each colour and palette[label]."""
    return _percentile_95(histogram.colors, palette[labels], histogram.counts)


def _pixel_delta_e(pixels: NDArray[np.uint8], shown: NDArray[np.uint8]) -> float:
    # Each pair of colours once.
    pairs, counts = np.unique(_packed(pixels) << np.uint64(32) | _packed(shown), return_counts=True)
    both = pairs.astype("<u8").view(np.uint8).reshape(-1, 8)
    return _percentile_95(both[:, 4:], both[:, :4], counts)


def _packed(pixels: NDArray[np.uint8]) -> NDArray[np.uint64]:
    rgba = np.full((pixels.shape[0] * pixels.shape[1], 4), 255, np.uint8)
    rgba[:, : pixels.shape[2]] = pixels.reshape(-1, pixels.shape[2])
    return rgba.view("<u4").ravel().astype(np.uint64)


def _percentile_95(a: NDArray[np.uint8], b: NDArray[np.uint8], counts: NDArray[np.int64]) -> float:
    # Few datasets have a ceiling of CIEDE2000, and every worker would import this.
    from skimage.color import deltaE_ciede2000, rgb2lab  # noqa: PLC0415

    lab_a, lab_b = (rgb2lab(premultiplied(rgba)[:, :3] / 255) for rgba in (a, b))
    differences = deltaE_ciede2000(lab_a, lab_b)
    order = np.argsort(differences, kind="stable")
    cumulated = np.cumsum(counts[order])
    return float(differences[order][np.searchsorted(cumulated, 0.95 * cumulated[-1])])
