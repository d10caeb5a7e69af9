"""A landing partition with every kind of file that people land, and what each is to end as.

Photographs are cuts of scikit-image's bundled ones, the rest is drawn here; all is the same at every call.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import skimage
from numpy.typing import NDArray
from PIL import Image, ImageDraw

NEW = frozenset({"published", "published_lossless"})


@dataclass(frozen=True)
class Landed:
    """A file, and what it may end as."""

    content: bytes
    outcomes: frozenset[str] = NEW
    reason: str = ""  # that the reason begins with
    size: tuple[int, int] | None = field(default=None)  # upright width and height


def photograph(name: str, left: int, top: int, width: int = 160, height: int = 120) -> Image.Image:
    """A cut of one of scikit-image's bundled photographs, half its size so that it has a photograph's detail."""
    with Image.open(Path(skimage.__file__).parent / "data" / name) as image:
        cut = image.convert("RGB").crop((left, top, left + 2 * width, top + 2 * height))
    return cut.resize((width, height), Image.Resampling.LANCZOS)


def flat(colors: int, seed: int, width: int = 120, height: int = 90) -> Image.Image:
    """Rectangles of a few flat colours."""
    random = np.random.default_rng(seed)
    image = Image.new("RGB", (width, height), tuple(random.integers(0, 256, 3).tolist()))
    draw = ImageDraw.Draw(image)
    for _ in range(colors - 1):
        left, top = random.integers(0, width - 20), random.integers(0, height - 20)
        color = tuple(random.integers(0, 256, 3).tolist())
        draw.rectangle((left, top, left + random.integers(10, 60), top + random.integers(10, 40)), fill=color)
    return image


def icon(seed: int, side: int = 64) -> Image.Image:
    """A shaded disc with a soft edge on nothing: transparent, translucent and opaque pixels."""
    y, x = np.mgrid[:side, :side]
    distance = np.hypot(x - side / 2, y - side / 2)
    alpha = np.clip((side / 2 - 4 - distance) * 40, 0, 255)
    random = np.random.default_rng(seed)
    tint = random.integers(80, 256, 3)
    shade = np.clip(1 - distance / side + 0.3 * np.sin(x / 3 + seed), 0, 1)
    return Image.fromarray(np.dstack([shade[..., None] * tint, alpha]).astype(np.uint8), "RGBA")


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def large_header_png(width: int, height: int) -> bytes:
    """A small PNG that claims to be large."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


def deep_grey_png() -> bytes:
    """A PNG of 16-bit grey levels."""
    y, x = np.mgrid[:80, :100]
    levels: NDArray[np.uint16] = (32768 + 16000 * np.sin(x / 9) + 16000 * np.cos(y / 7)).astype(np.uint16)
    return encoded(Image.fromarray(levels), "PNG")


def frames(kind: str) -> bytes:
    """An animation, or a document of two pages."""
    first, second = flat(4, 1), flat(4, 2)
    return encoded(first, kind, save_all=True, append_images=[second])


def landing_set() -> dict[str, Landed]:
    """{relative path: file}: every kind there is."""
    photo = photograph("astronaut.png", 100, 0)
    truncated = encoded(photograph("coffee.png", 0, 0), "PNG")
    rotated = Image.Exif()
    rotated[0x0112] = 6  # shown turned by 90 degrees
    cmyk = photograph("coffee.png", 200, 100).convert("CMYK")
    photos: Iterator[tuple[str, Image.Image]] = (
        (f"photos/{name.partition('.')[0]}-{left}.png", photograph(name, left, top))
        for name, left, top in (
            ("astronaut.png", 0, 0),
            ("astronaut.png", 150, 200),
            ("coffee.png", 0, 0),
            ("coffee.png", 250, 150),
            ("chelsea.png", 0, 0),
            ("chelsea.png", 120, 40),
            ("motorcycle_left.png", 0, 0),
            ("motorcycle_left.png", 300, 200),
        )
    )
    jpeg: Callable[[Image.Image], bytes] = lambda image: encoded(image, "JPEG", quality=80)  # noqa: E731
    return {
        **{path: Landed(encoded(image, "PNG"), size=image.size) for path, image in photos},
        **{
            f"flat/chart-{n}.png": Landed(
                encoded(flat(n, n), "PNG", compress_level=1), frozenset({"published_lossless"}), size=(120, 90)
            )
            for n in (2, 5, 12, 30)
        },
        **{f"icons/icon-{n}.png": Landed(encoded(icon(n), "PNG"), size=(64, 64)) for n in (1, 2)},
        "bad/truncated.png": Landed(truncated[: len(truncated) // 2], frozenset({"rejected"}), "truncated"),
        "bad/text.png": Landed(b"This is not an image.\n", frozenset({"rejected"}), "not_an_image"),
        "bad/empty.png": Landed(b"", frozenset({"rejected"}), "empty"),
        "bad/huge.png": Landed(large_header_png(20_000, 20_000), frozenset({"rejected"}), "too_many_pixels"),
        "bad/picture.ppm": Landed(encoded(flat(3, 9), "PPM"), frozenset({"rejected"}), "unsupported"),
        "kinds/rotated.jpg": Landed(
            encoded(photo, "JPEG", quality=95, exif=rotated), NEW | {"kept_larger"}, size=(120, 160)
        ),
        "kinds/cmyk.jpg": Landed(encoded(cmyk, "JPEG", quality=95), NEW | {"kept_larger"}, size=(160, 120)),
        "kinds/deep-grey.png": Landed(deep_grey_png(), NEW | {"kept_larger"}, size=(100, 80)),
        "kinds/grey.tiff": Landed(encoded(photo.convert("L"), "TIFF"), size=(160, 120)),
        "kinds/palette.png": Landed(
            encoded(photo.quantize(64), "PNG", compress_level=1), NEW | {"kept_larger"}, size=(160, 120)
        ),
        "kinds/plain.bmp": Landed(encoded(photo, "BMP"), size=(160, 120)),
        "kinds/still.gif": Landed(encoded(flat(6, 3), "GIF"), NEW | {"kept_larger"}, size=(120, 90)),
        "kinds/still.avif": Landed(encoded(photo, "AVIF"), NEW | {"kept_larger"}, size=(160, 120)),
        "kinds/still.webp": Landed(encoded(photo, "WEBP", lossless=True), NEW | {"kept_larger"}, size=(160, 120)),
        "frames/animated.gif": Landed(frames("GIF"), frozenset({"kept_animated"}), "animated"),
        "frames/animated.png": Landed(frames("PNG"), frozenset({"kept_animated"}), "animated"),
        "frames/animated.avif": Landed(frames("AVIF"), frozenset({"kept_animated"}), "animated"),
        "frames/animated.webp": Landed(frames("WEBP"), frozenset({"kept_animated"}), "animated"),
        "frames/two-pages.tiff": Landed(frames("TIFF"), frozenset({"kept_multipage"}), "multipage"),
        "one/same-name.png": Landed(encoded(flat(7, 4), "PNG", compress_level=0), size=(120, 90)),
        "two/same-name.png": Landed(encoded(flat(8, 5), "PNG", compress_level=0), size=(120, 90)),
        "meet/a.jpg": Landed(jpeg(photograph("chelsea.png", 30, 20)), NEW | {"kept_larger"}, size=(160, 120)),
        "meet/a.png": Landed(encoded(photograph("chelsea.png", 60, 20), "PNG"), size=(160, 120)),
        "meet/a.bmp": Landed(encoded(photograph("chelsea.png", 90, 20), "BMP"), size=(160, 120)),
        "_DSC0001.jpg": Landed(jpeg(photograph("coffee.png", 60, 40)), NEW | {"kept_larger"}, size=(160, 120)),
        ".hidden/Übung #1 100%.png": Landed(encoded(flat(9, 6), "PNG", compress_level=0), size=(120, 90)),
    }
