import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from chromapress import engine

from . import reference
from .strategies import U8, images, photograph


@settings(max_examples=60)
@given(images(max_side=7), st.data())
def test_is_the_mean_over_all_pixels(image: U8, data: st.DataObject) -> None:
    colors, counts = engine.histogram(image)
    assume(len(colors) >= 2)
    labels = np.array(data.draw(st.lists(st.integers(0, 5), min_size=len(colors), max_size=len(colors))), np.uint8)
    assume(len(np.unique(labels)) >= 2)
    expected = reference.silhouette(reference.premultiply(np.repeat(colors, counts, axis=0)), np.repeat(labels, counts))
    assert engine.silhouette(colors, counts, labels) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("k", [2, 5, 16])
def test_is_the_mean_over_a_photographs_pixels(k: int) -> None:
    colors, counts = engine.histogram(photograph(30, 40))
    labels = engine.kmeans(colors, counts, k).labels
    expected = reference.silhouette(reference.premultiply(np.repeat(colors, counts, axis=0)), np.repeat(labels, counts))
    assert engine.silhouette(colors, counts, labels) == pytest.approx(expected, abs=1e-9)


def test_a_flat_chart_in_its_own_colours_scores_one() -> None:
    image = np.zeros((8, 8, 3), np.uint8)
    image[:4, 4:], image[4:, :4], image[4:, 4:] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    colors, counts = engine.histogram(image)
    assert engine.silhouette(colors, counts, np.arange(4, dtype=np.uint8)) == 1.0


def test_a_pixel_alone_in_its_cluster_scores_zero() -> None:
    colors = np.array([[0, 0, 0, 255], [9, 9, 9, 255]], np.uint8)
    assert engine.silhouette(colors, np.array([1, 3]), np.array([0, 1], np.uint8)) == 0.75


def test_one_cluster_has_no_silhouette() -> None:
    colors = np.array([[0, 0, 0, 255], [9, 9, 9, 255]], np.uint8)
    with pytest.raises(ValueError, match="two clusters"):
        engine.silhouette(colors, np.array([1, 3]), np.zeros(2, np.uint8))
