"""From palette and index map to a file, checked by another decoder; and whether the file is worth its change."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from chromapress import engine
from chromapress.config import Compression
from chromapress.outcome import Outcome


class EncodingError(RuntimeError):
    """A file that another decoder reads differently: a bug of the encoder, never to be published."""


def encode(palette: NDArray[np.uint8], indices: NDArray[np.uint8], compression: Compression) -> bytes:
    """The file's bytes, decoded again by Pillow and compared pixel for pixel."""
    content = engine.encode_png(indices, palette, effort=compression.effort)
    with Image.open(io.BytesIO(content)) as image:
        decoded = np.asarray(image.convert("RGBA"))
    wanted = palette[indices]
    visible = wanted[..., 3:] > 0
    if decoded.shape != wanted.shape or not np.array_equal(decoded * visible, wanted * visible):
        raise EncodingError(f"the file of {indices.shape[1]}x{indices.shape[0]} pixels decodes to something else")
    return content


def outcome(lossless: bool, new_size_bytes: int, source_size_bytes: int, compression: Compression) -> Outcome:
    """Whether to publish the new file or keep the source, by what it saves."""
    saving_percent = 100 * (1 - new_size_bytes / source_size_bytes)
    too_little = saving_percent < compression.min_saving_percent or new_size_bytes > source_size_bytes
    if too_little and compression.on_larger == "keep":
        return Outcome.KEPT_LARGER
    return Outcome.PUBLISHED_LOSSLESS if lossless else Outcome.PUBLISHED
