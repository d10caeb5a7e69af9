"""Files of every kind as pixels, or the reason why not."""

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageCms

from chromapress.config import Limits
from chromapress.decode import Decoded, Undecodable, check_size, decode
from chromapress.outcome import Outcome
from tests.landing_set import deep_grey_png, encoded, flat, frames, icon, large_header_png, photograph

LIMITS = Limits(max_pixels=1_000_000, max_bytes=1_000_000)


def pixels(content: bytes) -> NDArray[np.uint8]:
    return decode(content, LIMITS).pixels


def undecodable(content: bytes, limits: Limits = LIMITS) -> Undecodable:
    with pytest.raises(Undecodable) as told:
        decode(content, limits)
    return told.value


PHOTO = photograph("coffee.png", 0, 0, 40, 30)


@pytest.mark.parametrize(
    ("kind", "options"),
    [("PNG", {}), ("TIFF", {}), ("TIFF", {"compression": "tiff_lzw"}), ("BMP", {}), ("WEBP", {"lossless": True})],
)
def test_lossless_formats_give_the_pixels_that_went_in(kind: str, options: dict[str, object]) -> None:
    decoded = decode(encoded(PHOTO, kind, **options), LIMITS)
    assert np.array_equal(decoded.pixels, np.asarray(PHOTO))
    assert (decoded.format, decoded.mode) == (kind, "RGB")


def test_a_jpeg_gives_what_pillow_reads() -> None:
    content = encoded(PHOTO, "JPEG", quality=90)
    assert np.array_equal(pixels(content), np.asarray(Image.open(io.BytesIO(content))))


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_alpha_stays_and_colour_under_it_too(kind: str) -> None:
    image = icon(1)
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    assert np.array_equal(pixels(encoded(image, kind, **options)), np.asarray(image))


def test_alpha_that_is_opaque_everywhere_is_dropped() -> None:
    assert pixels(encoded(PHOTO.convert("RGBA"), "PNG")).shape == (30, 40, 3)


@pytest.mark.parametrize("mode", ["L", "1", "P"])
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "GIF"])
def test_grey_bilevel_and_palette_become_rgb(mode: str, kind: str) -> None:
    image = PHOTO.convert(mode)
    assert np.array_equal(pixels(encoded(image, kind)), np.asarray(image.convert("RGB")))


def test_grey_with_alpha_becomes_rgba() -> None:
    image = icon(2).convert("LA")
    assert np.array_equal(pixels(encoded(image, "PNG")), np.asarray(image.convert("RGBA")))


def test_a_palette_with_transparency_for_each_entry_becomes_rgba() -> None:
    image = Image.new("P", (4, 1))
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 9, 9])
    image.putdata([0, 1, 2, 3])
    content = encoded(image, "PNG", transparency=bytes([0, 128, 255, 255]))
    assert pixels(content).tolist() == [[[255, 0, 0, 0], [0, 255, 0, 128], [0, 0, 255, 255], [9, 9, 9, 255]]]


def test_one_transparent_colour_of_an_rgb_png_becomes_alpha() -> None:
    image = Image.new("RGB", (2, 1), (1, 2, 3))
    image.putpixel((1, 0), (4, 5, 6))
    assert pixels(encoded(image, "PNG", transparency=(1, 2, 3)))[..., 3].tolist() == [[0, 255]]


def test_a_gifs_transparent_colour_becomes_alpha() -> None:
    image = PHOTO.quantize(4)
    alpha = pixels(encoded(image, "GIF", transparency=0))[..., 3]
    assert np.array_equal(alpha == 0, np.asarray(image) == 0)


def test_sixteen_bits_of_grey_are_scaled_not_clipped() -> None:
    grey = pixels(deep_grey_png())
    with Image.open(io.BytesIO(deep_grey_png())) as image:
        wanted = np.rint(np.asarray(image) / 257)
    assert grey.max() > 200
    assert np.array_equal(grey, np.dstack([wanted] * 3))


def test_a_transparent_level_of_a_deep_grey_png_becomes_alpha() -> None:
    image = Image.fromarray(np.array([[1000, 1001, 65535]], np.uint16))
    # Pillow writes no tRNS chunk for 16-bit grey: it is put before IDAT here.
    content = encoded(image, "PNG")
    place = content.index(b"IDAT") - 4
    chunk = b"tRNS" + struct.pack(">H", 1000)
    content = content[:place] + struct.pack(">I", 2) + chunk + struct.pack(">I", zlib.crc32(chunk)) + content[place:]
    assert pixels(content)[..., 3].tolist() == [[0, 255, 255]]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    upright = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }[orientation]
    wanted = PHOTO if upright is None else PHOTO.transpose(upright)
    assert np.array_equal(pixels(encoded(PHOTO, "PNG", exif=exif)), np.asarray(wanted))


def profile_with_red_and_blue_exchanged() -> bytes:
    """Pillow's sRGB profile with two tags renamed, and without its name."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exchanged = profile.replace(b"rXYZ", b"_XYZ").replace(b"bXYZ", b"rXYZ").replace(b"_XYZ", b"bXYZ")
    return exchanged.replace("sRGB".encode("utf-16-be"), "test".encode("utf-16-be"))


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_a_profile_of_another_colour_space_is_applied(kind: str) -> None:
    image = Image.new("RGB", (4, 4), (200, 100, 50))
    options = {"lossless": True} if kind == "WEBP" else {}
    got = pixels(encoded(image, kind, icc_profile=profile_with_red_and_blue_exchanged(), **options))
    assert np.abs(got[0, 0].astype(int) - (50, 100, 200)).max() <= 1


def test_a_profile_of_srgb_moves_no_level() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert np.array_equal(pixels(encoded(PHOTO, "PNG", icc_profile=profile)), np.asarray(PHOTO))


@pytest.mark.parametrize("profile", [b"no profile", ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()])
def test_a_profile_that_does_not_fit_is_ignored(profile: bytes) -> None:
    assert np.array_equal(pixels(encoded(PHOTO, "PNG", icc_profile=profile)), np.asarray(PHOTO))


def test_cmyk_becomes_rgb_close_to_the_original() -> None:
    got = pixels(encoded(PHOTO.convert("CMYK"), "JPEG", quality=100))
    assert np.abs(got.astype(int) - np.asarray(PHOTO)).mean() < 8


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_animations_are_kept(kind: str) -> None:
    told = undecodable(frames(kind))
    assert (told.outcome, str(told)) == (Outcome.KEPT_ANIMATED, "animated: 2 frames")


def test_documents_of_several_pages_are_kept() -> None:
    told = undecodable(frames("TIFF"))
    assert (told.outcome, str(told)) == (Outcome.KEPT_MULTIPAGE, "multipage: 2 pages")


SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"This is not an image.\n", "not_an_image"),
        (encoded(PHOTO, "PNG")[:500], "truncated"),
        (encoded(PHOTO, "JPEG")[:500], "truncated"),
        (encoded(PHOTO, "PPM"), "unsupported"),
        (encoded(PHOTO, "ICO"), "unsupported"),
        (encoded(PHOTO, "JPEG2000"), "unsupported"),
        (SVG, "unsupported"),
        (encoded(Image.fromarray(np.ones((3, 3), np.float32)), "TIFF"), "unsupported"),
        (encoded(Image.fromarray(np.ones((3, 3), np.int32)), "TIFF"), "unsupported"),
        (b"\x89PNG\r\n\x1a\n" + bytes(50), "unreadable"),
        (b"II*\0" + bytes(50), "unreadable"),
        (large_header_png(20_000, 20_000), "too_many_pixels"),
        (bytes(1_000_001), "too_many_bytes"),
    ],
)
def test_what_cannot_be_read_is_rejected_with_its_reason(content: bytes, reason: str) -> None:
    told = undecodable(content)
    assert (told.outcome, told.reason) == (Outcome.REJECTED, reason)
    assert len(told.detail) > 5


def test_the_pixel_limit_is_inclusive_and_comes_before_decoding() -> None:
    content = encoded(flat(3, 1, 30, 40), "PNG")
    assert isinstance(decode(content, Limits(max_pixels=1200)), Decoded)
    assert undecodable(content, Limits(max_pixels=1199)).reason == "too_many_pixels"


def test_the_byte_limit_is_inclusive() -> None:
    check_size(10, Limits(max_bytes=10))
    with pytest.raises(Undecodable, match="too_many_bytes: 11 bytes, the limit is 10"):
        check_size(11, Limits(max_bytes=10))


SOURCES = [
    encoded(PHOTO, "PNG"),
    encoded(PHOTO, "JPEG"),
    encoded(PHOTO, "TIFF", compression="tiff_lzw"),
    encoded(PHOTO, "BMP"),
    encoded(PHOTO.quantize(16), "GIF"),
    encoded(PHOTO, "WEBP"),
    encoded(icon(1).quantize(16), "PNG"),
]


@pytest.mark.filterwarnings("default")  # Pillow warns of damaged metadata
@given(
    st.sampled_from(SOURCES), st.lists(st.tuples(st.integers(0, 5_000), st.integers(0, 255)), min_size=1, max_size=8)
)
def test_damage_is_a_reason_and_never_an_exception(source: bytes, damage: list[tuple[int, int]]) -> None:
    content = bytearray(source)
    for place, value in damage:
        content[place % len(content)] = value
    try:
        decoded = decode(bytes(content), LIMITS)
    except Undecodable as told:
        assert told.reason
    else:
        assert decoded.pixels.dtype == np.uint8
        assert decoded.pixels.ndim == 3
