import io
import struct
import zlib

import imagecodecs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from chromapress import engine

from .strategies import U8, palettes, photograph


def chunks(png: bytes) -> dict[str, bytes]:
    found, at = {}, 8
    while at < len(png):
        size, kind = struct.unpack(">I4s", png[at : at + 8])
        found[kind.decode()] = png[at + 8 : at + 8 + size]
        at += 12 + size
    return found


def pillow(png: bytes) -> U8:
    with Image.open(io.BytesIO(png)) as image:
        return np.asarray(image.convert("RGBA"))


def libpng(png: bytes) -> U8:
    return rgba(imagecodecs.png_decode(png))


def rgba(decoded: U8) -> U8:
    """Of grey [H, W], or of grey and alpha, RGB or RGBA [H, W, 2 to 4]."""
    if decoded.dtype == np.bool_:
        decoded = decoded.astype(np.uint8) * 255
    samples = decoded.reshape(*decoded.shape[:2], -1)
    if samples.shape[2] < 3:
        samples = np.concatenate([samples[..., :1]] * 3 + [samples[..., 1:]], axis=2)
    if samples.shape[2] == 3:
        samples = np.concatenate([samples, np.full((*samples.shape[:2], 1), 255, np.uint8)], axis=2)
    return samples


def check(indices: U8, palette: U8, effort: int) -> bytes:
    png = engine.encode_png(indices, palette, effort=effort)
    assert np.array_equal(pillow(png), palette[indices])
    assert np.array_equal(libpng(png), palette[indices])
    # libspng as built into imagecodecs ignores tRNS, and reads no greys with alpha.
    if png[25] != 4:
        assert np.array_equal(rgba(imagecodecs.spng_decode(png))[..., :3], palette[indices][..., :3])
    return png


@given(palettes(), st.integers(1, 20), st.integers(1, 20), st.integers(0, 2**32 - 1), st.integers(1, 9))
def test_other_decoders_give_back_the_pixels(palette: U8, height: int, width: int, seed: int, effort: int) -> None:
    indices = np.random.default_rng(seed).integers(0, len(palette), (height, width), np.uint8)
    check(indices, palette, effort)


@pytest.mark.parametrize("effort", [1, 5, 9])
@pytest.mark.parametrize("height", [1, 2, 3, 8])
def test_every_small_width_and_depth(height: int, effort: int) -> None:
    rng = np.random.default_rng(height)
    for width in range(1, 20):
        for colors in (1, 2, 3, 4, 5, 16, 17, 255, 256):
            palette = rng.integers(0, 256, (colors, 4), np.uint8)
            check(rng.integers(0, colors, (height, width), np.uint8), palette, effort)


@given(
    st.sampled_from([1, 2, 4, 8]),
    st.booleans(),
    st.integers(1, 256),
    st.integers(1, 20),
    st.integers(1, 20),
    st.integers(0, 2**32 - 1),
    st.integers(1, 9),
)
def test_greys_of_every_depth(
    depth: int, alpha: bool, colors: int, height: int, width: int, seed: int, effort: int
) -> None:
    rng = np.random.default_rng(seed)
    grey = rng.integers(0, 2**depth, colors) * (255 // (2**depth - 1))
    palette = np.stack([grey, grey, grey, rng.integers(0, 256, colors) if alpha else np.full(colors, 255)], axis=1)
    check(rng.integers(0, colors, (height, width), np.uint8), palette.astype(np.uint8), effort)


@pytest.mark.parametrize(
    ("palette", "color_type", "depth"),
    [
        ([[i * 85, i * 85, i * 85, 255] for i in range(4)], 0, 2),
        ([[i, i, i, 255] for i in range(256)], 0, 8),
        ([[40, 40, 40, i] for i in range(256)], 4, 8),
        ([[i, 0, 255 - i, 255] for i in range(256)], 2, 8),
        ([[i, 0, 255 - i, i] for i in range(256)], 6, 8),
    ],
)
def test_a_palette_is_left_out_where_the_samples_are_smaller(
    palette: list[list[int]], color_type: int, depth: int
) -> None:
    indices = (np.arange(16 * 16) % len(palette)).astype(np.uint8).reshape(16, 16)
    found = chunks(check(indices, np.array(palette, np.uint8), 5))
    assert found["IHDR"] == struct.pack(">IIBBBBB", 16, 16, depth, color_type, 0, 0, 0)
    assert "PLTE" not in found
    assert "tRNS" not in found


@pytest.mark.parametrize("colors", range(1, 257))
def test_every_number_of_colours(colors: int) -> None:
    palette = np.random.default_rng(colors).integers(0, 256, (colors, 4), np.uint8)
    palette[:, 3] = 255
    # Too many pixels for RGB to be tried, in no order in which it would be smaller.
    indices = np.random.default_rng(colors).permutation(np.arange(97 * 89) % colors).astype(np.uint8).reshape(97, 89)
    png = check(indices, palette, 4)
    used = len(np.unique(palette[indices].reshape(-1, 4), axis=0))
    depth = next(d for d in (1, 2, 4, 8) if used <= 2**d)
    found = chunks(png)
    # Up to 16 colours may take a byte each, where that compresses better.
    assert found["IHDR"] in [
        struct.pack(">IIBBBBB", 89, 97, d, 3, 0, 0, 0) for d in {depth, 8 if depth == 4 else depth}
    ]
    assert len(found["PLTE"]) == 3 * used
    assert "tRNS" not in found


def test_unused_and_equal_entries_are_left_out() -> None:
    palette = np.array([[1, 2, 3, 255], [9, 9, 9, 255], [1, 2, 3, 255], [7, 7, 7, 7]], np.uint8)
    found = chunks(check(np.array([[0, 2, 0]], np.uint8), palette, 1))
    assert found["PLTE"] == bytes([1, 2, 3])


def test_transparency_ends_at_the_last_entry_that_is_not_opaque() -> None:
    palette = np.array([[i, i, i, 255] for i in range(20)] + [[0, 0, 0, 0], [90, 9, 9, 100]], np.uint8)
    found = chunks(check(np.arange(22, dtype=np.uint8).reshape(2, 11), palette, 1))
    assert len(found["tRNS"]) == 2


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("k", [2, 16, 200])
def test_more_effort_is_not_larger(k: int, channels: int) -> None:
    image = photograph(120, 90, channels=channels)
    colors, counts = engine.histogram(image)
    palette = engine.kmeans(colors, counts, k).palette
    indices = engine.map_pixels(image, palette)
    sizes = [len(check(indices, palette, effort)) for effort in range(1, 10)]
    assert sizes[8] <= sizes[4] <= sizes[1] <= sizes[0]


@pytest.mark.parametrize(("repeats", "filter_type"), [(True, 0), (False, 1)])
def test_the_least_effort_filters_a_large_image_unless_much_of_it_repeats_itself(
    repeats: bool, filter_type: int
) -> None:
    rng = np.random.default_rng(1)
    side = 1024
    if repeats:
        indices = np.tile(rng.integers(0, 200, (16, 16), np.uint8), (side // 16, side // 16))
    else:
        indices = (np.cumsum(rng.integers(-2, 3, (side, side)), axis=1) % 200).astype(np.uint8)
    greys = np.arange(200, dtype=np.uint8)[:, None]
    palette = np.concatenate([greys, greys, greys, np.full((200, 1), 255, np.uint8)], axis=1)
    rows = np.frombuffer(zlib.decompress(chunks(check(indices, palette, 1))["IDAT"]), np.uint8).reshape(side, side + 1)
    assert set(rows[:, 0]) == {filter_type}
