"""The demo's images."""

import io

import numpy as np
import pytest
from PIL import Image

from stack import samples


def test_they_are_the_same_at_every_call() -> None:
    assert list(samples.sprites()) == list(samples.sprites())
    assert list(samples.photos()) == list(samples.photos())


def test_all_decode_but_the_one_that_was_cut_off() -> None:
    for path, content in [*samples.photos(), *samples.sprites()]:
        with Image.open(io.BytesIO(content)) as image:
            if path == "tiles/cut-off.png":
                with pytest.raises(OSError, match="truncated"):
                    image.load()
            else:
                image.load()


def test_creatures_are_symmetric_on_a_transparent_ground_and_not_alike() -> None:
    creatures = [samples.creature(seed) for seed in range(samples.CREATURES)]
    shapes = {creature[..., 3].tobytes() for creature in creatures}
    assert len(shapes) == samples.CREATURES
    for creature in creatures:
        assert set(np.unique(creature[..., 3])) == {0, 255}
        np.testing.assert_array_equal(creature[..., 3], creature[:, ::-1, 3])
