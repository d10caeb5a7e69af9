"""One image's whole way, from a file's bytes to a file's bytes: what the command line does, and each job a part of."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from chromapress.choice import Choice, Verdict, choose
from chromapress.config import DatasetConfig
from chromapress.decode import Decoded, Undecodable, decode
from chromapress.encoding import Encoded, encode, outcome
from chromapress.histogram import Histogram
from chromapress.lossy import lossy_files
from chromapress.outcome import Outcome
from chromapress.quality import Measured
from chromapress.quantization import Quantized, quantize


@dataclass(frozen=True)
class Finished:
    """What an image ends as, with the best file that was made of it, also where the source is kept instead."""

    outcome: Outcome
    reason: str
    file: Encoded | None = None
    measured: Measured | None = None  # the file's quality
    k: int | None = None  # of a palette file
    below_floor: bool = False
    size_by_codec: dict[str, int] = field(default_factory=dict)  # bytes of all files that were made


@dataclass(frozen=True)
class Pressed:
    """What became of one image; what it did not get to is None."""

    finished: Finished
    source_size_bytes: int
    decoded: Decoded | None = None
    histogram: Histogram | None = None
    choice: Choice | None = None
    quantized: Quantized | None = None

    @property
    def outcome(self) -> Outcome:
        return self.finished.outcome

    @property
    def reason(self) -> str:
        return self.finished.reason

    @property
    def content(self) -> bytes | None:
        """The new file, also where the source is kept instead."""
        return self.finished.file.content if self.finished.file else None

    @property
    def codec(self) -> str | None:
        return self.finished.file.codec if self.finished.file else None


def press(content: bytes, config: DatasetConfig) -> Pressed:
    """Decode, choose k, quantize and encode one image. Bad images come back as an outcome with its reason."""
    try:
        decoded = decode(content, config.limits)
    except Undecodable as told:
        return Pressed(Finished(told.outcome, str(told)), len(content))
    histogram = Histogram.of(decoded.pixels)
    choice = choose(histogram, config.palette, config.quality)
    quantized = None
    if choice.verdict != Verdict.UNREACHABLE or under_floor(config) is None:
        quantized = quantize(decoded.pixels, histogram, choice.verdict, choice.k, choice.centres, config)
    finished = finish(quantized, choice.reason, decoded.pixels, len(content), config)
    return Pressed(finished, len(content), decoded, histogram, choice, quantized)


def under_floor(config: DatasetConfig) -> Outcome | None:
    """What an image ends as that no k brings to the floor; None where it is to be published all the same."""
    if not config.palette.keeps_floor or config.quality.on_unreachable == "highest":
        return None
    return Outcome.REJECTED if config.quality.on_unreachable == "reject" else Outcome.KEPT_QUALITY


def finish(
    quantized: Quantized | None,
    reason: str,
    pixels: NDArray[np.uint8] | None,
    source_size_bytes: int,
    config: DatasetConfig,
) -> Finished:
    """Encode, and say what the image ends as.

    quantized: None where no k reaches the floor. reason: why this k, or why none. pixels: the source's, which codec
    `auto` needs for the lossy files that compete with the palette files.
    """
    given_up = under_floor(config)
    made: list[Finished] = []
    exact = False
    if quantized:
        exact = math.isinf(quantized.measured.psnr_db)
        end = Outcome.PUBLISHED
        if quantized.below_floor:
            measured = quantized.measured
            reason = (
                f"{quantized.k} colours give PSNR {measured.psnr_db:.2f} dB and SSIM {measured.ssim:.4f}: "
                "under the floor"
            )
            end = given_up or end
        for file in encode(quantized.palette, quantized.indices, config.compression):
            made.append(Finished(end, reason, file, quantized.measured, quantized.k, quantized.below_floor))
    elif given_up:
        made.append(Finished(given_up, reason, below_floor=True))
    if config.compression.codec == "auto" and pixels is not None and not exact:
        for lossy in lossy_files(pixels, config.quality, config.compression.effort):
            told = (
                f"{lossy.file.codec} keeps the floor at quality {lossy.setting}: PSNR {lossy.measured.psnr_db:.2f} dB"
            )
            made.append(Finished(Outcome.PUBLISHED, told, lossy.file, lossy.measured))
    sizes = {one.file.codec: len(one.file.content) for one in made if one.file}
    best = replace(min(made, key=lambda one: _rank(one, config)), size_by_codec=sizes)
    if not best.file or not best.outcome.is_new_file:
        return best
    size = sizes[best.file.codec]
    end = outcome(exact, size, source_size_bytes, config.compression)
    if end == Outcome.KEPT_LARGER:
        reason = f"the smallest file, {best.file.codec}, would have {size} bytes, the source has {source_size_bytes}"
        return replace(best, outcome=end, reason=reason)
    return replace(best, outcome=end)


def _rank(one: Finished, config: DatasetConfig) -> tuple[bool, bool, int]:
    """New files first, those that keep a floor which the rule promises before others, and of equals the smallest."""
    missed = config.palette.keeps_floor and one.below_floor
    return not one.outcome.is_new_file, missed, len(one.file.content) if one.file else 0
