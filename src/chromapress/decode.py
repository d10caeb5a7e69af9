"""A file's bytes as 8-bit sRGB(A) pixels, upright, or the reason why not.

Limits are checked before a pixel is decoded. Orientation (EXIF), colour profile (ICC) and bit depth are applied, so
that what follows knows one kind of image. Decoding is Pillow's, but for the plain kind of PNG, which the engine reads
in little more than half the time; whatever is unusual about a file, Pillow judges.
"""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from chromapress import engine
from chromapress.config import Limits
from chromapress.outcome import Outcome

# Ours are checked instead, and first: Pillow's would warn, or raise, at numbers that a configuration may well allow.
Image.MAX_IMAGE_PIXELS = None

FORMATS: Final = ("JPEG", "PNG", "TIFF", "BMP", "GIF", "WEBP", "AVIF")
_ANIMATED: Final = ("GIF", "PNG", "WEBP", "AVIF")
_BEGINNINGS: Final = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"GIF8": "GIF",
    b"RIFF": "WebP",
}
_DEEP_GREY: Final = ("I;16", "I;16L", "I;16B", "I;16N")

# What Pillow's parsers raise on damaged files.
DAMAGE: Final = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)


@dataclass(frozen=True)
class Decoded:
    """An image that can be quantized."""

    pixels: NDArray[np.uint8]  # [H, W, 3] sRGB, or [H, W, 4] straight alpha where a pixel is not opaque
    format: str  # the file's, in Pillow's words
    mode: str  # the file's, in Pillow's words


class Undecodable(Exception):  # noqa: N818  (not an error of the program: a row with a reason)
    """An image that is not quantized: rejected, or kept as it is because it has several frames or pages."""

    def __init__(self, outcome: Outcome, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.outcome = outcome
        self.reason = reason
        self.detail = detail


def check_size(size_bytes: int, limits: Limits) -> None:
    """Undecodable, if a file of this size need not be read."""
    if size_bytes == 0:
        raise _rejected("empty", "the file has no bytes")
    if size_bytes > limits.max_bytes:
        raise _rejected("too_many_bytes", f"{size_bytes} bytes, the limit is {limits.max_bytes}")


def decode(content: bytes, limits: Limits) -> Decoded:
    """The upright 8-bit sRGB(A) pixels of a file, or Undecodable with the reason."""
    check_size(len(content), limits)
    plain = engine.read_png(content, max_pixels=limits.max_pixels)
    if plain is not None:
        opaque = plain.shape[2] == 3 or (plain[..., 3] == 255).all()
        return Decoded(np.ascontiguousarray(plain[..., :3]) if opaque else plain, "PNG", "RGBA"[: plain.shape[2]])
    with _opened(content, limits) as image:
        try:
            image.load()
            return Decoded(_upright_srgb(image), str(image.format), image.mode)
        except DAMAGE as error:
            raise _damaged(error) from None


def _opened(content: bytes, limits: Limits) -> Image.Image:
    """An image of one frame and no more pixels than the limit, before any is decoded."""
    try:
        image = Image.open(io.BytesIO(content), formats=FORMATS)
    except UnidentifiedImageError:
        raise _rejected(*_unknown(content)) from None
    except DAMAGE as error:
        raise _damaged(error) from None
    if image.width * image.height > limits.max_pixels:
        size = f"{image.width}x{image.height} pixels"
        raise _rejected("too_many_pixels", f"{size}, the limit is {limits.max_pixels}")
    try:
        frames = getattr(image, "n_frames", 1)
    except DAMAGE as error:
        raise _damaged(error) from None
    if frames == 1:
        return image
    if image.format in _ANIMATED:
        raise Undecodable(Outcome.KEPT_ANIMATED, "animated", f"{frames} frames")
    raise Undecodable(Outcome.KEPT_MULTIPAGE, "multipage", f"{frames} pages")


def _rejected(reason: str, detail: str) -> Undecodable:
    return Undecodable(Outcome.REJECTED, reason, detail)


def _damaged(error: BaseException) -> Undecodable:
    detail = " ".join(str(error).split()) or type(error).__name__
    return _rejected("truncated" if "truncated" in detail.lower() else "unreadable", detail)


def _unknown(content: bytes) -> tuple[str, str]:
    """Why no decoder took it: not an image at all, or a format that is not ours."""
    try:
        with Image.open(io.BytesIO(content)) as image:
            return "unsupported", f"a {image.format} file; supported are {', '.join(FORMATS)}"
    except DAMAGE:
        pass
    for beginning, name in _BEGINNINGS.items():
        if content.startswith(beginning):
            return "unreadable", f"begins like a {name} file, but its header is damaged or of a kind not known"
    if b"<svg" in content[:4096]:
        return "unsupported", f"an SVG file; supported are {', '.join(FORMATS)}"
    return "not_an_image", "no image format begins like this"


def _upright_srgb(image: Image.Image) -> NDArray[np.uint8]:
    profile = image.info.get("icc_profile")
    # In place, and no conversion to the mode that it has: each copy of a large image is hundreds of megabytes.
    ImageOps.exif_transpose(image, in_place=True)
    if image.mode in _DEEP_GREY:
        return _from_deep_grey(image)
    if image.mode in ("I", "F"):
        raise _rejected("unsupported", f"samples of 32 bits (mode {image.mode})")
    if not image.has_transparency_data:
        return np.asarray(_to_srgb(image, profile))
    rgba = image.convert("RGBA")
    alpha = np.asarray(rgba.getchannel("A"))
    rgb = np.asarray(_to_srgb(rgba.convert("RGB"), profile))
    return rgb if (alpha == 255).all() else np.dstack([rgb, alpha])


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """RGB in sRGB. Without a profile, or with one that cannot be used (as browsers do), levels are taken for sRGB."""
    # Pillow converts a palette with a tRNS chunk to RGBA only.
    plain = image if image.mode in ("L", "RGB", "CMYK") else image.convert("RGBA").convert("RGB")
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            # A transform from sRGB to sRGB would move levels by one for nothing.
            if "srgb" not in ImageCms.getProfileDescription(source).lower():
                converted = ImageCms.profileToProfile(plain, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
                if converted is not None:
                    return converted
        except (ImageCms.PyCMSError, OSError, ValueError):
            # The profile is damaged or of another colour model than the pixels.
            return _rgb(plain)
    return _rgb(plain)


def _rgb(image: Image.Image) -> Image.Image:
    return image if image.mode == "RGB" else image.convert("RGB")


def _from_deep_grey(image: Image.Image) -> NDArray[np.uint8]:
    deep = np.asarray(image).astype(np.uint32)
    grey = ((deep * 255 + 32767) // 65535).astype(np.uint8)
    rgb = np.dstack([grey, grey, grey])
    transparent = image.info.get("transparency")
    if isinstance(transparent, int) and (deep == transparent).any():
        return np.dstack([rgb, np.where(deep == transparent, 0, 255).astype(np.uint8)])
    return rgb
