"""Charts of a known number of colours: bars, pies, maps and points; flat, noisy or anti-aliased."""

from __future__ import annotations

from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Style = Literal["bars", "pie", "map", "points"]
STYLES: Final[tuple[Style, ...]] = ("bars", "pie", "map", "points")
_OVERSAMPLING: Final = 4


def distinct_colors(number: int, random: np.random.Generator, distance: float) -> list[tuple[int, ...]]:
    """Random colours, any two of which are so far apart."""
    chosen: list[NDArray[np.int64]] = []
    while len(chosen) < number:
        color = random.integers(0, 256, 3)
        if all(np.linalg.norm(color - other) >= distance for other in chosen):
            chosen.append(color)
    return [tuple(color.tolist()) for color in chosen]


def chart(
    colors: int,
    style: Style,
    seed: int,
    *,
    sigma: float = 0,
    anti_aliased: bool = False,
    distance: float = 20,
    size: tuple[int, int] = (480, 360),
) -> NDArray[np.uint8]:
    """uint8 [H, W, 3] of so many colours, background included, with Gaussian noise of `sigma` levels."""
    random = np.random.default_rng(seed)
    scale = _OVERSAMPLING if anti_aliased else 1
    width, height = size[0] * scale, size[1] * scale
    background, *fills = distinct_colors(colors, random, distance)
    image = Image.new("RGB", (width, height), background)
    draw = ImageDraw.Draw(image)
    if style == "bars":
        step = width / len(fills)
        for i, fill in enumerate(fills):
            top = random.uniform(0.05, 0.8) * height
            draw.rectangle(((i + 0.15) * step, top, (i + 0.85) * step, height), fill=fill)
    elif style == "pie":
        ends = 360 * np.cumsum([0, *(0.5 / len(fills) + 0.5 * random.dirichlet(np.full(len(fills), 3.0)))])
        box = (0.05 * width, 0.05 * height, 0.95 * width, 0.95 * height)
        for begin, end, fill in zip(ends, ends[1:], fills, strict=False):
            draw.pieslice(box, begin, end, fill=fill)
    elif style == "map":
        # Cells around random places: a political map.
        places = random.uniform(0, 1, (colors, 2)) * (width, height)
        y, x = np.mgrid[:height, :width]
        nearest = np.full((height, width), 0)
        least = np.full((height, width), np.inf)
        for i, (px, py) in enumerate(places):
            squared = (x - px) ** 2 + (y - py) ** 2
            nearest = np.where(squared < least, i, nearest)
            least = np.minimum(least, squared)
        image = Image.fromarray(np.array([background, *fills], np.uint8)[nearest])
    else:
        columns = 8
        step, rows = width / columns, -(-len(fills) // columns)
        for i, fill in enumerate(fills):
            radius = random.uniform(0.3, 0.45) * min(step, height / rows)
            cx, cy = (i % columns + 0.5) * step, (i // columns + 0.5) * height / rows
            draw.ellipse((cx - radius, cy - radius, cx + radius, cy + radius), fill=fill)
    pixels = np.asarray(image.resize(size, Image.Resampling.BOX) if anti_aliased else image)
    if sigma:
        pixels = np.clip(np.rint(pixels + random.normal(0, sigma, pixels.shape)), 0, 255).astype(np.uint8)
    return pixels
