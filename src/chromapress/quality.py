"""How close an image is to its source: PSNR and SSIM (the engine's), CIEDE2000 (scikit-image's), and the floors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from skimage.color import deltaE_ciede2000, rgb2lab

from chromapress import engine
from chromapress.config import Quality
from chromapress.histogram import Histogram, premultiplied


@dataclass(frozen=True)
class Measured:
    """The quality of an image, measured on its pixels."""

    psnr_db: float
    ssim: float
    delta_e: float | None  # 95th percentile of CIEDE2000, where the configuration asks for it


def measure(
    pixels: NDArray[np.uint8], palette: NDArray[np.uint8], indices: NDArray[np.uint8], quality: Quality
) -> Measured:
    """The quality of palette[indices] as a stand-in for pixels."""
    channels = pixels.shape[2]
    mapped = palette[indices][..., :channels]
    return Measured(
        engine.psnr(pixels, mapped),
        engine.ssim(pixels, mapped),
        None if quality.max_delta_e is None else _pixel_delta_e(pixels, palette, indices),
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


def _pixel_delta_e(pixels: NDArray[np.uint8], palette: NDArray[np.uint8], indices: NDArray[np.uint8]) -> float:
    # Each pair of a colour and an entry once: with dithering, one colour has several entries.
    flat = pixels.reshape(-1, pixels.shape[2])
    rgba = np.full((len(flat), 4), 255, np.uint8)
    rgba[:, : flat.shape[1]] = flat
    packed = rgba.view("<u4").ravel().astype(np.uint64) << np.uint64(8) | indices.ravel()
    pairs, counts = np.unique(packed, return_counts=True)
    colors = (pairs >> np.uint64(8)).astype("<u4").view(np.uint8).reshape(-1, 4)
    return _percentile_95(colors, palette[(pairs & np.uint64(255)).astype(np.uint8)], counts)


def _percentile_95(a: NDArray[np.uint8], b: NDArray[np.uint8], counts: NDArray[np.int64]) -> float:
    lab_a, lab_b = (rgb2lab(premultiplied(rgba)[:, :3] / 255) for rgba in (a, b))
    differences = deltaE_ciede2000(lab_a, lab_b)
    order = np.argsort(differences, kind="stable")
    cumulated = np.cumsum(counts[order])
    return float(differences[order][np.searchsorted(cumulated, 0.95 * cumulated[-1])])
