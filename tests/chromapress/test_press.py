"""One image's whole way, for every kind of image."""

import io

import numpy as np
import pytest
from PIL import Image

from chromapress.config import parse
from chromapress.outcome import Outcome
from chromapress.press import Pressed, press
from tests.landing_set import encoded, landing_set, photograph

CONFIG = parse({"limits": {"max_pixels": 1_000_000}}, "test")
LANDED = landing_set()
PHOTO = encoded(photograph("coffee.png", 0, 0), "PNG")


@pytest.mark.parametrize("path", sorted(LANDED))
def test_every_file_ends_as_it_should(path: str) -> None:
    landed = LANDED[path]
    pressed = press(landed.content, CONFIG)
    assert pressed.outcome in landed.outcomes
    assert pressed.reason.startswith(landed.reason)
    assert pressed.source_size_bytes == len(landed.content)
    if pressed.outcome.is_new_file:
        check_new_file(pressed, landed.content, landed.size)


def check_new_file(pressed: Pressed, source: bytes, size: tuple[int, int] | None) -> None:
    assert pressed.content is not None
    assert pressed.decoded is not None
    assert pressed.quantized is not None
    assert len(pressed.content) < len(source)
    with Image.open(io.BytesIO(pressed.content)) as image:
        assert image.size == size
        shown = np.asarray(image.convert("RGBA"))[..., : pressed.decoded.pixels.shape[2]]
    error = np.square(pressed.decoded.pixels[..., :3].astype(float) - shown[..., :3])
    if pressed.outcome == Outcome.PUBLISHED_LOSSLESS:
        assert np.array_equal(shown, pressed.decoded.pixels)
    elif shown.shape[2] == 3:
        assert 10 * np.log10(255**2 / error.mean()) >= 32
    assert pressed.quantized.measured.psnr_db >= 32


@pytest.mark.parametrize(
    ("on_unreachable", "end"),
    [("keep", Outcome.KEPT_QUALITY), ("reject", Outcome.REJECTED), ("highest", Outcome.PUBLISHED)],
)
def test_an_unreachable_floor_ends_as_configured(on_unreachable: str, end: Outcome) -> None:
    quality = {"min_psnr_db": 60, "on_unreachable": on_unreachable}
    assert press(PHOTO, parse({"quality": quality}, "test")).outcome == end


def test_a_floor_of_ssim_that_the_histogram_cannot_see_is_kept_too() -> None:
    pressed = press(
        PHOTO, parse({"palette": {"candidates": [8]}, "quality": {"min_psnr_db": 1, "min_ssim": 0.99}}, "t")
    )
    assert pressed.outcome == Outcome.KEPT_QUALITY
    assert "under the floor" in pressed.reason


def test_the_same_image_gives_the_same_bytes() -> None:
    assert press(PHOTO, CONFIG).content == press(PHOTO, CONFIG).content


def test_a_jpeg_that_is_smaller_than_its_palette_file_is_kept() -> None:
    content = encoded(photograph("coffee.png", 0, 0), "JPEG", quality=30)
    pressed = press(content, CONFIG)
    assert pressed.outcome == Outcome.KEPT_LARGER
    assert pressed.content is not None
    assert str(len(pressed.content)) in pressed.reason
