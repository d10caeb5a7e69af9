import io

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from chromapress import engine

from .strategies import U8, palettes, photograph


def pillow(webp: bytes) -> U8:
    """Pillow's build of libwebp."""
    with Image.open(io.BytesIO(webp)) as image:
        assert image.format == "WEBP"
        return np.asarray(image.convert("RGBA"))


def ffmpeg(webp: bytes) -> U8:
    """FFmpeg's own decoder, which shares no code with libwebp."""
    with av.open(io.BytesIO(webp), format="webp_pipe") as container:
        [frame] = container.decode(video=0)
        return frame.to_ndarray(format="rgba")


def check(indices: U8, palette: U8, effort: int) -> bytes:
    webp = engine.encode_webp(indices, palette, effort=effort)
    assert webp[12:16] == b"VP8L"
    assert np.array_equal(pillow(webp), palette[indices])
    assert np.array_equal(ffmpeg(webp), palette[indices])
    return webp


@given(palettes(), st.integers(1, 20), st.integers(1, 20), st.integers(0, 2**32 - 1), st.integers(1, 9))
def test_two_decoders_give_back_the_pixels(palette: U8, height: int, width: int, seed: int, effort: int) -> None:
    indices = np.random.default_rng(seed).integers(0, len(palette), (height, width), np.uint8)
    check(indices, palette, effort)


@pytest.mark.parametrize("effort", [1, 5, 9])
@pytest.mark.parametrize("height", [1, 2, 3, 8])
def test_every_small_width(height: int, effort: int) -> None:
    rng = np.random.default_rng(height)
    for width in range(1, 20):
        for colors in (1, 2, 3, 4, 5, 16, 17, 255, 256):
            palette = rng.integers(0, 256, (colors, 4), np.uint8)
            check(rng.integers(0, colors, (height, width), np.uint8), palette, effort)


@pytest.mark.parametrize("opaque", [False, True])
@pytest.mark.parametrize("colors", range(1, 257))
def test_every_number_of_colours(colors: int, opaque: bool) -> None:
    palette = np.random.default_rng(colors).integers(0, 256, (colors, 4), np.uint8)
    if opaque:
        palette[:, 3] = 255
    check((np.arange(23 * 31) % colors).astype(np.uint8).reshape(23, 31), palette, 4)


def test_transparent_pixels_keep_their_colour() -> None:
    palette = np.array([[10, 20, 30, 0], [40, 50, 60, 0], [7, 8, 9, 255]], np.uint8)
    check((np.arange(400) % 3).astype(np.uint8).reshape(20, 20), palette, 5)


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("k", [2, 16, 200])
def test_more_effort_is_not_larger(k: int, channels: int) -> None:
    image = photograph(120, 90, channels=channels)
    colors, counts = engine.histogram(image)
    palette = engine.kmeans(colors, counts, k).palette
    indices = engine.map_pixels(image, palette)
    sizes = [len(check(indices, palette, effort)) for effort in range(1, 10)]
    assert sizes[8] <= sizes[4] <= sizes[0]


def test_the_longest_side_is_one_that_webp_has() -> None:
    palette = np.array([[1, 2, 3, 255]], np.uint8)
    longest = engine.MAX_WEBP_SIDE
    check(np.zeros((1, longest), np.uint8), palette, 1)
    check(np.zeros((longest, 1), np.uint8), palette, 1)
    for shape in ((1, longest + 1), (longest + 1, 1), (0, 1), (1, 0)):
        with pytest.raises(ValueError, match="16383"):
            engine.encode_webp(np.zeros(shape, np.uint8), palette)
