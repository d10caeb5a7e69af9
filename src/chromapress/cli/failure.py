"""How a command ends that cannot do what it was asked."""

from __future__ import annotations

from typing import Final

USAGE: Final = 2
NO_INPUT: Final = 66  # EX_NOINPUT of sysexits.h
UNAVAILABLE: Final = 69  # EX_UNAVAILABLE


class Failure(Exception):  # noqa: N818  (not an error of the program: a message for its user)
    """The text is the whole message, without 'chromapress: error: '."""

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.code = code
