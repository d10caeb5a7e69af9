"""The file, and whether it is worth its change."""

import io
from typing import Literal

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from PIL import Image

from chromapress.config import Compression
from chromapress.encoding import EncodingError, check, encode, outcome
from chromapress.outcome import Outcome
from tests.engine.strategies import palettes

codecs = st.sampled_from(["png", "webp"])


@given(palettes(), codecs, st.integers(1, 9), st.integers(1, 12), st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_the_file_shows_the_palettes_colours(
    palette: np.ndarray, codec: Literal["png", "webp"], effort: int, height: int, width: int, seed: int
) -> None:
    indices = np.random.default_rng(seed).integers(0, len(palette), (height, width), dtype=np.uint8)
    (encoded,) = encode(palette, indices, Compression(codec=codec, effort=effort))
    assert encoded.codec == codec
    with Image.open(io.BytesIO(encoded.content)) as image:
        assert (image.format, image.size) == (codec.upper(), (width, height))
        shown = np.asarray(image.convert("RGBA"))
    wanted = palette[indices]
    visible = wanted[..., 3] > 0
    assert np.array_equal(shown[..., 3], wanted[..., 3])
    assert np.array_equal(shown[visible], wanted[visible])


def test_what_is_too_long_for_webp_is_png() -> None:
    palette = np.array([[1, 2, 3, 255]], np.uint8)
    for wanted, width, codecs in (
        ("webp", 16_383, ["webp"]),
        ("webp", 16_384, ["png"]),
        ("auto", 16_383, ["png", "webp"]),
        ("auto", 16_384, ["png"]),
    ):
        files = encode(palette, np.zeros((1, width), np.uint8), Compression(codec=wanted))  # type: ignore[arg-type]
        assert [file.codec for file in files] == codecs


def test_a_file_that_shows_something_else_is_refused() -> None:
    palette, indices = np.array([[1, 2, 3, 255], [9, 9, 9, 255]], np.uint8), np.array([[0, 1]], np.uint8)
    (encoded,) = encode(palette, indices, Compression())
    with pytest.raises(EncodingError, match="the png file of 2x1 pixels"):
        check(encoded, palette, 1 - indices)


sizes = st.integers(1, 10_000)


@given(sizes, sizes, st.floats(0, 100), st.booleans())
def test_nothing_larger_is_published_unless_wanted(new: int, source: int, least: float, lossless: bool) -> None:
    end = outcome(lossless, new, source, Compression(min_saving_percent=least))
    saved = 100 * (1 - new / source)
    if end == Outcome.KEPT_LARGER:
        assert saved < least or new > source
    else:
        assert new <= source
        assert saved >= least
        assert end == (Outcome.PUBLISHED_LOSSLESS if lossless else Outcome.PUBLISHED)


@given(sizes, sizes)
def test_publish_publishes_whatever_it_saves(new: int, source: int) -> None:
    assume(new > source)
    assert outcome(False, new, source, Compression(on_larger="publish")) == Outcome.PUBLISHED


@pytest.mark.parametrize(("new", "kept"), [(95, False), (96, True), (100, True)])
def test_the_least_saving_is_inclusive(new: int, kept: bool) -> None:
    assert (outcome(False, new, 100, Compression(min_saving_percent=5)) == Outcome.KEPT_LARGER) == kept
