"""The pictures, read back where they can be."""

import io
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from chromapress import plots

CURVE = plots.Curve((2, 4, 8, 16, 32), (0.9, 0.7, 0.6, 0.5, 0.4), (20.0, 25.0, 30.0, 35.0, 40.0))
BEFORE = np.random.default_rng(1).integers(0, 256, (90, 320, 3), dtype=np.uint8)


def curve_svg(**options: object) -> str:
    keys = {"chosen_k": 12, "k_by_rule": {"silhouette": 2, "quality": 16, "fixed": None}, "floor_db": 32.0}
    return plots.svg(plots.curve_figure(CURVE, **{**keys, **options}), "a curve")  # type: ignore[arg-type]


def parsed(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)  # noqa: S314  (our own)


def comparison() -> "plots.Figure":
    return plots.comparison_figure(
        BEFORE,
        np.full((90, 320, 4), (10, 200, 30, 255), np.uint8),
        np.array([[255, 0, 0, 255], [0, 0, 255, 255]], np.uint8),
        np.array([1, 3]),
        captions=("before $x$", "after"),
    )


def test_a_curve_names_the_rules_the_choice_and_the_floor() -> None:
    text = "".join(parsed(curve_svg()).itertext())
    for told in ("chosen: k = 12", "silhouette: k = 2", "quality: k = 16", "floor 32 dB", "squared Euclidean"):
        assert told in text
    assert "fixed" not in text


def test_a_curve_without_points_says_so() -> None:
    figure = plots.curve_figure(plots.Curve((), (), ()))
    assert "no curve" in plots.svg(figure, "none")


def test_a_curve_of_one_point_is_drawn() -> None:
    assert "<svg" in plots.svg(plots.curve_figure(plots.Curve((3,), (0.5,), (30.0,)), chosen_k=3), "one")


def test_a_pages_svg_has_no_colour_of_its_own_and_no_outside() -> None:
    svg = curve_svg()
    for name in ("ink", "muted", "rule", "silhouette", "quality", "chosen"):
        assert f"var(--{name})" in svg
        assert plots.THEME[name] not in svg
    assert "<script" not in svg
    assert svg.startswith('<svg role="img" aria-label="a curve"')


def test_a_label_is_escaped() -> None:
    svg = plots.svg(plots.curve_figure(CURVE), 'a "curve" <&>')
    assert parsed(svg).get("aria-label") == 'a "curve" <&>'


def test_identifiers_of_two_figures_differ() -> None:
    def used(label: str) -> set[str]:
        root = parsed(plots.svg(plots.curve_figure(CURVE), label))
        return {str(value) for one in root.iter() for key, value in one.items() if key.endswith("href")}

    assert used("one")
    assert not used("one") & used("other")


def test_bands_show_both_measures() -> None:
    values = np.array([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]])
    svg = plots.svg(plots.bands_figure(plots.Bands(7, np.array([2, 256]), values, values * 60), 32), "bands")
    text = "".join(parsed(svg).itertext())
    assert "Silhouette (squared Euclidean)" in text
    assert "PSNR, dB" in text


@pytest.mark.parametrize("suffix", plots.FORMATS)
def test_a_figure_is_saved_whole_and_the_same_each_time(tmp_path: Path, suffix: str) -> None:
    for name in ("one", "two"):
        plots.save(comparison(), tmp_path / f"{name}{suffix}")
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"one{suffix}", f"two{suffix}"]
    first, second = (tmp_path / f"{name}{suffix}" for name in ("one", "two"))
    assert first.stat().st_size > 1000
    if suffix != ".svg":
        assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("suffix", [".png", ".webp"])
def test_a_comparison_shows_the_images_pixel_for_pixel_and_each_entrys_share(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"figure{suffix}"
    plots.save(comparison(), path)
    with Image.open(io.BytesIO(path.read_bytes())) as image:
        drawn = np.asarray(image.convert("RGB"))
    windows = np.lib.stride_tricks.sliding_window_view(drawn, (80, 300, 3))[:, :, 0]
    inner = BEFORE[5:85, 10:310]
    corners = (windows[:, :, 0, 0] == inner[0, 0]).all(axis=2) & (windows[:, :, -1, -1] == inner[-1, -1]).all(axis=2)
    assert any(np.array_equal(windows[y, x], inner) for y, x in np.argwhere(corners))
    red, blue = ((drawn == color).all(axis=2).sum() for color in ((255, 0, 0), (0, 0, 255)))
    assert blue / red == pytest.approx(3, rel=0.1)


def test_a_large_image_is_scaled_down() -> None:
    large = np.zeros((3000, 4000, 3), np.uint8)
    figure = plots.comparison_figure(
        large, large, np.array([[0, 0, 0, 255]], np.uint8), np.array([12_000_000]), captions=("a", "b")
    )
    assert figure.get_size_inches().max() < 15
