"""The demo's images: photographs that come with scikit-image, and game art drawn here. The same bytes at every call."""

import colorsys
import importlib.util
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

AS_THEY_ARE = ("astronaut.png", "chelsea.png", "coffee.png", "color.png", "ihc.png", "logo.png", "motorcycle_left.png")
# Photographs that come as JPEG, halved so that the blocks of the JPEG are gone.
HALVED = ("hubble_deep_field.jpg", "retina.jpg", "rocket.jpg")
CELLS, CELL_PX = 16, 12
CREATURES, TILES = 20, 8


def bundled(name: str) -> Path:
    """A file that scikit-image's wheel holds, so that nothing is downloaded."""
    spec = importlib.util.find_spec("skimage")
    assert spec is not None and spec.origin is not None, "scikit-image is in the lock"  # noqa: S101
    return Path(spec.origin).parent / "data" / name


def photos() -> Iterator[tuple[str, bytes]]:
    """(relative path, content) of photographs; one is a JPEG, which a palette file is rarely smaller than."""
    for name in AS_THEY_ARE:
        yield f"pictures/{name}", bundled(name).read_bytes()
    for name in HALVED:
        with Image.open(bundled(name)) as image:
            half = image.convert("RGB").resize((image.width // 2, image.height // 2), Image.Resampling.LANCZOS)
        yield f"scans/{Path(name).stem}.png", png(half)
    yield "scans/rocket.jpg", bundled("rocket.jpg").read_bytes()


def sprites() -> Iterator[tuple[str, bytes]]:
    """(relative path, content) of creatures on a transparent ground, opaque tiles, and a file that was cut off."""
    for number in range(CREATURES):
        yield f"creatures/creature-{number:02}.png", png(Image.fromarray(creature(number)))
    for number in range(TILES):
        yield f"tiles/tile-{number:02}.png", png(Image.fromarray(tile(number)))
    yield "tiles/cut-off.png", png(Image.fromarray(tile(TILES)))[:1500]


def creature(seed: int) -> NDArray[np.uint8]:
    """A symmetric creature of cells, lit from above, with eyes and an outline: uint8 [H, W, 4]."""
    random = np.random.default_rng(seed)
    half = random.random((CELLS, CELLS // 2)) < np.linspace(0.25, 0.85, CELLS // 2)
    half[[0, -1]] = half[:, 0] = False
    body = np.concatenate([half, half[:, ::-1]], axis=1)
    padded = np.pad(body, 1)
    around = padded[:-2, 1:-1] | padded[2:, 1:-1] | padded[1:-1, :-2] | padded[1:-1, 2:]
    cells = np.zeros((CELLS, CELLS, 4), np.uint8)
    hue = seed * 0.382 % 1
    for y, x in np.argwhere(body):
        light = 0.95 - 0.5 * y / CELLS - 0.15 * random.random()
        cells[y, x] = [*(round(255 * c) for c in colorsys.hsv_to_rgb((hue + 0.06 * y / CELLS) % 1, 0.65, light)), 255]
    cells[around & ~body] = (20, 16, 32, 255)
    cells[CELLS // 3, [CELLS // 2 - 2, CELLS // 2 + 1]] = (250, 250, 240, 255)
    return np.kron(cells, np.ones((CELL_PX, CELL_PX, 1), np.uint8))


def tile(seed: int) -> NDArray[np.uint8]:
    """A tile of ground with grain: uint8 [H, W, 3]."""
    random = np.random.default_rng(1000 + seed)
    ramp = [colorsys.hsv_to_rgb((0.08 + 0.07 * seed) % 1, 0.45, 0.35 + 0.09 * step) for step in range(6)]
    colors = (255 * np.array(ramp)).round().astype(np.uint8)
    side = CELLS * CELL_PX // 4
    grain = random.normal(2.5, 1.0, (side, side)) + np.sin(np.arange(side) / 3 + seed)[:, None]
    cells = colors[np.clip(grain, 0, len(ramp) - 1).astype(np.intp)]
    return np.kron(cells, np.ones((4, 4, 1), np.uint8))


def png(image: Image.Image) -> bytes:
    """The image as most tools would save it."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
