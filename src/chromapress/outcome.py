"""What every image ends as. The sum of the outcomes is what landed, always."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Outcome(StrEnum):
    PUBLISHED = "published"
    PUBLISHED_LOSSLESS = "published_lossless"
    KEPT_LARGER = "kept_larger"
    KEPT_QUALITY = "kept_quality"
    KEPT_ANIMATED = "kept_animated"
    KEPT_MULTIPAGE = "kept_multipage"
    REJECTED = "rejected"

    @property
    def is_new_file(self) -> bool:
        """Whether what is published is a file of ours: a palette file, or with codec `auto` a lossy one."""
        return self in (Outcome.PUBLISHED, Outcome.PUBLISHED_LOSSLESS)

    @property
    def is_kept(self) -> bool:
        """Whether what is published is the source, byte for byte."""
        return self.value.startswith("kept_")


# As tables have them.
NEW_FILES: Final = tuple(outcome.value for outcome in Outcome if outcome.is_new_file)
KEPT: Final = tuple(outcome.value for outcome in Outcome if outcome.is_kept)
