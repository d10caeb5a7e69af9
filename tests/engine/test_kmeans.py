from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import KMeans

from chromapress import engine

from . import reference
from .strategies import U8, images, photograph


def lloyd(points: np.ndarray, weights: np.ndarray, start: np.ndarray) -> np.ndarray:
    model = KMeans(len(start), init=start, n_init=1, max_iter=10_000, tol=0, algorithm="lloyd")
    return model.fit(points, sample_weight=weights).cluster_centers_


@pytest.mark.parametrize("k", [2, 7, 24, 64])
def test_agrees_with_scikit_learn_from_the_same_start(k: int) -> None:
    colors, counts = engine.histogram(photograph(96, 128))
    start = engine.kmeans(colors, counts, k, max_iterations=0).centres
    ours = engine.kmeans(colors, counts, k, start=start, max_iterations=10_000, tolerance=0)
    assert np.abs(ours.centres - lloyd(reference.premultiply(colors), counts, start)).max() < 1e-3


@pytest.mark.parametrize("seed", range(4))
def test_agrees_with_scikit_learn_from_a_bad_start(seed: int) -> None:
    colors, counts = engine.histogram(photograph(60, 70, seed=seed))
    rng = np.random.default_rng(seed)
    # Between the levels: integers have exact ties, which rounding decides differently in scikit-learn.
    start = reference.premultiply(colors[rng.choice(len(colors), 12, replace=False)])
    start[:, :3] = np.clip(start[:, :3] + rng.uniform(-1, 1, (12, 3)), 0, 255)
    ours = engine.kmeans(colors, counts, 12, start=start, max_iterations=10_000, tolerance=0)
    assert np.abs(ours.centres - lloyd(reference.premultiply(colors), counts, start)).max() < 1e-3


@pytest.mark.parametrize("seed", range(4))
def test_is_lloyd_by_the_definition_to_the_last_bit(seed: int) -> None:
    colors, counts = engine.histogram(photograph(60, 70, seed=seed))
    points = reference.premultiply(colors)
    start = points[np.random.default_rng(seed).choice(len(colors), 12, replace=False)]
    centres = start
    for iterations in range(1, 20):
        labels = reference.distances(points, centres).argmin(axis=1)
        sums = [(points * counts[:, None])[labels == j].sum(axis=0) / counts[labels == j].sum() for j in range(12)]
        centres = np.array(sums)
        ours = engine.kmeans(colors, counts, 12, start=start, max_iterations=iterations, tolerance=0)
        assert np.array_equal(ours.centres, centres)


@given(images(), st.integers(1, 40), st.sampled_from(["srgb", "oklab"]))
def test_every_clustering_keeps_its_promises(image: U8, k: int, color_space: str) -> None:
    colors, counts = engine.histogram(image)
    kinds = reference.kind(colors)
    if k < len(np.unique(kinds)):
        with pytest.raises(ValueError, match="k is too small"):
            engine.kmeans(colors, counts, k, color_space=color_space)
        return
    c = engine.kmeans(colors, counts, k, color_space=color_space)
    assert c.centres.shape == (min(k, len(colors)), 4)
    assert c.sizes.min() >= 1
    assert np.array_equal(c.sizes, np.bincount(c.labels, counts, minlength=len(c.centres)).astype(np.int64))
    # What is transparent or opaque stays so.
    assert reference.may_become(colors, c.palette)[np.arange(len(colors)), c.labels].all()
    if len(colors) <= k:
        assert np.array_equal(c.palette[c.labels], colors)
    if color_space == "srgb":
        distance = reference.distances(reference.premultiply(colors), c.centres)
        assert c.inertia == pytest.approx((distance[np.arange(len(colors)), c.labels] * counts).sum(), abs=1e-6)
        distance[~reference.may_become(colors, c.palette)] = np.inf
        assert np.array_equal(distance[np.arange(len(colors)), c.labels], distance.min(axis=1))


@given(images(channels=(3,)), st.integers(1, 8))
def test_more_iterations_are_not_worse(image: U8, k: int) -> None:
    colors, counts = engine.histogram(image)
    inertias = [engine.kmeans(colors, counts, k, max_iterations=i, tolerance=0).inertia for i in (0, 1, 3, 20)]
    assert all(later <= earlier + 1e-6 for earlier, later in pairwise(inertias))


def test_empty_clusters_of_a_start_are_put_to_use() -> None:
    colors, counts = engine.histogram(photograph(40, 40))
    start = np.tile(reference.premultiply(colors[:1]), (20, 1))
    c = engine.kmeans(colors, counts, 20, start=start)
    assert c.sizes.min() >= 1
    wu = engine.kmeans(colors, counts, 20)
    assert c.inertia < 1.5 * wu.inertia


def test_protected_colours_stay_and_the_others_gather_the_rest() -> None:
    image = photograph(50, 60)
    image[:5, :5] = (204, 0, 0)
    image[5:8, :5] = (200, 4, 2)
    colors, counts = engine.histogram(image)
    protected = np.array([[204, 0, 0, 255], [0, 255, 255, 255]], np.uint8)
    c = engine.kmeans(colors, counts, 8, protected=protected)
    assert np.array_equal(c.palette[:2], protected)
    assert c.sizes[0] >= 40
    assert len(c.palette) == 8
    assert np.array_equal(c.palette[engine.map_pixels(image, c.palette)][0, 0], protected[0])


def test_a_protected_colour_that_does_not_occur_may_be_empty() -> None:
    colors, counts = engine.histogram(np.full((3, 3, 3), 10, np.uint8))
    c = engine.kmeans(colors, counts, 5, protected=np.array([[255, 0, 0, 255]], np.uint8))
    assert c.palette.tolist() == [[255, 0, 0, 255], [10, 10, 10, 255]]
    assert c.sizes.tolist() == [0, 9]


def test_oklab_measures_elsewhere() -> None:
    colors, counts = engine.histogram(photograph(64, 64))
    in_srgb, in_oklab = (engine.kmeans(colors, counts, 16, color_space=s) for s in ("srgb", "oklab"))
    error = [engine.palette_error(colors, counts, c.palette) for c in (in_srgb, in_oklab)]
    assert error[0] < error[1] < 2 * error[0]


@settings(max_examples=30)
@given(images(max_side=6), st.integers(3, 8))
def test_is_deterministic(image: U8, k: int) -> None:
    colors, counts = engine.histogram(image)
    a, b = engine.kmeans(colors, counts, k), engine.kmeans(colors, counts, k)
    assert a.centres.tobytes() == b.centres.tobytes()
    assert a.labels.tobytes() == b.labels.tobytes()
