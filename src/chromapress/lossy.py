"""Lossy WebP and AVIF for photographs: each at the lowest quality that keeps the floor, measured on decoded pixels.

The encoders are Pillow's, libwebp and libavif. Not for images whose colours all fit in a palette: those stay exact.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, features

from chromapress import engine, quality
from chromapress.config import Quality
from chromapress.encoding import Encoded
from chromapress.quality import Measured

_BEST: Final = 100  # the highest quality of both encoders
# The encoder's own switch from fast (0) to small, by `compression.effort`: WebP's method, AVIF's speed.
_SLOW_EFFORT: Final = 7


@dataclass(frozen=True)
class Lossy:
    """A lossy file that keeps the floor."""

    file: Encoded
    setting: int  # of the encoder, 0 to 100
    measured: Measured


def lossy_files(pixels: NDArray[np.uint8], floor: Quality, effort: int) -> Iterator[Lossy]:
    """The smallest file of each codec that keeps the floor; none of a codec that does not, or of no floor at all.

    pixels: uint8 [H, W, 3 or 4]. A pixel that is fully transparent or fully opaque stays so, or the codec is out.
    """
    if floor.min_psnr_db is None and floor.max_delta_e is None and floor.min_ssim is None:
        return
    slow = effort >= _SLOW_EFFORT
    if max(pixels.shape[:2]) <= engine.MAX_WEBP_SIDE:
        yield from _lowest(pixels, floor, "webp", method=6 if slow else 4)
    if features.check("avif"):
        # One thread: an executor's core has no others to give.
        yield from _lowest(pixels, floor, "avif", speed=4 if slow else 6, max_threads=1)


def _lowest(pixels: NDArray[np.uint8], floor: Quality, codec: str, **options: Any) -> Iterator[Lossy]:
    """Bisection: quality rises with the setting."""

    def tried(setting: int) -> Lossy | None:
        content = _encode(pixels, codec, setting, options)
        decoded = _decode(content, pixels.shape[2])
        if not _keeps_kinds(pixels, decoded):
            return None
        measured = quality.measure(pixels, decoded, floor)
        if not quality.reached(measured.psnr_db, measured.delta_e, measured.ssim, floor):
            return None
        return Lossy(Encoded(content, f"lossy_{codec}"), setting, measured)

    found, below, above = tried(_BEST), -1, _BEST
    while found and above - below > 1:
        middle = (below + above) // 2
        lower = tried(middle)
        if lower:
            found, above = lower, middle
        else:
            below = middle
    if found:
        yield found


def _encode(pixels: NDArray[np.uint8], codec: str, setting: int, options: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, codec, quality=setting, **options)
    return buffer.getvalue()


def _decode(content: bytes, channels: int) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image.convert("RGB" if channels == 3 else "RGBA"))


def _keeps_kinds(pixels: NDArray[np.uint8], shown: NDArray[np.uint8]) -> bool:
    if pixels.shape[2] == 3:
        return True
    return all((shown[..., 3][pixels[..., 3] == alpha] == alpha).all() for alpha in (0, 255))
