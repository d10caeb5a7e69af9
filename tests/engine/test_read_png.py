"""The plain kind of PNG is read as Pillow reads it; every other is left to Pillow."""

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms, PngImagePlugin

from chromapress import engine

from .strategies import U8, images, photograph

PLENTY = 10**6


def png(image: Image.Image, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG", **options)
    return file.getvalue()


def text(keyword: str, value: str) -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    info.add_text(keyword, value)
    return info


def orientation() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


@given(images(max_side=40), st.integers(0, 9), st.booleans())
def test_plain_files_are_read_as_pillow_reads_them(image: U8, level: int, optimize: bool) -> None:
    content = png(Image.fromarray(image), compress_level=level, optimize=optimize)
    np.testing.assert_array_equal(engine.read_png(content, max_pixels=PLENTY), image)


@pytest.mark.parametrize("channels", [3, 4])
def test_a_photograph_is_read_as_pillow_reads_it(channels: int) -> None:
    image = photograph(301, 203, channels=channels)
    content = png(Image.fromarray(image), pnginfo=text("Comment", "found in the attic"), dpi=(72, 72))
    np.testing.assert_array_equal(engine.read_png(content, max_pixels=301 * 203), image)
    assert engine.read_png(content, max_pixels=301 * 203 - 1) is None


PHOTO = Image.fromarray(photograph(20, 30))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x89PNG\r\n\x1a\n",
        png(PHOTO.convert("L")),
        png(PHOTO.convert("P")),
        png(PHOTO.convert("1")),
        png(PHOTO, exif=orientation()),
        png(PHOTO, icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()),
        png(PHOTO, transparency=(0, 0, 0)),
        png(PHOTO, pnginfo=text("XML:com.adobe.xmp", "<x/>")),
        png(PHOTO, pnginfo=text("Raw profile type exif", "00")),
        png(PHOTO, save_all=True, append_images=[PHOTO.rotate(180)]),
        png(PHOTO)[:-20],
        b"\xff\xd8\xff" + png(PHOTO),
    ],
)
def test_what_is_unusual_is_left_to_others(content: bytes) -> None:
    assert engine.read_png(content, max_pixels=PLENTY) is None


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="max_pixels must be at least 1"):
        engine.read_png(b"", max_pixels=0)
    with pytest.raises(TypeError):
        engine.read_png("text", max_pixels=1)  # type: ignore[arg-type]
