"""From pixels and a chosen k to a palette and an index map whose quality is measured on the pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chromapress import engine, quality
from chromapress.choice import Verdict, fits, least_colors, protected_colors
from chromapress.config import DatasetConfig
from chromapress.histogram import Histogram
from chromapress.quality import Measured


@dataclass(frozen=True)
class Quantized:
    """An image as palette and index map."""

    palette: NDArray[np.uint8]  # [k, 4] straight RGBA
    indices: NDArray[np.uint8]  # [H, W]
    sizes: NDArray[np.int64]  # [k] pixels of each entry
    measured: Measured
    below_floor: bool

    @property
    def k(self) -> int:
        return len(self.palette)


def quantize(
    pixels: NDArray[np.uint8],
    histogram: Histogram,
    verdict: Verdict,
    k: int,
    centres: NDArray[np.float64],
    config: DatasetConfig,
) -> Quantized:
    """Exact K-means from the given centres, then the mapping; on to larger k while a floor is missed on the pixels.

    k, centres: as choice.Choice has them. SSIM and dithering show on the pixels only, which is why a k that the
    histogram found good enough can turn out not to be.
    """
    chosen = len(centres) > 0
    if verdict == Verdict.LOSSLESS or (not chosen and fits(histogram, config.palette)):
        return _measured(pixels, histogram.colors, engine.map_pixels(pixels, histogram.colors), config)
    protected = protected_colors(config.palette)
    space = config.palette.color_space

    def clustered(k: int, start: NDArray[np.float64] | None) -> Quantized:
        clustering = engine.kmeans(
            histogram.colors, histogram.counts, k, start=start, protected=protected, color_space=space
        )
        return apply_palette(pixels, clustering.palette, config, own=True)

    if not chosen:
        return clustered(max(k, least_colors(histogram, config.palette)), None)
    result = clustered(k, centres)
    if config.palette.keeps_floor:
        for more in config.palette.candidates:
            if not result.below_floor:
                break
            if k < more < len(histogram):
                result = clustered(more, None)
    return result


def apply_palette(
    pixels: NDArray[np.uint8], palette: NDArray[np.uint8], config: DatasetConfig, *, own: bool = False
) -> Quantized:
    """Map the pixels to a given palette and measure the result.

    own: the palette is this image's alone, so that rate-distortion optimisation may move its colours.
    """
    if config.compression.rdo > 0:
        fixed = len(config.palette.protected) if own else len(palette)
        palette, indices = engine.map_rate_distortion(pixels, palette, rdo=config.compression.rdo, fixed=fixed)
    else:
        indices = engine.map_pixels(
            pixels, palette, color_space=config.palette.color_space, dither=config.palette.dither
        )
    return _measured(pixels, palette, indices, config)


def _measured(
    pixels: NDArray[np.uint8], palette: NDArray[np.uint8], indices: NDArray[np.uint8], config: DatasetConfig
) -> Quantized:
    shown, sizes = engine.expand(indices, palette, pixels.shape[2])
    measured = quality.measure(pixels, shown, config.quality)
    return Quantized(
        palette,
        indices,
        sizes,
        measured,
        not quality.reached(measured.psnr_db, measured.delta_e, measured.ssim, config.quality),
    )
