"""From palette and index map to a file, checked by another decoder; and whether the file is worth its change."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from chromapress import engine
from chromapress.config import Compression
from chromapress.outcome import Outcome

PALETTE_CODECS: Final = ("png", "webp")
# Compared at a time: a large image's copies as RGBA would take a gigabyte.
_CHECKED_PIXELS: Final = 1 << 20


class EncodingError(RuntimeError):
    """A file that another decoder reads differently: a bug of the encoder, never to be published."""


@dataclass(frozen=True)
class Encoded:
    """A file and what made it: png, webp (lossless), lossy_webp or lossy_avif."""

    content: bytes
    codec: str


def encode(palette: NDArray[np.uint8], indices: NDArray[np.uint8], compression: Compression) -> list[Encoded]:
    """The palette files that the configuration asks for, each decoded again by Pillow and compared pixel for pixel.

    One, or with codec `auto` two; PNG in place of WebP where a side is too long for that.
    """
    fits = max(indices.shape) <= engine.MAX_WEBP_SIDE
    files = []
    if compression.codec != "webp" or not fits:
        files.append(Encoded(engine.encode_png(indices, palette, effort=compression.effort), "png"))
    if compression.codec != "png" and fits:
        files.append(Encoded(engine.encode_webp(indices, palette, effort=compression.effort), "webp"))
    for file in files:
        check(file, palette, indices)
    return files


def check(encoded: Encoded, palette: NDArray[np.uint8], indices: NDArray[np.uint8]) -> None:
    """EncodingError where Pillow sees other pixels than palette[indices]; what is fully transparent has no colour."""
    height, width = indices.shape
    rows = max(1, _CHECKED_PIXELS // width)
    wanted = _packed(palette)
    with Image.open(io.BytesIO(encoded.content)) as image:
        same = image.size == (width, height) and all(
            np.array_equal(
                _shown(image.crop((0, top, width, min(top + rows, height)))), wanted.take(indices[top : top + rows])
            )
            for top in range(0, height, rows)
        )
    if not same:
        raise EncodingError(f"the {encoded.codec} file of {width}x{height} pixels decodes to something else")


def _shown(image: Image.Image) -> NDArray[np.uint32]:
    """[H, W] the pixels, each packed."""
    if image.mode != "P":
        return _packed(np.asarray(image.convert("RGBA")))
    # A palette's few colours are quicker to convert than the pixels.
    image.apply_transparency()
    colors = np.array(image.getpalette("RGBA"), np.uint8).reshape(-1, 4)
    return _packed(colors).take(np.asarray(image))


def _packed(rgba: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """Of uint8 [..., 4] one number for each colour, 0 for all that are fully transparent."""
    packed = np.ascontiguousarray(rgba).view(np.uint32)[..., 0]
    return np.where(rgba[..., 3] > 0, packed, np.uint32(0))


def outcome(lossless: bool, new_size_bytes: int, source_size_bytes: int, compression: Compression) -> Outcome:
    """Whether to publish the new file or keep the source, by what it saves."""
    saving_percent = 100 * (1 - new_size_bytes / source_size_bytes)
    too_little = saving_percent < compression.min_saving_percent or new_size_bytes > source_size_bytes
    if too_little and compression.on_larger == "keep":
        return Outcome.KEPT_LARGER
    return Outcome.PUBLISHED_LOSSLESS if lossless else Outcome.PUBLISHED
