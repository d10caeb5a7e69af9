"""What a run would make of one image, before anything is stored or run: the engine, on the image in memory.

The same functions and the same configuration as in a run, so that the bytes and the numbers are those that a run gives.
Nothing here knows of HTTP.
"""

from __future__ import annotations

import io
import math
import secrets
import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from chromapress import engine
from chromapress.choice import Choice, Verdict, choose, least_colors, measured
from chromapress.config import Compression, DatasetConfig, Limits, Quality, with_parameters
from chromapress.decode import Undecodable, decode
from chromapress.encoding import encode
from chromapress.histogram import Histogram, for_choice
from chromapress.lossy import lossy_files
from chromapress.press import under_floor
from chromapress.quality import histogram_delta_e
from chromapress.quantization import Quantized, quantize

# A point of an image of so many pixels takes seconds, and its pixels 72 MB.
LIMITS: Final = Limits(max_pixels=24_000_000, max_bytes=32_000_000)
# All that is kept in memory, of everybody.
MAX_KEPT_BYTES: Final = 384 << 20
# Other ways of making an image smaller are tried on images up to here: rate-distortion optimisation takes a second for
# a million pixels.
_MAX_PIXELS_OF_WAYS: Final = 4_000_000
_HARDLY_SEEN_RDO: Final = 0.2
_LOWER_BY_DB: Final = 3


class TooLargeError(ValueError):
    """An image of more bytes or pixels than a preview takes; the message says so."""


class NoImageError(ValueError):
    """A file of which there is no preview; the message says why, and what a run would do with it."""


@dataclass(frozen=True)
class Preview:
    """A decoded image, and what was chosen for it."""

    id: str
    owner: str
    source_bytes: int
    format: str
    pixels: NDArray[np.uint8]
    histogram: Histogram
    choice: Choice
    config: DatasetConfig

    @property
    def least_k(self) -> int:
        return min(least_colors(self.histogram, self.config.palette), len(self.histogram))

    @property
    def largest_k(self) -> int:
        return min(engine.MAX_COLORS, len(self.histogram))


@dataclass(frozen=True)
class Point:
    """The image with one number of colours, and its file."""

    quantized: Quantized
    delta_e: float  # 95th percentile of CIEDE2000
    content: bytes

    @property
    def exact(self) -> bool:
        return math.isinf(self.quantized.measured.psnr_db)


def open_preview(content: bytes, owner: str, config: DatasetConfig) -> Preview:
    """Decode an image and choose its number of colours; TooLargeError or NoImageError where that cannot be."""
    try:
        decoded = decode(content, LIMITS)
    except Undecodable as told:
        if told.reason in ("too_many_bytes", "too_many_pixels"):
            raise TooLargeError(f"Too large for a preview ({told.detail}); a run can still take it.") from None
        if told.outcome.startswith("kept"):
            raise NoImageError(f"This file has {told.detail}: a run keeps it as it is.") from None
        raise NoImageError(f"This is no image that can be read: {told.detail}. A run lists it as rejected.") from None
    histogram = Histogram.of(decoded.pixels)
    choice = choose(histogram, config.palette, config.quality)
    return Preview(
        secrets.token_urlsafe(12), owner, len(content), decoded.format, decoded.pixels, histogram, choice, config
    )


def with_choice(preview: Preview, config: DatasetConfig) -> Preview:
    """The same image under another configuration."""
    return replace(preview, config=config, choice=choose(preview.histogram, config.palette, config.quality))


def point(preview: Preview, k: int | None = None) -> Point:
    """The image with k colours, or so many as it can have; without k, as a run makes it."""
    histogram, config = preview.histogram, preview.config
    if k is None:
        choice = preview.choice
        quantized = quantize(preview.pixels, histogram, choice.verdict, choice.k, choice.centres, config)
    else:
        k = max(preview.least_k, min(k, preview.largest_k))
        verdict = Verdict.LOSSLESS if k == len(histogram) else Verdict.QUANTIZE
        quantized = quantize(preview.pixels, histogram, verdict, k, _centres(preview, k), _without_floor(config))
    (file,) = encode(quantized.palette, quantized.indices, _palette_file(config.compression))
    labels = engine.map_colors(histogram.colors, quantized.palette, color_space=config.palette.color_space)
    return Point(quantized, histogram_delta_e(histogram, quantized.palette, labels), file.content)


def _centres(preview: Preview, k: int) -> NDArray[np.float64]:
    """Where a run would start that takes k."""
    for candidate in preview.choice.curve:
        if candidate.k == k:
            return candidate.centres
    (one,) = measured(for_choice([preview.histogram]), [k], preview.config.palette, preview.config.quality)
    return one.centres


def _without_floor(config: DatasetConfig) -> DatasetConfig:
    """So that k stays what was asked for: a rule that keeps a floor goes on to larger k by itself."""
    return config.model_copy(update={"palette": config.palette.model_copy(update={"rule": "fixed"})})


def _palette_file(compression: Compression) -> Compression:
    """One palette file, where codec `auto` would make several."""
    codec = "webp" if compression.codec == "webp" else "png"
    return compression.model_copy(update={"codec": codec})


def saving_percent(size_bytes: int, source_bytes: int) -> float:
    return 100 * (1 - size_bytes / source_bytes)


def is_smaller(preview: Preview, size_bytes: int) -> bool:
    """Whether a run would take a file of this size for the source."""
    saving = saving_percent(size_bytes, preview.source_bytes)
    return size_bytes <= preview.source_bytes and saving >= preview.config.compression.min_saving_percent


def advice(preview: Preview, at: Point) -> str | None:
    """In a sentence or two, what is wrong with this number of colours and what would help; None where nothing is."""
    size, quantized, auto = len(at.content), at.quantized, preview.config.compression.codec == "auto"
    if not is_smaller(preview, size):
        saving = saving_percent(size, preview.source_bytes)
        if saving < 0:
            told = f"would be {-saving:.0f} % larger than your {preview.format}"
        else:
            told = f"would save only {saving:.0f} %"
        if auto:
            return f"As a palette file this image {told}; the run also tries WebP and AVIF, which may do better."
        return (
            f"As a palette file this image {told}, so the run would keep your original. What helps: the codec “auto”, "
            "which lets lossy WebP and AVIF compete; rate-distortion optimisation (rdo); or a lower quality floor."
        )
    if quantized.below_floor and under_floor(preview.config) is not None:
        return (
            f"{quantized.k} colours are below the quality floor ({_floors(preview.config.quality)}). What helps: more "
            "colours, a lower floor, or the codec “auto”."
        )
    return None


def _floors(quality: Quality) -> str:
    floors = []
    if quality.min_psnr_db is not None:
        floors.append(f"PSNR {quality.min_psnr_db:g} dB")
    if quality.min_ssim is not None:
        floors.append(f"SSIM {quality.min_ssim:g}")
    if quality.max_delta_e is not None:
        floors.append(f"CIEDE2000 {quality.max_delta_e:g}")
    return ", ".join(floors)


@dataclass(frozen=True)
class Way:
    """Another setting, and what it would make of the image."""

    title: str
    parameters: dict[str, Any]
    size_bytes: int
    psnr_db: float


def other_ways(preview: Preview) -> Iterator[Way]:
    """Settings that may make the image smaller, each tried: none for an image of more than a few million pixels."""
    config = preview.config
    exact = preview.choice.verdict == Verdict.LOSSLESS
    if preview.histogram.pixels > _MAX_PIXELS_OF_WAYS:
        return
    if config.compression.codec != "webp":
        yield _pressed(preview, "Lossless WebP instead of PNG", {"compression.codec": "webp"})
    if exact:
        return
    if config.compression.codec != "auto":
        # WebP is the first of them. The run tries AVIF too, which takes seconds, and publishes the smallest.
        for lossy in lossy_files(preview.pixels, config.quality, effort=1):
            yield Way(
                "Let lossy WebP and AVIF compete",
                {"compression.codec": "auto"},
                len(lossy.file.content),
                lossy.measured.psnr_db,
            )
            break
    if config.compression.rdo == 0 and config.palette.dither == 0:
        yield _pressed(preview, "Choose colours for small files, hardly seen", {"compression.rdo": _HARDLY_SEEN_RDO})
    floor = config.quality.min_psnr_db
    if floor is not None and floor > 2 * _LOWER_BY_DB and config.palette.keeps_floor:
        lower = floor - _LOWER_BY_DB
        yield _pressed(preview, f"A floor of {lower:g} dB instead of {floor:g}", {"quality.min_psnr_db": lower})


def _pressed(preview: Preview, title: str, parameters: dict[str, Any]) -> Way:
    at = point(with_choice(preview, with_parameters(preview.config, parameters, "other ways")))
    return Way(title, parameters, len(at.content), at.quantized.measured.psnr_db)


def as_png(pixels: NDArray[np.uint8]) -> bytes:
    """The upright sRGB pixels as a file that every browser shows."""
    content = io.BytesIO()
    # Made to be looked at once: fast before small.
    Image.fromarray(pixels).save(content, "PNG", compress_level=1)
    return content.getvalue()


def told_point(preview: Preview, at: Point) -> dict[str, Any]:
    """A point as the API gives it; PSNR is null where the pixels are equal."""
    quantized = at.quantized
    total = int(quantized.sizes.sum())
    largest_first = np.argsort(-quantized.sizes, kind="stable")
    return {
        "k": quantized.k,
        "exact": at.exact,
        "psnr_db": None if at.exact else quantized.measured.psnr_db,
        "ssim": quantized.measured.ssim,
        "delta_e": at.delta_e,
        "size_bytes": len(at.content),
        "saving_percent": saving_percent(len(at.content), preview.source_bytes),
        "smaller": is_smaller(preview, len(at.content)),
        "below_floor": quantized.below_floor,
        "palette": [
            {"color": f"#{bytes(quantized.palette[entry]).hex()}", "share": int(quantized.sizes[entry]) / total}
            for entry in largest_first
        ],
        "advice": advice(preview, at),
    }


def told_preview(preview: Preview, at: Point) -> dict[str, Any]:
    """A preview as the API gives it."""
    height, width = preview.pixels.shape[:2]
    choice = preview.choice
    return {
        "id": preview.id,
        "width": width,
        "height": height,
        "source_bytes": preview.source_bytes,
        "content_type": f"image/{preview.format.lower()}",
        "distinct_colours": len(preview.histogram),
        "flat_colours": choice.flat_colors,
        "k": at.quantized.k,
        "least_k": preview.least_k,
        "largest_k": preview.largest_k,
        "rule": preview.config.palette.rule,
        "reason": choice.reason,
        "reachable": choice.verdict != Verdict.UNREACHABLE,
        "min_psnr_db": preview.config.quality.min_psnr_db if preview.config.palette.keeps_floor else None,
        "curve": [
            {
                "k": one.k,
                "psnr_db": None if math.isinf(one.psnr_db) else one.psnr_db,
                "silhouette": one.silhouette,
            }
            for one in choice.curve
        ],
        "k_by_rule": choice.k_by_rule,
        "at": told_point(preview, at),
    }


class Kept:
    """What was made last, by a key of words, within a bound of bytes; for several threads."""

    def __init__(self, max_bytes: int = MAX_KEPT_BYTES) -> None:
        self._max_bytes = max_bytes
        self._items: OrderedDict[tuple[str, ...], tuple[Any, int]] = OrderedDict()
        self._lock = threading.Lock()
        self.size_bytes = 0

    def get(self, *key: str) -> Any:
        """What was put under the key; None where it has given way, or never was."""
        with self._lock:
            if key not in self._items:
                return None
            self._items.move_to_end(key)
            return self._items[key][0]

    def put(self, value: Any, size_bytes: int, *key: str) -> None:
        """Keep a value; what was not asked for the longest gives way to it."""
        with self._lock:
            self._drop(key)
            self._items[key] = value, size_bytes
            self.size_bytes += size_bytes
            while self.size_bytes > self._max_bytes:
                self._drop(next(iter(self._items)))

    def _drop(self, key: tuple[str, ...]) -> None:
        _, size_bytes = self._items.pop(key, (None, 0))
        self.size_bytes -= size_bytes
