"""What is wrong is refused with ValueError or TypeError, and what is unusual works."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from chromapress import engine

from .strategies import photograph

COLORS = np.array([[0, 0, 0, 0], [10, 20, 30, 255], [200, 100, 50, 255]], np.uint8)
COUNTS = np.array([3, 4, 5], np.int64)
IMAGE = np.zeros((4, 5, 3), np.uint8)
PALETTE = np.array([[0, 0, 0, 255], [255, 255, 255, 255]], np.uint8)
ENCODERS = (engine.encode_png, engine.encode_webp)
START = np.array([[0, 0, 0, 0], [10, 20, 30, 255.0]])


@pytest.mark.parametrize("k", [0, -1, 257, 2**31, 2**62])
def test_k_is_from_1_to_256(k: int) -> None:
    with pytest.raises(ValueError, match="k must be"):
        engine.kmeans(COLORS, COUNTS, k)


@pytest.mark.parametrize(
    "call", [engine.histogram, lambda p: engine.map_pixels(p, PALETTE), lambda p: engine.psnr(p, p)]
)
@pytest.mark.parametrize(
    ("pixels", "error"),
    [
        (np.zeros((4, 5, 3)), TypeError),
        (np.zeros((4, 5, 3), np.int8), TypeError),
        (np.zeros((4, 5, 3), object), TypeError),
        ("pixels", TypeError),
        (None, TypeError),
        (np.zeros((4, 5), np.uint8), ValueError),
        (np.zeros((4, 5, 2), np.uint8), ValueError),
        (np.zeros((4, 5, 5), np.uint8), ValueError),
        (np.zeros((0, 5, 3), np.uint8), ValueError),
        (np.zeros((5, 0, 4), np.uint8), ValueError),
        (np.zeros((1, 4, 5, 3), np.uint8), ValueError),
    ],
)
def test_pixels_have_one_shape_and_type(call: Any, pixels: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        call(pixels)


@pytest.mark.parametrize(
    ("colors", "counts"),
    [
        (COLORS[::-1], COUNTS),
        (COLORS[[0, 1, 1]], COUNTS),
        (COLORS, COUNTS[:2]),
        (COLORS, np.array([1, 0, 1])),
        (COLORS, np.array([1, -1, 1])),
        (COLORS, np.array([2**62, 2**62, 2**62])),
        (COLORS[:, :3], COUNTS),
        (np.array([[1, 0, 0, 0]], np.uint8), np.array([1])),
        (COLORS[:0], COUNTS[:0]),
    ],
)
def test_a_histogram_is_what_it_should_be(colors: Any, counts: Any) -> None:
    with pytest.raises(ValueError, match=r".+"):
        engine.kmeans(colors, counts, 2)


@pytest.mark.parametrize("counts", [COUNTS.astype(np.int32), COUNTS.astype(float), COUNTS.astype(np.uint64)])
def test_counts_are_int64(counts: Any) -> None:
    with pytest.raises(TypeError):
        engine.kmeans(COLORS, counts, 2)


@pytest.mark.parametrize(
    "options",
    [
        {"start": START[:1]},
        {"start": START * np.nan},
        {"start": START + np.inf},
        {"start": START - 1},
        {"start": START[:, :3]},
        {"start": np.array([[10, 20, 30, 255.0], [10, 20, 31, 255.0]])},
        {"start": np.array([[0, 0, 0, 0], [10, 20, 30, 5.0]])},
        {"protected": PALETTE[[0, 1, 0]]},
        {"protected": PALETTE},
        {"color_space": "hsv"},
        {"max_iterations": -1},
        {"tolerance": -0.5},
        {"tolerance": float("nan")},
    ],
)
def test_impossible_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        engine.kmeans(COLORS, COUNTS, 2, **options)


def test_k_below_the_kinds_that_occur_is_refused() -> None:
    with pytest.raises(ValueError, match="k is too small"):
        engine.kmeans(COLORS, COUNTS, 1)


@pytest.mark.parametrize("dither", [-0.1, 1.1, float("nan"), float("inf")])
def test_dither_is_from_0_to_1(dither: float) -> None:
    with pytest.raises(ValueError, match="dither"):
        engine.map_pixels(IMAGE, PALETTE, dither=dither)


@pytest.mark.parametrize("palette", [PALETTE[:0], np.zeros((257, 4), np.uint8), PALETTE[:, :3]])
def test_a_palette_has_1_to_256_entries(palette: Any) -> None:
    with pytest.raises(ValueError, match=r"palette"):
        engine.map_pixels(IMAGE, palette)
    for encode in ENCODERS:
        with pytest.raises(ValueError, match=r"palette"):
            encode(IMAGE[..., 0], palette)
    with pytest.raises(ValueError, match=r"palette"):
        engine.palette_error(COLORS[1:], COUNTS[1:], palette)


@pytest.mark.parametrize("encode", ENCODERS)
@pytest.mark.parametrize("effort", [0, 10, -3])
def test_effort_is_from_1_to_9(encode: Any, effort: int) -> None:
    with pytest.raises(ValueError, match="effort"):
        encode(IMAGE[..., 0], PALETTE, effort=effort)


@pytest.mark.parametrize("encode", ENCODERS)
def test_an_index_beyond_the_palette_is_refused(encode: Any) -> None:
    with pytest.raises(ValueError, match="beyond the palette"):
        encode(np.full((2, 2), 2, np.uint8), PALETTE)


def test_labels_are_as_many_as_colours() -> None:
    with pytest.raises(ValueError, match="labels"):
        engine.silhouette(COLORS, COUNTS, np.zeros(2, np.uint8))


def test_images_to_compare_have_one_shape() -> None:
    with pytest.raises(ValueError, match="shape"):
        engine.ssim(IMAGE, IMAGE[:3])
    with pytest.raises(ValueError, match="shape"):
        engine.psnr(IMAGE, np.zeros((4, 5, 4), np.uint8))


def test_arrays_of_any_layout_are_read() -> None:
    image = photograph(33, 45)
    for view in (image.transpose(1, 0, 2), image[::-1, ::2], np.asfortranarray(image)):
        view.flags.writeable = False
        copy = np.ascontiguousarray(view)
        assert np.array_equal(engine.map_pixels(view, PALETTE), engine.map_pixels(copy, PALETTE))
        assert engine.ssim(view, copy) == pytest.approx(1)


def test_threads_do_not_disturb_each_other() -> None:
    images = [photograph(80, 90, seed=s) for s in range(8)]

    def press(image: np.ndarray) -> bytes:
        colors, counts = engine.histogram(image)
        palette = engine.kmeans(colors, counts, 32).palette
        return engine.encode_png(engine.map_pixels(image, palette), palette)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(press, images)) == [press(i) for i in images]
