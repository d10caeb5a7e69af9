"""Whatever the bindings are given, they return what they promise or raise ValueError or TypeError."""

import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from chromapress import engine

from .strategies import U8, images, photograph

_DTYPES = st.sampled_from([np.uint8, np.uint8, np.uint8, np.int8, np.int64, np.float64, np.bool_, np.uint16])
_SIDES = st.sampled_from([0, 1, 2, 3, 4, 5, 7])


@st.composite
def arrays(draw: st.DrawFn) -> NDArray[Any]:
    """Of any type, shape and layout, writable or not."""
    shape = tuple(draw(st.lists(_SIDES, min_size=0, max_size=4)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    array = rng.integers(0, 256, tuple(2 * n for n in shape)).astype(draw(_DTYPES))
    if array.dtype == np.float64 and draw(st.booleans()):
        array = np.full_like(array, draw(st.sampled_from([np.nan, np.inf, -1.0, 1e300])))
    array = array[(..., *(slice(None, None, draw(st.sampled_from([2, -2]))) for _ in shape))]
    if draw(st.booleans()):
        array = array.T
    array.flags.writeable = draw(st.booleans())
    return array


def accepts(call: Any, *arguments: Any, **options: Any) -> Any:
    try:
        return call(*arguments, **options)
    except (ValueError, TypeError):
        return None


@settings(max_examples=400)
@given(arrays(), arrays(), arrays(), st.integers(-2, 260), st.floats(allow_nan=True), st.integers(-1, 3))
def test_nonsense_is_refused(a: Any, b: Any, c: Any, k: int, number: float, threads: int) -> None:
    accepts(engine.histogram, a, threads=threads)
    accepts(engine.merge, [(a, b)])
    accepts(engine.kmeans, a, b, k, start=c, tolerance=number, threads=threads)
    accepts(engine.kmeans, a, b, k, protected=c, max_iterations=k)
    accepts(engine.curve, a, b, [k, 3], protected=c, threads=threads)
    accepts(engine.silhouette, a, b, c)
    accepts(engine.palette_error, a, b, c)
    accepts(engine.map_colors, a, b)
    indices = accepts(engine.map_pixels, a, b, dither=number, threads=threads)
    if indices is not None:
        assert indices.shape == a.shape[:2]
        assert indices.max() < len(b)
    accepts(engine.expand, a, b, k)
    accepts(engine.psnr, a, b)
    accepts(engine.ssim, a, b)


@settings(max_examples=200)
@given(
    images(max_side=16),
    st.integers(1, 256),
    st.sampled_from([np.nan, np.inf, -np.inf, -1e-9, 255.1, 1e300]),
    st.integers(0, 3),
)
def test_one_bad_number_in_a_start_is_refused(image: U8, k: int, bad: float, channel: int) -> None:
    colors, counts = engine.histogram(image)
    start = np.full((k, 4), 255.0)
    start[k // 2, channel] = bad
    with pytest.raises(ValueError, match=r"start|k "):
        engine.kmeans(colors, counts, k, start=start)


@settings(max_examples=100)
@given(images(max_side=20), st.lists(st.integers(3, 256), min_size=1, max_size=4), st.sampled_from(["srgb", "oklab"]))
def test_a_curve_tells_what_its_clusterings_are_worth(image: U8, ks: list[int], color_space: str) -> None:
    colors, counts = engine.histogram(image)
    curve = engine.Curve(colors, counts, color_space=color_space)
    for threads in (1, 3):
        for k, scored in zip(ks, curve.scored(ks, threads=threads), strict=True):
            (alone,) = engine.curve(colors, counts, [k], color_space=color_space)
            one = scored.clustering
            assert np.array_equal(one.centres, alone.clustering.centres)
            assert np.array_equal(one.labels, alone.clustering.labels)
            assert (one.sizes > 0).all()
            assert np.array_equal(one.sizes, np.bincount(one.labels, counts, len(one.centres)))
            if len(one.centres) > 1:
                assert scored.silhouette == engine.silhouette(colors, counts, one.labels)
            else:
                assert np.isnan(scored.silhouette)
            if color_space == "srgb":
                assert scored.error == pytest.approx(engine.palette_error(colors, counts, one.palette), abs=1e-6)


@settings(max_examples=100)
@given(images(max_side=20), st.sampled_from(["srgb", "oklab"]))
def test_the_finest_of_a_curve_is_k_means(image: U8, color_space: str) -> None:
    colors, counts = engine.histogram(image)
    curve = engine.Curve(colors, counts, color_space=color_space)
    alone = engine.kmeans(colors, counts, engine.MAX_COLORS, color_space=color_space)
    (scored,) = curve.scored([engine.MAX_COLORS])
    for one in (curve.finest, scored.clustering):
        assert np.array_equal(one.centres, alone.centres)
        assert np.array_equal(one.labels, alone.labels)
        assert np.array_equal(one.sizes, alone.sizes)


@pytest.mark.parametrize("channels", [3, 4])
def test_the_clusterings_of_a_curve_are_nearly_as_good_as_k_means(channels: int) -> None:
    image = photograph(200, 300, channels=channels)
    colors, counts = engine.histogram(image)
    ks = [4, 7, 16, 40, 128]
    for k, scored in zip(ks, engine.curve(colors, counts, ks), strict=True):
        assert scored.clustering.inertia < 1.05 * engine.kmeans(colors, counts, k).inertia


@pytest.mark.parametrize("channels", [3, 4])
def test_more_threads_give_the_same_result(channels: int) -> None:
    image = photograph(500, 700, channels=channels)
    image[:200, :, :3] = 77  # many equal pixels
    if channels == 4:
        image[300:, :, 3], image[:100, :, 3] = 255, 0
    results = []
    for threads in (1, 2, 5, 0):
        colors, counts = engine.histogram(image, threads=threads)
        c = engine.kmeans(colors, counts, 64, threads=threads)
        indices = engine.map_pixels(image, c.palette, threads=threads)
        results.append([a.tobytes() for a in (colors, counts, c.centres, c.labels, indices)])
    assert all(r == results[0] for r in results)


@pytest.mark.parametrize("threads", [-1, 257])
def test_threads_are_0_to_256(threads: int) -> None:
    with pytest.raises(ValueError, match="threads"):
        engine.histogram(np.zeros((2, 2, 3), np.uint8), threads=threads)


def test_other_threads_run_during_a_call() -> None:
    image = photograph(1500, 2000)
    before = threading.Event()
    counted, done = [0], threading.Event()

    def count() -> None:
        before.set()
        while not done.is_set():
            counted[0] += 1

    other = threading.Thread(target=count)
    other.start()
    before.wait()
    start = counted[0]
    engine.ssim(image, image)  # longer than many of the interpreter's turns; it would end before another began
    during = counted[0] - start
    done.set()
    other.join()
    # Without the release, the other thread would stand still but for the moments around the call.
    assert during > 1000
