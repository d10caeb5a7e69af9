"""Counts what somebody has done lately, to slow down who does it too often.

Each process of the API server counts for itself, and forgets when it ends: what is to be slowed takes hours.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable
from typing import Final

# Keys are names and addresses that strangers choose: this many are remembered, those that were seen last.
_REMEMBERED: Final = 20_000


class TooOftenError(Exception):
    """Somebody must wait."""

    def __init__(self, wait_s: float) -> None:
        self.wait_s = math.ceil(wait_s)
        super().__init__(f"Too many attempts. Try again in {duration(self.wait_s)}.")


class Throttle:
    """Allows each key so many events in a window of time."""

    def __init__(self, allowed: int, window_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._allowed = allowed
        self._window_s = window_s
        self._clock = clock
        self._events: dict[Hashable, deque[float]] = {}
        self._lock = threading.Lock()

    def check(self, key: Hashable) -> None:
        """Raise TooOftenError if the key has had its events."""
        with self._lock:
            events = self._recent(key)
            if len(events) >= self._allowed:
                raise TooOftenError(events[0] + self._window_s - self._clock())

    def count(self, key: Hashable) -> None:
        """Remember an event."""
        with self._lock:
            events = self._recent(key)
            events.append(self._clock())
            # To the end of the dictionary: its front is what was seen longest ago.
            self._events.pop(key, None)
            self._events[key] = events
            while len(self._events) > _REMEMBERED:
                del self._events[next(iter(self._events))]

    def forget(self, key: Hashable) -> None:
        """Let the key begin anew."""
        with self._lock:
            self._events.pop(key, None)

    def _recent(self, key: Hashable) -> deque[float]:
        events = self._events.get(key, deque(maxlen=self._allowed))
        while events and events[0] <= self._clock() - self._window_s:
            events.popleft()
        return events


def duration(seconds: int) -> str:
    """A time to wait, in words: 1 second, 40 seconds, 2 minutes."""
    count, unit = (seconds, "second") if seconds <= 90 else (math.ceil(seconds / 60), "minute")
    return f"{count} {unit}{'s' if count != 1 else ''}"
