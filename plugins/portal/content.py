"""What a file is, by its first bytes and never by its name, and whether the pipeline could do anything with it."""

from __future__ import annotations

import io
import threading
from dataclasses import dataclass
from typing import Final

from PIL import Image

from chromapress.config import Limits
from chromapress.decode import DAMAGE, FORMATS, Undecodable, check_size

# Enough for the header of nearly every image; the others the pipeline judges, which sees all of them.
HEAD_BYTES: Final = 64 * 1024
_SIGNATURE_BYTES: Final = 16

_loading = threading.Lock()


class Refused(Exception):  # noqa: N818  (not an error of the program: a file with a reason)
    """A file that is not taken; the text says why."""


@dataclass(frozen=True)
class Kind:
    """What a file is."""

    content_type: str  # such as image/png


def check_announced(size_bytes: int, limits: Limits) -> None:
    """Refused, if a file of this size need not be sent."""
    try:
        check_size(size_bytes, limits)
    except Undecodable as error:
        raise Refused(error.detail) from None


def look(head: bytes, size_bytes: int, limits: Limits) -> Kind:
    """What a file of `size_bytes` is that begins with `head`, its first HEAD_BYTES or all of it; or Refused."""
    found = _format(head)
    if found is None:
        raise Refused("it is not an image: no image format begins like this")
    if found not in FORMATS:
        raise Refused(f"a {found} file; supported are {', '.join(FORMATS)}")
    try:
        with Image.open(io.BytesIO(head), formats=[found]) as image:
            pixels = image.width * image.height
    except DAMAGE as error:
        if len(head) == size_bytes:
            detail = " ".join(str(error).split()) or type(error).__name__
            raise Refused(f"it begins like a {found} file, but its header is damaged ({detail})") from None
        pixels = 0  # the header is longer than the head
    if pixels > limits.max_pixels:
        raise Refused(f"{pixels} pixels, the limit is {limits.max_pixels}")
    return Kind(Image.MIME[found])


def _format(head: bytes) -> str | None:
    """The format whose signature a file begins with, in Pillow's words."""
    with _loading:
        Image.init()
    signature = head[:_SIGNATURE_BYTES].ljust(_SIGNATURE_BYTES, b"\0")
    known = [*FORMATS, *(name for name in Image.OPEN if name not in FORMATS)]
    for name in known:
        accept = Image.OPEN[name][1]
        # A plug-in that cannot work here says why with a text.
        if accept is not None and accept(signature) is True:
            return name
    if b"<svg" in head[:4096]:
        return "SVG"
    return None
