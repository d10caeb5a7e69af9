"""Images, histograms and palettes for the engine's property tests."""

from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

U8 = NDArray[np.uint8]

# Few levels make equal colours, ties and flat areas likely; all levels make distinct colours likely.
_level_sets = st.sampled_from([range(256), [0, 1, 127, 128, 254, 255], [0, 255]])
_seeds = st.integers(0, 2**32 - 1)


def _random(shape: tuple[int, ...], levels: Sequence[int], seed: int) -> U8:
    return np.random.default_rng(seed).choice(np.array(levels, np.uint8), shape)


def images(max_side: int = 12, channels: tuple[int, ...] = (3, 4)) -> st.SearchStrategy[U8]:
    shapes = st.tuples(st.integers(1, max_side), st.integers(1, max_side), st.sampled_from(channels))
    return st.builds(_random, shapes, _level_sets, _seeds)


def palettes(max_colors: int = 256) -> st.SearchStrategy[U8]:
    return st.builds(_random, st.tuples(st.integers(1, max_colors), st.just(4)), _level_sets, _seeds)


def photograph(height: int, width: int, seed: int = 7, channels: int = 3) -> U8:
    """Smooth gradients with noise: thousands of distinct colours."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    waves = [np.sin(x / (9 + 4 * c)) * 60 + np.cos(y / (13 + 3 * c)) * 60 + 128 for c in range(channels)]
    image = np.clip(np.stack(waves, axis=-1) + rng.normal(0, 6, (height, width, channels)), 0, 255)
    return image.astype(np.uint8)
