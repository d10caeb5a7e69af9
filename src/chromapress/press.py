"""One image's whole way, from a file's bytes to a file's bytes: what the command line does, and each job a part of."""

from __future__ import annotations

from dataclasses import dataclass

from chromapress.choice import Choice, Verdict, choose
from chromapress.config import DatasetConfig
from chromapress.decode import Decoded, Undecodable, decode
from chromapress.encoding import encode, outcome
from chromapress.histogram import Histogram
from chromapress.outcome import Outcome
from chromapress.quantization import Quantized, quantize


@dataclass(frozen=True)
class Pressed:
    """What became of one image; what it did not get to is None."""

    outcome: Outcome
    reason: str
    source_size_bytes: int
    content: bytes | None = None  # the new file, also where the source is kept instead
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
    quantized = quantize(decoded.pixels, histogram, choice.verdict, choice.centres, config)
    new = encode(quantized.palette, quantized.indices, config.compression)
    end, reason = judged(choice.verdict, choice.reason, quantized, config)
    if end is None:
        end = outcome(choice.verdict == Verdict.LOSSLESS, len(new), len(content), config.compression)
    if end == Outcome.KEPT_LARGER:
        reason = f"the palette file has {len(new)} bytes, the source {len(content)}"
    return Pressed(end, reason, len(content), new, decoded, histogram, choice, quantized)


def judged(verdict: Verdict, reason: str, quantized: Quantized, config: DatasetConfig) -> tuple[Outcome | None, str]:
    """What the floor says of a quantized image: an outcome, or None where it may be published; and the reason."""
    if verdict == Verdict.LOSSLESS or not config.palette.keeps_floor or not quantized.below_floor:
        return None, reason
    measured = quantized.measured
    told = f"with {quantized.k} colours PSNR {measured.psnr_db:.2f} dB and SSIM {measured.ssim:.4f} miss the floor"
    match config.quality.on_unreachable:
        case "keep":
            return Outcome.KEPT_QUALITY, told
        case "reject":
            return Outcome.REJECTED, f"unreachable: {told}"
        case "highest":
            return None, told
