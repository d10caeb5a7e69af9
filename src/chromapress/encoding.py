"""From palette and index map to a file, checked by another decoder; and whether the file is worth its change."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from chromapress import engine
from chromapress.config import Compression
from chromapress.outcome import Outcome


class EncodingError(RuntimeError):
    """A file that another decoder reads differently: a bug of the encoder, never to be published."""


@dataclass(frozen=True)
class Encoded:
    """A file and its format, a value of `compression.codec`."""

    content: bytes
    codec: str


def encode(palette: NDArray[np.uint8], indices: NDArray[np.uint8], compression: Compression) -> Encoded:
    """The file, decoded again by Pillow and compared pixel for pixel. PNG where it is too large for WebP."""
    fits = max(indices.shape) <= engine.MAX_WEBP_SIDE
    if compression.codec == "webp" and fits:
        encoded = Encoded(engine.encode_webp(indices, palette, effort=compression.effort), "webp")
    else:
        encoded = Encoded(engine.encode_png(indices, palette, effort=compression.effort), "png")
    check(encoded, palette, indices)
    return encoded


def check(encoded: Encoded, palette: NDArray[np.uint8], indices: NDArray[np.uint8]) -> None:
    """EncodingError where Pillow sees other pixels than palette[indices]; what is fully transparent has no colour."""
    with Image.open(io.BytesIO(encoded.content)) as image:
        decoded = np.asarray(image.convert("RGBA"))
    wanted = palette[indices]
    visible = wanted[..., 3:] > 0
    if decoded.shape != wanted.shape or not np.array_equal(decoded * visible, wanted * visible):
        size = f"{indices.shape[1]}x{indices.shape[0]}"
        raise EncodingError(f"the {encoded.codec} file of {size} pixels decodes to something else")


def outcome(lossless: bool, new_size_bytes: int, source_size_bytes: int, compression: Compression) -> Outcome:
    """Whether to publish the new file or keep the source, by what it saves."""
    saving_percent = 100 * (1 - new_size_bytes / source_size_bytes)
    too_little = saving_percent < compression.min_saving_percent or new_size_bytes > source_size_bytes
    if too_little and compression.on_larger == "keep":
        return Outcome.KEPT_LARGER
    return Outcome.PUBLISHED_LOSSLESS if lossless else Outcome.PUBLISHED
