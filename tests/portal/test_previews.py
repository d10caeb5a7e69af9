"""The instant preview: what it tells of images, and of whom."""

import io
import math

import numpy as np
import pytest
from PIL import Image

from chromapress.config import DatasetConfig, with_parameters
from chromapress.press import press

PREVIEWS = "/chromapress/api/v1/previews"


def file_of(pixels: np.ndarray, format_: str = "PNG", **options) -> bytes:
    content = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(content, format_, **options)
    return content.getvalue()


def photograph(height: int = 96, width: int = 128) -> np.ndarray:
    """Smooth and noisy, of thousands of colours."""
    rng = np.random.default_rng(7)
    y, x = np.mgrid[0:height, 0:width]
    smooth = np.stack([200 * x / width, 180 * y / height, 90 + 60 * np.sin(x / 9) * np.cos(y / 7)], axis=-1)
    return (smooth + rng.normal(0, 6, smooth.shape)).clip(0, 255)


@pytest.fixture
def ann(client_of):
    from portal.access import Person

    return client_of(Person("ann", operator=False))


@pytest.fixture
def ben(client_of):
    from portal.access import Person

    return client_of(Person("ben", operator=True))


def previewed(client, content: bytes) -> dict:
    answer = client.post(PREVIEWS, content=content)
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_a_preview_is_what_a_run_makes_of_the_image(ann):
    content = file_of(photograph())
    told = previewed(ann, content)
    pressed = press(content, DatasetConfig())
    assert told["k"] == pressed.quantized.k
    assert told["reason"] == pressed.choice.reason
    assert told["k_by_rule"] == pressed.choice.k_by_rule
    assert [one["k"] for one in told["curve"]] == [one.k for one in pressed.choice.curve]
    assert told["at"]["size_bytes"] == len(pressed.content)
    assert told["at"]["psnr_db"] == pytest.approx(pressed.quantized.measured.psnr_db)
    assert (told["width"], told["height"], told["source_bytes"]) == (128, 96, len(content))
    assert ann.get(f"{PREVIEWS}/{told['id']}/image").content == pressed.content


@pytest.mark.parametrize("k", [2, 17, 256])
def test_a_point_is_what_a_run_with_so_many_colours_makes(ann, k):
    content = file_of(photograph())
    told = previewed(ann, content)
    at = ann.get(f"{PREVIEWS}/{told['id']}", params={"k": k}).json()
    pressed = press(content, with_parameters(DatasetConfig(), {"palette.rule": "fixed", "palette.k": k}, "test"))
    assert at["k"] == k
    assert ann.get(f"{PREVIEWS}/{told['id']}/image", params={"k": k}).content == pressed.content
    assert at["size_bytes"] == len(pressed.content)
    assert at["ssim"] == pytest.approx(pressed.quantized.measured.ssim)
    assert math.isclose(sum(entry["share"] for entry in at["palette"]), 1)
    assert [entry["share"] for entry in at["palette"]] == sorted((e["share"] for e in at["palette"]), reverse=True)


def test_a_graphic_of_few_colours_is_exact(ann):
    pixels = np.zeros((40, 60, 3))
    pixels[:, 20:40] = (200, 30, 30)
    pixels[:, 40:] = (30, 30, 200)
    told = previewed(ann, file_of(pixels, "BMP"))
    assert (told["k"], told["distinct_colours"], told["largest_k"]) == (3, 3, 3)
    assert told["at"]["exact"]
    assert told["at"]["psnr_db"] is None
    assert told["at"]["smaller"]
    assert told["at"]["advice"] is None
    fewer = ann.get(f"{PREVIEWS}/{told['id']}", params={"k": 2}).json()
    assert (fewer["k"], fewer["exact"], fewer["below_floor"]) == (2, False, True)


def test_one_colour_alone_is_previewed_too(ann):
    told = previewed(ann, file_of(np.full((8, 8, 3), 77)))
    assert (told["k"], told["curve"], told["least_k"], told["largest_k"]) == (1, [], 1, 1)
    assert ann.get(f"{PREVIEWS}/{told['id']}", params={"k": 200}).json()["k"] == 1


def test_transparent_translucent_and_opaque_pixels_need_three_colours(ann):
    pixels = np.full((30, 30, 4), 255)
    pixels[:10, :, 3] = 0
    pixels[10:20, :, :] = np.random.default_rng(1).integers(1, 255, (10, 30, 4))
    told = previewed(ann, file_of(pixels))
    assert told["least_k"] == 3
    assert ann.get(f"{PREVIEWS}/{told['id']}", params={"k": 2}).json()["k"] == 3


def test_of_a_jpeg_that_gets_larger_it_is_told_what_would_help(ann):
    content = file_of(photograph(), "JPEG", quality=60)
    told = previewed(ann, content)
    assert not told["at"]["smaller"]
    assert "larger than your JPEG" in told["at"]["advice"]
    assert "the run would keep your original" in told["at"]["advice"]
    ways = ann.get(f"{PREVIEWS}/{told['id']}/ways").json()["items"]
    assert [way["size_bytes"] for way in ways] == sorted(way["size_bytes"] for way in ways)
    auto = next(way for way in ways if way["parameters"] == {"compression.codec": "auto"})
    pressed = press(content, with_parameters(DatasetConfig(), auto["parameters"], "test"))
    assert len(pressed.content) <= auto["size_bytes"]
    floor = next(way for way in ways if "quality.min_psnr_db" in way["parameters"])
    pressed = press(content, with_parameters(DatasetConfig(), floor["parameters"], "test"))
    assert len(pressed.content) == floor["size_bytes"]


def test_parameters_change_the_choice_and_the_file(ann):
    content = file_of(photograph())
    told = previewed(ann, content)
    parameters = {"palette.rule": "fixed", "palette.k": 5, "compression.codec": "webp"}
    path = f"{PREVIEWS}/{told['id']}/parameters"
    again = ann.put(path, json={"parameters": parameters}).json()
    pressed = press(content, with_parameters(DatasetConfig(), parameters, "test"))
    image = ann.get(f"{PREVIEWS}/{told['id']}/image")
    assert (again["k"], again["at"]["size_bytes"]) == (5, len(pressed.content))
    assert (image.content, image.headers["content-type"]) == (pressed.content, "image/webp")
    refused = ann.put(path, json={"parameters": {"palette.k": 1000}})
    assert (refused.status_code, "palette.k" in refused.json()["detail"]) == (422, True)


def test_the_source_is_shown_as_it_is_decoded(ann):
    pixels = photograph().astype(np.uint8)
    told = previewed(ann, file_of(pixels, "TIFF"))
    shown = ann.get(f"{PREVIEWS}/{told['id']}/source")
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(shown.content))), pixels)


@pytest.mark.parametrize(
    ("content", "status", "sentence"),
    [
        (b"words", 415, "This is no image that can be read"),
        (b"", 415, "the file has no bytes"),
        (file_of(photograph())[:900], 415, "This is no image that can be read"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 415, "an SVG file"),
    ],
)
def test_what_is_no_image_is_told_so(ann, content, status, sentence):
    answer = ann.post(PREVIEWS, content=content)
    assert answer.status_code == status
    assert sentence in answer.json()["detail"]


def test_an_animation_is_kept_by_a_run_and_has_no_preview(ann):
    frames = [Image.new("RGB", (9, 9), color) for color in ("red", "blue")]
    content = io.BytesIO()
    frames[0].save(content, "GIF", save_all=True, append_images=frames[1:])
    answer = ann.post(PREVIEWS, content=content.getvalue())
    assert answer.status_code == 415
    assert "a run keeps it as it is" in answer.json()["detail"]


def test_too_many_bytes_and_too_many_pixels_are_refused(ann):
    from portal import previews

    answer = ann.post(PREVIEWS, content=b"\0" * (previews.LIMITS.max_bytes + 1))
    assert answer.status_code == 413
    huge = io.BytesIO()
    Image.new("1", (5000, 5000)).save(huge, "PNG")
    answer = ann.post(PREVIEWS, content=huge.getvalue())
    assert answer.status_code == 413
    assert "25000000" in answer.json()["detail"] or "5000x5000" in answer.json()["detail"]


def test_previews_are_their_owners_alone(ann, ben, client_of):
    told = previewed(ann, file_of(photograph()))
    for path in ("", "/image", "/source", "/ways"):
        assert ben.get(f"{PREVIEWS}/{told['id']}{path}").status_code == 404
        assert client_of(None).get(f"{PREVIEWS}/{told['id']}{path}").status_code == 401
    assert ben.put(f"{PREVIEWS}/{told['id']}/parameters", json={"parameters": {}}).status_code == 404


def test_what_is_kept_stays_within_its_bound_and_loses_what_was_not_asked_for(ann):
    from portal.previews import Kept

    kept = Kept(max_bytes=100)
    for name in ("a", "b"):
        kept.put(name.upper(), 40, name)
    assert kept.get("a") == "A"
    kept.put("C", 40, "c", "1")
    assert (kept.get("a"), kept.get("b"), kept.get("c", "1"), kept.size_bytes) == ("A", None, "C", 80)
    kept.put("D", 101, "d")
    assert (kept.get("d"), kept.size_bytes) == (None, 0)
    kept.put("E", 1, "e")
    kept.put("F", 2, "e")
    assert (kept.get("e"), kept.size_bytes) == ("F", 2)


def test_when_too_many_wait_others_are_told_to_come_back(app, ann):
    app.state.previews._waiting = 64
    answer = ann.post(PREVIEWS, content=file_of(photograph()))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
