"""A clock for limits that take minutes: the code under test sees them pass within seconds."""

from __future__ import annotations

import time

_MONOTONIC = time.monotonic


class FastClock:
    """A monotonic clock that runs a hundred times as fast. It replaces `time.monotonic`."""

    def __init__(self) -> None:
        self._start, self.skipped_seconds = _MONOTONIC(), 0.0

    def __call__(self) -> float:
        """Return the time in seconds."""
        return self._start + 100 * (_MONOTONIC() - self._start) + self.skipped_seconds
