import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chromapress import engine

from . import reference
from .strategies import U8, images, photograph


def clustered(image: U8, k: int) -> U8:
    colors, counts = engine.histogram(image)
    return engine.kmeans(colors, counts, max(k, len(np.unique(reference.kind(colors))))).palette


@pytest.mark.parametrize("channels", [3, 4])
def test_without_strength_it_is_the_nearest_mapping(channels: int) -> None:
    image = photograph(40, 61, channels=channels)
    palette = clustered(image, 40)
    moved, indices = engine.map_rate_distortion(image, palette, rdo=0)
    assert np.array_equal(moved, palette)
    assert np.array_equal(indices, engine.map_pixels(image, palette))


@settings(max_examples=150)
@given(images(max_side=24), st.integers(1, 256), st.floats(0.001, 100))
def test_transparent_stays_transparent_and_opaque_stays_opaque(image: U8, k: int, rdo: float) -> None:
    palette, indices = engine.map_rate_distortion(image, clustered(image, k), rdo=rdo)
    assert indices.max() < len(palette)
    kinds = reference.kind(reference.rgba(image)).reshape(image.shape[:2])
    kept = kinds != 1  # translucent ones may become anything
    assert np.array_equal(reference.kind(palette)[indices][kept], kinds[kept])


@given(images(max_side=24), st.integers(1, 64), st.floats(0.001, 100))
def test_fixed_entries_keep_their_colours(image: U8, k: int, rdo: float) -> None:
    palette = clustered(image, k)
    moved, _ = engine.map_rate_distortion(image, palette, rdo=rdo, fixed=len(palette))
    assert sorted(moved.tolist()) == sorted(palette.tolist())
    fixed = len(palette) // 2
    moved, _ = engine.map_rate_distortion(image, palette, rdo=rdo, fixed=fixed)
    assert {tuple(c) for c in palette[:fixed].tolist()} <= {tuple(c) for c in moved.tolist()}


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("k", [16, 200])
def test_more_strength_makes_smaller_files_of_larger_error(k: int, channels: int) -> None:
    image = photograph(200, 300, channels=channels)
    palette = clustered(image, k)
    sizes, qualities = [], []
    for rdo in (0, 0.1, 0.5):
        moved, indices = engine.map_rate_distortion(image, palette, rdo=rdo)
        sizes.append(len(engine.encode_png(indices, moved)))
        qualities.append(engine.psnr(image, moved[indices][..., :channels]))
    assert sizes[2] < sizes[1] < 0.99 * sizes[0]
    assert qualities[0] > qualities[1] > qualities[2]
    assert qualities[1] > qualities[0] - 3


def test_it_sees_that_several_pixels_share_a_byte() -> None:
    image = photograph(200, 300)
    palette = clustered(image, 4)
    (_, plain), (moved, indices) = (engine.map_rate_distortion(image, palette, rdo=rdo) for rdo in (0, 0.3))
    assert len(engine.encode_png(indices, moved)) < 0.3 * len(engine.encode_png(plain, palette))
    assert engine.psnr(image, moved[indices][..., :3]) > engine.psnr(image, palette[plain][..., :3]) - 0.15


def test_an_exact_palette_stays_exact() -> None:
    image = photograph(60, 60)[::20, ::20].repeat(20, axis=0).repeat(20, axis=1)
    palette, _ = engine.histogram(image)
    moved, indices = engine.map_rate_distortion(image, palette, rdo=1)
    assert np.array_equal(moved[indices][..., :3], image)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9000), (9000, 1), (3, 4097), (2, 4096)])
def test_any_shape(shape: tuple[int, int]) -> None:
    image = np.random.default_rng(1).integers(0, 256, (*shape, 3), np.uint8)
    palette, indices = engine.map_rate_distortion(image, clustered(image, 30), rdo=0.5)
    assert indices.shape == shape
    assert indices.max() < len(palette)


@pytest.mark.parametrize("rdo", [-0.1, 101, float("nan"), float("inf")])
def test_an_impossible_strength_is_refused(rdo: float) -> None:
    image = photograph(8, 8)
    with pytest.raises(ValueError, match="rdo"):
        engine.map_rate_distortion(image, clustered(image, 4), rdo=rdo)


@pytest.mark.parametrize("fixed", [-1, 5])
def test_more_fixed_entries_than_there_are_are_refused(fixed: int) -> None:
    image = photograph(8, 8)
    with pytest.raises(ValueError, match="fixed"):
        engine.map_rate_distortion(image, clustered(image, 4), rdo=1, fixed=fixed)
