"""One image's whole way, from a file's bytes to a file's bytes: what the command line does, and each job a part of."""

from __future__ import annotations

import math
from dataclasses import dataclass

from chromapress.choice import Choice, Verdict, choose
from chromapress.config import DatasetConfig
from chromapress.decode import Decoded, Undecodable, decode
from chromapress.encoding import encode, outcome
from chromapress.histogram import Histogram
from chromapress.outcome import Outcome
from chromapress.quality import Measured
from chromapress.quantization import Quantized, quantize


@dataclass(frozen=True)
class Pressed:
    """What became of one image; what it did not get to is None."""

    outcome: Outcome
    reason: str
    source_size_bytes: int
    content: bytes | None = None  # the new file, also where the source is kept instead
    codec: str | None = None  # its format
    decoded: Decoded | None = None
    histogram: Histogram | None = None
    choice: Choice | None = None
    quantized: Quantized | None = None


def press(content: bytes, config: DatasetConfig) -> Pressed:
    """Decode, choose k, quantize and encode one image. Bad images come back as an outcome with its reason."""
    try:
        decoded = decode(content, config.limits)
    except Undecodable as told:
        return Pressed(told.outcome, str(told), len(content))
    histogram = Histogram.of(decoded.pixels)
    choice = choose(histogram, config.palette, config.quality)
    given_up = under_floor(config) if choice.verdict == Verdict.UNREACHABLE else None
    if given_up:
        return Pressed(given_up, choice.reason, len(content), None, None, decoded, histogram, choice)
    quantized = quantize(decoded.pixels, histogram, choice.verdict, choice.centres, config)
    new = encode(quantized.palette, quantized.indices, config.compression)
    end, reason = judge(
        quantized.measured, quantized.k, quantized.below_floor, choice.reason, (len(new.content), len(content)), config
    )
    return Pressed(end, reason, len(content), new.content, new.codec, decoded, histogram, choice, quantized)


def under_floor(config: DatasetConfig) -> Outcome | None:
    """What an image ends as that no k brings to the floor; None where it is to be published all the same."""
    if not config.palette.keeps_floor or config.quality.on_unreachable == "highest":
        return None
    return Outcome.REJECTED if config.quality.on_unreachable == "reject" else Outcome.KEPT_QUALITY


def judge(
    quality: Measured, k: int, below_floor: bool, reason: str, sizes: tuple[int, int], config: DatasetConfig
) -> tuple[Outcome, str]:
    """What a quantized and encoded image ends as, and why: `reason`, unless there is another.

    sizes: bytes of the new file and of the source.
    """
    if below_floor:
        reason = f"{k} colours give PSNR {quality.psnr_db:.2f} dB and SSIM {quality.ssim:.4f}: under the floor"
        given_up = under_floor(config)
        if given_up:
            return given_up, reason
    end = outcome(math.isinf(quality.psnr_db), *sizes, config.compression)
    if end == Outcome.KEPT_LARGER:
        reason = f"the palette file would have {sizes[0]} bytes, the source has {sizes[1]}"
    return end, reason
