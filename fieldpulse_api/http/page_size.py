"""How many rows of a list fit into one response, as the responses of this run have shown."""

from __future__ import annotations

import threading

LIGHT_BYTES = 4 << 20  # less than half of what the gateway can send
_LIGHT_SECONDS = 10.0


class PageSize:
    """The number of rows to request at once: `current`, which divides `largest`.

    A row may have 600 KB, and a response over 10 MB or 29 s does not come (API facts 1.3 and 4.20). A failure that the
    size may explain lowers the size to about a half. Light responses raise it again, where the next size would be
    light too. Each failure doubles the number of light responses that this takes: otherwise a list whose rows are all
    heavy would be asked for too much again and again. Thread-safe.

    Invariant: every size divides `largest`, so that `largest` rows are always a whole number of requests and begin at
    the start of one.
    """

    def __init__(self, largest: int, start: int) -> None:
        self._sizes = [largest]  # from the largest to 1
        while self._sizes[-1] > 1:
            half = self._sizes[-1] // 2
            self._sizes.append(next(size for size in range(half, 0, -1) if largest % size == 0))
        self._index = next(index for index, size in enumerate(self._sizes) if size <= max(1, start))
        self._light_responses, self._light_responses_needed = 0, 1
        self._may_grow = True
        self._lock = threading.Lock()

    @property
    def current(self) -> int:
        """Return the number of rows to request."""
        return self._sizes[self._index]

    @property
    def largest(self) -> int:
        """Return the number of rows of a whole page."""
        return self._sizes[0]

    def shrink(self, failed_size: int) -> bool:
        """Lower the size after a failure; return whether a smaller one than `failed_size` is left to try."""
        with self._lock:
            if failed_size == self.current and failed_size > 1:  # else another thread has lowered it
                self._index += 1
                self._light_responses = 0
                self._light_responses_needed *= 2
            return self.current < failed_size

    def observe(self, rows: int, body_bytes: int, seconds: float) -> None:
        """Raise the size after enough responses in a row with which the next size would be light."""
        with self._lock:
            if not self._may_grow or self._index == 0 or rows < self.current:
                return
            growth = self._sizes[self._index - 1] / self.current
            is_light = body_bytes * growth <= LIGHT_BYTES and seconds * growth <= _LIGHT_SECONDS
            self._light_responses = self._light_responses + 1 if is_light else 0
            if self._light_responses >= self._light_responses_needed:
                self._index -= 1
                self._light_responses = 0

    def stop_growing(self) -> None:
        """Keep the size from growing, because this server's pages do not have the size that was asked for."""
        self._may_grow = False
