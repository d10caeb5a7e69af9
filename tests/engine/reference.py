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
