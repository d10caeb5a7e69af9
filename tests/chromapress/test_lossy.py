"""Lossy files of photographs, and codec `auto`, where they compete with palette files."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from chromapress import engine, naming
from chromapress.config import DatasetConfig, Quality, parse
from chromapress.lossy import lossy_files
from chromapress.outcome import Outcome
from chromapress.press import press
from tests.landing_set import encoded, flat, icon, photograph

PHOTO = photograph("chelsea.png", 0, 0)
JPEG = encoded(PHOTO, "JPEG", quality=90)


def auto(**sections: Any) -> DatasetConfig:
    return parse({"compression": {"codec": "auto"}, **sections}, "test")


def shown(content: bytes, mode: str = "RGB") -> np.ndarray:
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image.convert(mode))


@pytest.mark.parametrize(
    "floor", [Quality(min_psnr_db=35), Quality(min_psnr_db=None, min_ssim=0.95), Quality(min_psnr_db=30, max_delta_e=4)]
)
def test_each_codec_gives_the_lowest_quality_that_keeps_the_floor(floor: Quality) -> None:
    pixels = np.asarray(PHOTO)
    found = list(lossy_files(pixels, floor, effort=5))
    assert [one.file.codec for one in found] == ["lossy_webp", "lossy_avif"]
    for one in found:
        decoded = shown(one.file.content)
        assert engine.psnr(pixels, decoded) == one.measured.psnr_db >= (floor.min_psnr_db or 0)
        assert engine.ssim(pixels, decoded) == one.measured.ssim >= (floor.min_ssim or 0)
        assert floor.max_delta_e is None or (one.measured.delta_e or 99) <= floor.max_delta_e
    webp = found[0]
    buffer = io.BytesIO()
    PHOTO.save(buffer, "WEBP", quality=webp.setting - 1, method=4)
    lower = shown(buffer.getvalue())
    if floor == Quality(min_psnr_db=35):
        assert engine.psnr(pixels, lower) < 35


def test_without_a_floor_nothing_says_how_low_to_go() -> None:
    assert list(lossy_files(np.asarray(PHOTO), Quality(min_psnr_db=None), effort=5)) == []


def test_a_floor_beyond_a_codec_leaves_it_out() -> None:
    assert list(lossy_files(np.asarray(PHOTO), Quality(min_psnr_db=70), effort=1)) == []


def test_transparent_stays_transparent_and_opaque_opaque() -> None:
    pixels = np.asarray(icon(2, 96))
    found = list(lossy_files(pixels, Quality(min_psnr_db=30), effort=5))
    assert "lossy_webp" in [one.file.codec for one in found]
    for one in found:
        alpha = shown(one.file.content, "RGBA")[..., 3]
        for kept in (0, 255):
            assert (alpha[pixels[..., 3] == kept] == kept).all()


def test_auto_takes_the_smallest_and_tells_the_sizes_of_all() -> None:
    pressed = press(JPEG, auto())
    sizes = pressed.finished.size_by_codec
    assert set(sizes) == {"png", "webp", "lossy_webp", "lossy_avif"}
    assert pressed.outcome == Outcome.PUBLISHED
    assert pressed.content is not None
    assert pressed.codec is not None
    assert len(pressed.content) == sizes[pressed.codec] == min(sizes.values()) < len(JPEG)
    assert pressed.codec.startswith("lossy_")
    assert pressed.finished.k is None
    assert pressed.reason.startswith(f"{pressed.codec} keeps the floor at quality ")
    assert engine.psnr(shown(JPEG), shown(pressed.content)) >= 32


def test_an_exact_image_stays_exact() -> None:
    pressed = press(encoded(flat(12, 3), "PNG", compress_level=0), auto())
    assert pressed.outcome == Outcome.PUBLISHED_LOSSLESS
    assert set(pressed.finished.size_by_codec) == {"png", "webp"}
    assert np.array_equal(shown(pressed.content or b""), np.asarray(flat(12, 3)))


def test_a_floor_that_no_palette_reaches_a_lossy_file_may() -> None:
    source = encoded(PHOTO, "PNG")
    section = {"palette": {"candidates": [2, 4]}, "quality": {"min_psnr_db": 38}}
    assert press(source, parse(section, "test")).outcome == Outcome.KEPT_QUALITY
    pressed = press(source, auto(**section))
    assert pressed.outcome == Outcome.PUBLISHED
    assert set(pressed.finished.size_by_codec) == {"lossy_webp", "lossy_avif"}
    assert pressed.finished.measured is not None
    assert pressed.finished.measured.psnr_db >= 38
    unreachable = auto(palette={"candidates": [2, 4]}, quality={"min_psnr_db": 90})
    assert press(source, unreachable).outcome == Outcome.KEPT_QUALITY


def test_lossy_files_are_named_by_their_format() -> None:
    assert naming.published_paths([("a.jpg", "lossy_avif"), ("b.jpg", "lossy_webp"), ("b.webp", None)]) == {
        "a.jpg": "a.avif",
        "b.jpg": "b.jpg.webp",
        "b.webp": "b.webp",
    }
