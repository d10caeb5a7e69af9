"""Whatever arrays the encoders are given: the pixels come back, or it is refused with ValueError or TypeError."""

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from chromapress import engine

ENCODERS = (engine.encode_png, engine.encode_webp)

types = st.sampled_from([np.uint8] * 6 + [np.int8, np.uint16, np.int64, np.float32, np.bool_])
small_maps = arrays.arrays(np.uint8, st.tuples(*[st.integers(1, 9)] * 2), elements=st.integers(0, 5))
maps = types.flatmap(lambda t: arrays.arrays(t, arrays.array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=9)))
odd_maps = types.flatmap(
    lambda t: arrays.arrays(t, arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=3))
)
palettes = types.flatmap(
    lambda t: arrays.arrays(t, st.tuples(st.integers(0, 260), st.sampled_from([4, 4, 4, 4, 3, 5, 0])))
)


def views(array: np.ndarray) -> st.SearchStrategy[np.ndarray]:
    """The same array, its parts and its mirror images, read-only or not."""

    def locked(view: np.ndarray, lock: bool) -> np.ndarray:
        view = view.view()
        view.flags.writeable = not lock
        return view

    some = [array]
    if array.ndim == 2:
        some += [array.T, array[::-1], array[:, ::-1], array[::2, 1:], np.asfortranarray(array)]
    return st.builds(locked, st.sampled_from(some), st.booleans())


def is_right(indices: Any, palette: Any, effort: int) -> bool:
    return (
        indices.dtype == palette.dtype == np.uint8
        and indices.ndim == 2
        and indices.size > 0
        and palette.shape[1:] == (4,)
        and 1 <= len(palette) <= 256
        and int(indices.max()) < len(palette)
        and 1 <= effort <= 9
    )


@pytest.mark.parametrize("encode", ENCODERS)
@given(st.one_of(small_maps, maps, odd_maps).flatmap(views), palettes, st.integers(-1, 11))
def test_any_arrays_are_encoded_exactly_or_refused(encode: Any, indices: Any, palette: Any, effort: int) -> None:
    if not is_right(indices, palette, effort):
        with pytest.raises((ValueError, TypeError)):
            encode(indices, palette, effort=effort)
        return
    with Image.open(io.BytesIO(encode(indices, palette, effort=effort))) as image:
        assert np.array_equal(np.asarray(image.convert("RGBA")), palette[indices])


@pytest.mark.parametrize("encode", ENCODERS)
@given(st.integers(1, 9), st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_strides_do_not_matter(encode: Any, effort: int, height: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    palette = rng.integers(0, 256, (64, 8), np.uint8)[::2, ::2]
    indices = rng.integers(0, 32, (2 * height, 3 * width), np.uint8)[::-2, ::3]
    copies = np.ascontiguousarray(indices), np.ascontiguousarray(palette)
    assert encode(indices, palette, effort=effort) == encode(*copies, effort=effort)
