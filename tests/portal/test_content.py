"""What a file is, by its first bytes."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image
from portal.content import HEAD_BYTES, Refused, check_announced, look

from chromapress.config import Limits
from tests.landing_set import encoded, flat, frames, photograph

# Pillow's about damaged EXIF data.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

LIMITS = Limits(max_pixels=1_000_000, max_bytes=1000)
PICTURE = photograph("coffee.png", 60, 40)
SUPPORTED = ["PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP", "AVIF"]


@pytest.mark.parametrize("kind", SUPPORTED)
def test_every_supported_format_is_known(kind):
    content = encoded(PICTURE, kind)
    assert look(content[:HEAD_BYTES], len(content), LIMITS).content_type == f"image/{kind.lower()}"


@pytest.mark.parametrize("kind", SUPPORTED)
def test_a_header_that_goes_on_beyond_the_head_is_left_to_the_pipeline(kind):
    content = encoded(PICTURE, kind)
    assert look(content[:16] + bytes(HEAD_BYTES - 16), 10 * HEAD_BYTES, LIMITS).content_type == f"image/{kind.lower()}"


def test_animations_are_taken_for_the_pipeline_keeps_them():
    content = frames("GIF")
    assert look(content, len(content), LIMITS).content_type == "image/gif"


@pytest.mark.parametrize("kind", ["PPM", "JPEG2000", "ICO", "PCX", "PDF"])
def test_other_formats_are_named(kind):
    content = encoded(flat(3, 1), kind)
    with pytest.raises(Refused):
        look(content[:HEAD_BYTES], len(content), LIMITS)


def test_too_many_pixels_are_told_with_the_limit():
    content = encoded(Image.new("1", (2000, 1000)), "PNG")
    with pytest.raises(Refused, match="2000000 pixels, the limit is 1000000"):
        look(content, len(content), LIMITS)


@pytest.mark.parametrize(("size", "reason"), [(0, "no bytes"), (1001, "1001 bytes, the limit is 1000")])
def test_a_size_is_refused_before_anything_is_sent(size, reason):
    with pytest.raises(Refused, match=reason):
        check_announced(size, LIMITS)


@given(st.binary(min_size=1, max_size=200))
@example(b"\x89PNG\r\n\x1a\n")
@example(b"II*\0" + b"\xff" * 100)
@example(b"RIFF\0\0\0\0WEBP")
def test_junk_is_refused_and_nothing_else_happens(content):
    with pytest.raises(Refused):
        look(content, len(content), LIMITS)


@given(st.sampled_from(SUPPORTED), st.data())
def test_a_damaged_header_is_an_image_or_a_refusal(kind, data):
    content = bytearray(encoded(PICTURE, kind))
    for place in data.draw(st.lists(st.integers(0, min(len(content), 200) - 1), max_size=10)):
        content[place] = data.draw(st.integers(0, 255))
    try:
        look(bytes(content[:HEAD_BYTES]), len(content), LIMITS)
    except Refused as refusal:
        assert str(refusal)
