"""Slow and obvious twins of the engine, in numpy: each follows the definition, none shares the engine's method."""

from collections import Counter

import numpy as np
from numpy.typing import NDArray

U8 = NDArray[np.uint8]
F64 = NDArray[np.float64]


def rgba(pixels: U8) -> U8:
    """[n, 4] straight RGBA with fully transparent pixels as (0, 0, 0, 0)."""
    flat = pixels.reshape(-1, pixels.shape[-1])
    if flat.shape[1] == 3:
        flat = np.concatenate([flat, np.full((len(flat), 1), 255, np.uint8)], axis=1)
    return np.where(flat[:, 3:] == 0, np.uint8(0), flat)


def premultiply(colors: U8) -> F64:
    c = colors.astype(np.float64)
    return np.concatenate([c[:, :3] * c[:, 3:] / 255.0, c[:, 3:]], axis=1)


def histogram(pixels: U8) -> tuple[U8, NDArray[np.int64]]:
    counted = sorted(Counter(map(tuple, rgba(pixels).tolist())).items())
    return np.array([c for c, _ in counted], np.uint8), np.array([n for _, n in counted], np.int64)


def kind(colors: U8) -> NDArray[np.int64]:
    return (colors[:, 3] > 0).astype(np.int64) + (colors[:, 3] == 255)


def may_become(colors: U8, palette: U8) -> NDArray[np.bool_]:
    """[n, k]: transparent and opaque colours keep their alpha, translucent ones need not."""
    kinds = kind(colors)[:, None]
    return (kinds == 1) | (kinds == kind(palette)[None, :])


def distances(a: F64, b: F64) -> F64:
    """[len(a), len(b)] squared Euclidean, added up channel by channel."""
    d = (a[:, None, :] - b[None, :, :]) ** 2
    return d[..., 0] + d[..., 1] + d[..., 2] + d[..., 3]


def map_colors(colors: U8, palette: U8) -> U8:
    d = distances(premultiply(rgba(colors)), premultiply(rgba(palette)))
    d[~may_become(colors, palette)] = np.inf
    return np.argmin(d, axis=1).astype(np.uint8)


def dither(pixels: U8, palette: U8, strength: float) -> U8:
    """Floyd and Steinberg's filter, serpentine, pixel by pixel."""
    height, width = pixels.shape[:2]
    wide = np.concatenate([pixels, np.full((height, width, 4 - pixels.shape[2]), 255, np.uint8)], axis=2)
    indices = map_colors(rgba(pixels), palette).reshape(height, width)
    colors = premultiply(rgba(palette))
    between = distances(colors, colors)
    between[~may_become(palette, palette) | (between == 0)] = np.inf
    spacing = np.where(np.isinf(between.min(axis=1)), 1, between.min(axis=1))
    levels = np.pad(rgba(pixels).reshape(height, width, 4).astype(int), ((1, 1), (1, 1), (0, 0)), mode="edge")
    beside = (levels[:-2, 1:-1], levels[2:, 1:-1], levels[1:-1, :-2], levels[1:-1, 2:])
    contrast = np.max([np.abs(levels[1:-1, 1:-1] - other).max(axis=2) for other in beside], axis=0) ** 2
    errors = np.zeros((height + 1, width + 2, 4))
    for y in range(height):
        step = 1 if y % 2 == 0 else -1
        for x in range(width)[::step]:
            alpha, nearest = wide[y, x, 3], indices[y, x]
            if alpha == 0:
                continue
            error, limit = errors[y, x + 1], 0.35 * 0.35 * spacing[nearest]
            length = float(distances(error[None], np.zeros((1, 4)))[0, 0])
            wanted = premultiply(wide[y, x][None])[0] + (np.sqrt(limit / length) if length > limit else 1.0) * error
            wanted[3] = 255.0 if alpha == 255 else np.clip(wanted[3], 1, 254)
            wanted[:3] = np.clip(wanted[:3], 0, wanted[3])
            shown_alpha = np.floor(wanted[3] + 0.5)
            straight = np.append(np.floor(np.clip(wanted[:3] * (255.0 / shown_alpha), 0, 255) + 0.5), shown_alpha)
            indices[y, x] = map_colors(straight.astype(np.uint8)[None], palette)[0]
            share = strength / 16 / (1 + (1.0 + contrast[y, x]) / (0.025 * spacing[nearest]))
            rest = (wanted - colors[indices[y, x]]) * share
            for down, ahead, weight in ((0, step, 7), (1, -step, 3), (1, 0, 5), (1, step, 1)):
                errors[y + down, x + 1 + ahead] += weight * rest
    return indices


def silhouette(points: F64, labels: NDArray[np.uint8]) -> float:
    """Over expanded points, from all pairs."""
    d = distances(points, points)
    scores = []
    for i in range(len(points)):
        own = labels == labels[i]
        if own.sum() == 1:
            scores.append(0.0)
            continue
        a = d[i, own].sum() / (own.sum() - 1)
        b = min(d[i, labels == other].mean() for other in np.unique(labels) if other != labels[i])
        scores.append(0.0 if a == b else float((b - a) / max(a, b)))
    return float(np.mean(scores))
