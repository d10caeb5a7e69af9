import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chromapress import engine

from . import reference
from .strategies import U8, images, photograph


def same(a: tuple, b: tuple) -> bool:
    return np.array_equal(a[0], b[0]) and np.array_equal(a[1], b[1])


@given(images())
def test_counts_the_distinct_colours_in_order(image: U8) -> None:
    assert same(engine.histogram(image), reference.histogram(image))


def test_counts_a_photograph_like_numpy() -> None:
    image = photograph(200, 301)
    colors, counts = np.unique(image.reshape(-1, 3), axis=0, return_counts=True)
    found, found_counts = engine.histogram(image)
    assert np.array_equal(found[:, :3], colors)
    assert np.array_equal(found_counts, counts)


@pytest.mark.parametrize("pixels", [1, 254, 255, 256, 510, 511, 90_000])
@pytest.mark.parametrize("threads", [1, 2])
def test_counts_equal_pixels_beyond_a_byte(pixels: int, threads: int) -> None:
    image = np.full((1, pixels + 70_000, 3), 9, np.uint8)
    image[0, pixels:] = (200, 100, 0)
    colors, counts = engine.histogram(image, threads=threads)
    assert colors.tolist() == [[9, 9, 9, 255], [200, 100, 0, 255]]
    assert counts.tolist() == [pixels, 70_000]


@given(images(max_side=8))
def test_does_not_mind_strides_and_read_only_memory(image: U8) -> None:
    wide = np.repeat(np.repeat(image, 2, axis=0), 3, axis=1)[::2, ::-3]
    wide.flags.writeable = False
    assert same(engine.histogram(wide), engine.histogram(image))


@given(st.lists(images(max_side=6), min_size=1, max_size=5))
def test_merging_is_the_histogram_of_all_pixels(parts: list[U8]) -> None:
    everything = np.concatenate([reference.rgba(p) for p in parts])[None]
    assert same(engine.merge([engine.histogram(p) for p in parts]), reference.histogram(everything))


def test_merging_none_is_empty() -> None:
    colors, counts = engine.merge([])
    assert colors.shape == (0, 4)
    assert counts.shape == (0,)
