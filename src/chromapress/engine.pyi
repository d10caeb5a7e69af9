"""The compiled engine (native/bindings.cpp): colour histograms, K-means, silhouette, mapping, PNG, WebP, quality.

Shapes and types, everywhere in this module:

- *pixels*: uint8 [H, W, 3] sRGB or [H, W, 4] straight-alpha sRGBA, any strides, read-only or not.
- *histogram*: `colors` uint8 [n, 4] straight RGBA (opaque images have A = 255), distinct, sorted
  lexicographically, with `counts` int64 [n] >= 1. Fully transparent pixels are one colour, (0, 0, 0, 0).
- *clustering space*: premultiplied RGBA in sRGB levels, float64, each channel 0 to 255; for opaque colours that is
  (R, G, B, 255). Distances are squared Euclidean in it.
- *palette*: uint8 [k, 4] straight RGBA; *index map*: uint8 [H, W].

Every call releases the GIL, is deterministic and does not depend on the processor. A wrong shape, type, length or
value (also NaN) raises ValueError or TypeError. Calls that take `threads` use so many (0: as many as the processor has,
at most 256), with the same result.
"""

from collections.abc import Sequence
from typing import Final, final

import numpy as np
from numpy.typing import NDArray

__version__: Final[str]
MAX_COLORS: Final[int]  # 256, the most entries that an indexed PNG can have
MAX_WEBP_SIDE: Final[int]  # 16383 pixels

@final
class Clustering:
    """One clustering of a histogram."""

    @property
    def centres(self) -> NDArray[np.float64]:
        """[k, 4], in the clustering space, in the order of the start; fewer rows where colours are fewer."""
    @property
    def labels(self) -> NDArray[np.uint8]:
        """[n], the cluster of each colour of the histogram."""
    @property
    def sizes(self) -> NDArray[np.int64]:
        """[k], pixels in each cluster; never 0 but for a protected colour that is the nearest of none."""
    @property
    def inertia(self) -> float:
        """Sum over pixels of the squared distance to their centre, in `color_space` (Oklab times 255)."""
    @property
    def iterations(self) -> int:
        """Lloyd iterations done."""
    @property
    def palette(self) -> NDArray[np.uint8]:
        """[k, 4], the centres as straight RGBA, rounded to nearest."""

def histogram(pixels: NDArray[np.uint8], *, threads: int = 1) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The colour histogram of an image: (colors, counts)."""

def merge(
    histograms: list[tuple[NDArray[np.uint8], NDArray[np.int64]]],
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The sum of histograms: of none, an empty one."""

def kmeans(
    colors: NDArray[np.uint8],
    counts: NDArray[np.int64],
    k: int,
    *,
    start: NDArray[np.float64] | None = None,
    protected: NDArray[np.uint8] | None = None,
    color_space: str = "srgb",
    max_iterations: int | None = None,
    tolerance: float = 1e-4,
    threads: int = 1,
) -> Clustering:
    """Weighted K-means over the distinct colours: Wu's start, refined by swaps of centres, then exact Lloyd.

    k: 1 to 256; where the histogram has no more than k colours beside the protected ones, they are the centres.
    start: [k, 4] centres in the clustering space, instead of Wu's; the first p give way to the protected colours.
    protected: [p, 4] straight RGBA, p <= k: fixed centres, the first p of the result.
    color_space: "srgb" or "oklab": where distances are measured; centres come back in the clustering space.
    max_iterations: Lloyd stops there, or when the inertia falls by less than `tolerance` times itself. None: 0 from the
        engine's own start, which is within a percent of where more iterations lead; 20 from a start that was given.

    Transparent stays transparent and opaque stays opaque: a histogram with transparent pixels has one centre
    (0, 0, 0, 0), opaque colours go only to centres of alpha 255, translucent ones to whichever centre is nearest. k
    must be at least the number of these kinds that occur.
    """

@final
class ScoredClustering:
    """A clustering, and what it is worth."""

    @property
    def clustering(self) -> Clustering: ...
    @property
    def silhouette(self) -> float:
        """As `silhouette` of its labels; nan where all colours are in one cluster."""
    @property
    def error(self) -> float:
        """Sum over pixels of the squared distance, in the clustering space, to the entry of its rounded palette that
        `map_colors` takes in `color_space`."""

@final
class Curve:
    """The clusterings of one histogram for any number of colours, quickly: the finest is that of `kmeans`, the others
    come of it. It keeps the arrays that it is given; they must not change.

    The clusters of the finest are merged two by two, swaps of centres are tried over what they stand for, and a few
    passes end at the means. The error is that of `kmeans`, a percent more or less. A clustering depends on its k, not
    on what else is asked for.
    """

    def __init__(
        self,
        colors: NDArray[np.uint8],
        counts: NDArray[np.int64],
        *,
        protected: NDArray[np.uint8] | None = None,
        color_space: str = "srgb",
    ) -> None: ...
    @property
    def finest(self) -> Clustering:
        """What `kmeans` gives for MAX_COLORS."""
    def scored(self, ks: Sequence[int], *, threads: int = 1) -> list[ScoredClustering]:
        """For each of `ks`, at least one, a clustering with its exact silhouette and error. k as in `kmeans`.

        Its centres are the means of its clusters, each of which is of the colours that were nearest to it one step
        before; those of the finest are as `kmeans` gives them.
        """

def curve(
    colors: NDArray[np.uint8],
    counts: NDArray[np.int64],
    ks: Sequence[int],
    *,
    protected: NDArray[np.uint8] | None = None,
    color_space: str = "srgb",
    threads: int = 1,
) -> list[ScoredClustering]:
    """`Curve(…).scored(ks)`."""

def silhouette(colors: NDArray[np.uint8], counts: NDArray[np.int64], labels: NDArray[np.uint8]) -> float:
    """Mean silhouette over the *pixels* (-1 to 1), squared Euclidean in the clustering space, exact.

    As pyspark.ml's ClusteringEvaluator on the expanded pixels: a pixel alone in its cluster scores 0. One cluster
    alone has no silhouette: ValueError.
    """

def palette_error(colors: NDArray[np.uint8], counts: NDArray[np.int64], palette: NDArray[np.uint8]) -> float:
    """Sum over pixels of the squared distance, in the clustering space, to the entry that `map_pixels` takes."""

def map_colors(
    colors: NDArray[np.uint8], palette: NDArray[np.uint8], *, color_space: str = "srgb"
) -> NDArray[np.uint8]:
    """[n]: for each colour the nearest palette entry (the first of equals), transparent and opaque kept as such."""

def map_pixels(
    pixels: NDArray[np.uint8],
    palette: NDArray[np.uint8],
    *,
    color_space: str = "srgb",
    dither: float = 0.0,
    threads: int = 1,
) -> NDArray[np.uint8]:
    """The index map.

    dither: the share of the error handed on, 0 (none) to 1 (Floyd-Steinberg, serpentine); less of it where neighbouring
        pixels differ by much of the distance between entries or entries hardly do, and never more than 0.35 of that
        distance. Uses one thread.
    """

def map_rate_distortion(
    pixels: NDArray[np.uint8], palette: NDArray[np.uint8], *, rdo: float, fixed: int = 0
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """(palette, index map) that `encode_png` makes much smaller, at a slightly larger error.

    rdo: what a bit may cost, in units of the image's mean error without it; 0 (the nearest entries, as `map_pixels`) to
        100, of which 0.1 to 0.25 are hardly seen. Errors weigh less where the surroundings vary.
    fixed: the first so many entries keep their colours; the others move to the mean of their pixels. The palette comes
        back in another order: keep it, the map was made for it.
    Kinds are kept as in `map_pixels`. Distances are measured in the clustering space.
    """

def expand(
    indices: NDArray[np.uint8], palette: NDArray[np.uint8], channels: int
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """(the pixels that an index map shows, [H, W, channels], and how many of them each entry has, [k]).

    channels: 3, which leaves alpha out, or 4. ValueError for an index that is that of no entry.
    """

def encode_png(indices: NDArray[np.uint8], palette: NDArray[np.uint8], *, effort: int = 5) -> bytes:
    """An indexed PNG: unused entries dropped, bit depth 1, 2, 4 or 8, tRNS where an entry is not opaque. Where that is
    smaller, a PNG without a palette: greys, and from effort 2 on small images of any colours.

    indices: uint8 [H, W], each below len(palette). effort: 1 (fastest) to 9 (smallest).
    The decoded pixels are palette[indices]; the order of the file's palette, if it has one, is the encoder's.
    """

def encode_webp(indices: NDArray[np.uint8], palette: NDArray[np.uint8], *, effort: int = 5) -> bytes:
    """A lossless WebP whose decoded pixels are palette[indices], also where they are fully transparent.

    indices: uint8 [H, W], each below len(palette), sides of at most MAX_WEBP_SIDE. effort: 1 (fastest) to 9
    (smallest).
    """

def read_png(content: bytes, *, max_pixels: int) -> NDArray[np.uint8] | None:
    """Samples of the plain kind of PNG, uint8 [H, W, 3 or 4 (straight alpha)].

    None of any other file, which is for a general decoder to judge: other bit depths and colour types, interlaced,
    damaged, larger, or with a chunk that says to turn, animate or convert the samples, or that is not known.
    """

def psnr(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """Peak signal-to-noise ratio in dB of two images of one shape; inf where equal.

    [H, W, 4]: on premultiplied RGBA.
    """

def ssim(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """Structural similarity (Wang et al. 2004), -1 to 1: Gaussian window of 11, sigma 1.5, mean over channels.

    [H, W, 4]: on premultiplied RGBA. Where a side is shorter than 11, one window is the whole image.
    """
