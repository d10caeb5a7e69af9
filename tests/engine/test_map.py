import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from chromapress import engine

from . import reference
from .strategies import U8, images, palettes, photograph


def serves(palette: U8, colors: U8) -> bool:
    return bool(reference.may_become(colors, palette).any(axis=1).all())


@given(images(), palettes())
def test_takes_the_nearest_entry_that_keeps_what_is_transparent_or_opaque(image: U8, palette: U8) -> None:
    colors = reference.rgba(image)
    assume(serves(palette, colors))
    expected = reference.map_colors(colors, palette)
    assert np.array_equal(engine.map_colors(colors, palette), expected)
    assert np.array_equal(engine.map_pixels(image, palette), expected.reshape(image.shape[:2]))


@pytest.mark.parametrize(("k", "channels"), [(2, 3), (16, 3), (100, 3), (256, 3), (40, 4), (256, 4)])
def test_maps_a_photograph_like_the_definition(k: int, channels: int) -> None:
    image = photograph(61, 83, channels=channels)
    rng = np.random.default_rng(k)
    palette = rng.integers(0, 256, (k, 4), np.uint8)
    palette[: max(1, k // 2), 3] = 255
    palette[-1, 3] = 90
    if channels == 4:
        image[:9, :9, 3], image[9:20, :, 3], palette[-2, 3] = 0, 255, 0
    else:
        palette[:, 3] = 255
    expected = reference.map_colors(reference.rgba(image), palette).reshape(image.shape[:2])
    assert np.array_equal(engine.map_pixels(image, palette), expected)


@given(images(), palettes())
def test_palette_error_is_that_of_the_mapped_pixels(image: U8, palette: U8) -> None:
    colors, counts = engine.histogram(image)
    assume(serves(palette, colors))
    got = palette[engine.map_colors(colors, palette)]
    error = ((reference.premultiply(colors) - reference.premultiply(reference.rgba(got))) ** 2).sum(axis=1)
    assert engine.palette_error(colors, counts, palette) == pytest.approx(float((error * counts).sum()), abs=1e-6)


@given(images(), palettes(), st.floats(0.01, 1))
def test_dithers_like_the_definition(image: U8, palette: U8, dither: float) -> None:
    assume(serves(palette, reference.rgba(image)))
    assert np.array_equal(engine.map_pixels(image, palette, dither=dither), reference.dither(image, palette, dither))


@pytest.mark.parametrize("channels", [3, 4])
def test_dithers_a_gradient_like_the_definition(channels: int) -> None:
    image = np.add.outer(np.arange(24) * 2, np.arange(32) * 3)[..., None].repeat(channels, axis=2).astype(np.uint8)
    image[..., 1] //= 2
    if channels == 4:
        image[:4, :, 3], image[-8:, :, 3] = 0, 255
    colors, counts = engine.histogram(image)
    palette = engine.kmeans(colors, counts, 8).palette
    got = engine.map_pixels(image, palette, dither=1)
    assert not np.array_equal(got, engine.map_pixels(image, palette))
    assert np.array_equal(got, reference.dither(image, palette, 1))


def test_dithering_does_not_see_what_transparent_pixels_hide() -> None:
    image = np.full((32, 32, 4), (128, 128, 128, 20), np.uint8)
    image[::4, ::4, 3] = 0
    other = image.copy()
    other[::4, ::4, :3] = 255
    palette = np.array([[0, 0, 0, 0], [0, 0, 0, 20], [255, 255, 255, 20]], np.uint8)
    maps = [engine.map_pixels(a, palette, dither=1) for a in (image, other)]
    assert np.array_equal(maps[0], maps[1])
    assert set(maps[0].ravel().tolist()) == {0, 1, 2}


def test_dithering_puts_no_lone_dots_where_a_colour_is_nearly_an_entry() -> None:
    palette = np.array([[v, v, v, 255] for v in (60, 100)], np.uint8)
    for level, entries in ((65, {60}), (70, {60, 100}), (90, {60, 100}), (95, {100})):
        got = palette[engine.map_pixels(np.full((32, 32, 3), level, np.uint8), palette, dither=1)]
        assert set(got[..., 0].ravel().tolist()) == entries


@given(images(), palettes(), st.floats(0.01, 1))
def test_dithering_keeps_kinds_and_exact_colours(image: U8, palette: U8, dither: float) -> None:
    colors = reference.rgba(image)
    assume(serves(palette, colors))
    got = palette[engine.map_pixels(image, palette, dither=dither)].reshape(-1, 4)
    kinds = reference.kind(colors)
    assert np.array_equal(reference.kind(got)[kinds != 1], kinds[kinds != 1])
    # An image that the palette holds in full has no error to hand on.
    distinct, _ = engine.histogram(image)
    exact = distinct[engine.map_pixels(image, distinct, dither=dither)].reshape(-1, 4)
    assert np.array_equal(exact, colors)


def test_dithering_keeps_the_mean_of_a_grey_between_black_and_white() -> None:
    image = np.full((64, 64, 3), 100, np.uint8)
    palette = np.array([[0, 0, 0, 255], [255, 255, 255, 255]], np.uint8)
    means = [palette[engine.map_pixels(image, palette, dither=d)][..., 0].mean() for d in (0.0, 0.5, 1.0)]
    assert means[0] == 0
    assert means[2] == pytest.approx(100, abs=2)


def test_dithering_shows_a_ramp_as_it_is_from_afar() -> None:
    ramp = np.repeat(np.linspace(40, 215, 256).round().astype(np.uint8)[None, :, None], 128, axis=0).repeat(3, axis=2)
    palette = np.array([[v, v, v, 255] for v in (30, 80, 130, 180, 230)], np.uint8)

    def error_from_afar(dither: float) -> float:
        got = palette[engine.map_pixels(ramp, palette, dither=dither)][..., 0].astype(float)
        blocks = [a.reshape(16, 8, 32, 8).mean(axis=(1, 3)) for a in (got, ramp[..., 0].astype(float))]
        return float(np.abs(blocks[0] - blocks[1]).mean())

    assert error_from_afar(0) > 10
    assert error_from_afar(1) < 3


def test_dithering_does_not_gather_errors_that_no_entry_can_repay() -> None:
    image = np.full((32, 64, 3), 128, np.uint8)
    image[:, :32] = (255, 0, 0)  # far from all greys
    palette = np.array([[v, v, v, 255] for v in (60, 100, 128, 160, 200)], np.uint8)
    right = engine.map_pixels(image, palette, dither=1)[:, 40:]
    assert (right == 2).all()


def oklab(colors: U8) -> np.ndarray:
    """Ottosson's definition, times 255, of opaque colours."""
    c = colors[:, :3] / 255
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    to_lms = [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
    to_lab = [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
    return np.cbrt(linear @ np.array(to_lms).T) @ np.array(to_lab).T * 255


def test_oklab_takes_the_nearest_in_oklab() -> None:
    rng = np.random.default_rng(5)
    colors, palette = (rng.integers(0, 256, (n, 4), np.uint8) for n in (3000, 60))
    colors[:, 3] = palette[:, 3] = 255
    distance = ((oklab(colors)[:, None] - oklab(palette)[None]) ** 2).sum(axis=2)
    got = engine.map_colors(colors, palette, color_space="oklab")
    assert np.allclose(distance[np.arange(len(colors)), got], distance.min(axis=1), rtol=1e-9)
    assert (got != engine.map_colors(colors, palette)).any()


def test_a_kind_that_the_palette_lacks_is_an_error() -> None:
    with pytest.raises(ValueError, match="no entry for a kind"):
        engine.map_pixels(np.full((2, 2, 3), 100, np.uint8), np.array([[0, 0, 0, 254]], np.uint8))


@given(palettes(), st.integers(1, 20), st.integers(1, 20), st.integers(0, 2**32 - 1), st.sampled_from([3, 4]))
def test_expands_an_index_map_to_pixels_and_counts(
    palette: U8, height: int, width: int, seed: int, channels: int
) -> None:
    indices = np.random.default_rng(seed).integers(0, len(palette), (height, width), np.uint8)
    pixels, sizes = engine.expand(indices, palette, channels)
    assert np.array_equal(pixels, palette[:, :channels][indices])
    assert np.array_equal(sizes, np.bincount(indices.ravel(), minlength=len(palette)))


def test_expands_no_index_beyond_the_palette() -> None:
    indices = np.array([[0, 1], [2, 0]], np.uint8)
    palette = np.full((2, 4), 255, np.uint8)
    with pytest.raises(ValueError, match="no palette entry"):
        engine.expand(indices, palette, 3)
    with pytest.raises(ValueError, match="channels"):
        engine.expand(indices, palette, 2)
