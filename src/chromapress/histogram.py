"""What can be said of an image from its colour histogram alone, which is much: see the engine's contract."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from chromapress import engine

# k is chosen on no more colours than about this; all 2^24 opaque ones, in cells of four levels a side, are as many.
EXACT_COLORS: Final = 1 << 18
_COARSEST_SHIFT: Final = 4


@dataclass(frozen=True)
class Histogram:
    """Distinct colours and their counts, as the engine makes them."""

    colors: NDArray[np.uint8]  # [n, 4] straight RGBA, sorted
    counts: NDArray[np.int64]  # [n]
    scatter: float = 0.0  # where a colour stands for several: their squared distances from it, summed over the pixels

    @classmethod
    def of(cls, pixels: NDArray[np.uint8]) -> Histogram:
        return cls(*engine.histogram(pixels))

    @classmethod
    def merged(cls, histograms: list[Histogram]) -> Histogram:
        return cls(*engine.merge([(one.colors, one.counts) for one in histograms]))

    @classmethod
    def unpacked(cls, colors: bytes, counts: bytes) -> Histogram:
        """From the bytes of a row."""
        return cls(np.frombuffer(colors, np.uint8).reshape(-1, 4), np.frombuffer(counts, np.uint32).astype(np.int64))

    def packed(self) -> tuple[bytes, bytes]:
        """As the bytes of a row; one image's counts fit 32 bits."""
        return self.colors.tobytes(), self.counts.astype(np.uint32).tobytes()

    def binned(self, shift: int) -> Histogram:
        """One colour, the mean by counts, for each cell of 2^shift levels a side; kinds of opacity stay apart.

        Its quality with a palette is that of the whole, as long as the colours of a cell share an entry.
        """
        alpha = self.colors[:, 3]
        kind = np.where(alpha == 0, 0, np.where(alpha == 255, 2, 1)).astype(np.uint64)
        cells = (self.colors >> shift).astype(np.uint64) @ np.array([1 << 26, 1 << 18, 1 << 10, 1 << 2], np.uint64)
        _, cell = np.unique(cells + kind, return_inverse=True)
        counts = np.bincount(cell, weights=self.counts)
        sums = [
            np.bincount(cell, weights=self.counts * self.colors[:, channel].astype(np.int64)) for channel in range(4)
        ]
        colors = np.rint(np.array(sums).T / counts[:, None]).astype(np.uint8)
        error = premultiplied(self.colors) - premultiplied(colors)[cell]
        scatter = float(np.einsum("ij,ij,i->", error, error, self.counts))
        order = np.lexsort(colors.T[::-1])
        return Histogram(colors[order], counts[order].astype(np.int64), self.scatter + scatter)

    def __len__(self) -> int:
        return len(self.counts)

    @property
    def pixels(self) -> int:
        return int(self.counts.sum())

    @property
    def is_opaque(self) -> bool:
        return bool((self.colors[:, 3] == 255).all())

    @property
    def kinds(self) -> int:
        """How many of transparent, translucent and opaque occur: fewer colours than that cannot keep them apart."""
        alpha = self.colors[:, 3]
        return int((alpha == 0).any()) + int((alpha == 255).any()) + int(((alpha > 0) & (alpha < 255)).any())

    def psnr_db(self, palette: NDArray[np.uint8], labels: NDArray[np.uint8]) -> float:
        """PSNR of the image whose every colour is replaced by palette[label]: over RGB, or premultiplied RGBA."""
        error = premultiplied(self.colors) - premultiplied(palette)[labels]
        return self.psnr_of(float(np.square(error).sum(axis=1) @ self.counts))

    def psnr_of(self, squared_error: float) -> float:
        """PSNR of a squared error that is summed over the pixels, in the clustering space."""
        return psnr_db((squared_error + self.scatter) / self.pixels, channels=3 if self.is_opaque else 4)


def for_choice(blocks: list[Histogram]) -> Histogram:
    """One histogram of several that share no cell, in cells as fine as EXACT_COLORS allows."""
    for shift in range(1, _COARSEST_SHIFT + 1):
        if sum(map(len, blocks)) <= EXACT_COLORS:
            break
        blocks = [block.binned(shift) for block in blocks]
    return Histogram(
        np.concatenate([one.colors for one in blocks]),
        np.concatenate([one.counts for one in blocks]),
        sum(one.scatter for one in blocks),
    )


def premultiplied(rgba: NDArray[np.uint8]) -> NDArray[np.float64]:
    """[n, 4] straight RGBA in the engine's clustering space."""
    alpha = rgba[:, 3:].astype(np.float64)
    return np.hstack([rgba[:, :3] * (alpha / 255), alpha])


def straight(centres: NDArray[np.float64]) -> NDArray[np.uint8]:
    """[k, 4] centres of the clustering space as straight RGBA palette entries, rounded to nearest."""
    alpha = np.rint(centres[:, 3:])
    rgb = np.divide(centres[:, :3] * 255, alpha, out=np.zeros_like(centres[:, :3]), where=alpha > 0)
    levels: NDArray[np.float64] = np.rint(np.hstack([rgb, alpha]))
    return levels.clip(0, 255).astype(np.uint8)


def psnr_db(squared_error: float, channels: int) -> float:
    """PSNR of a mean squared error summed over channels; inf for none."""
    return math.inf if squared_error == 0 else 10 * math.log10(255**2 * channels / squared_error)
