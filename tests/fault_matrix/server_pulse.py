"""Whether the server was on time: what it does late then is this machine's doing, and no fault of anybody's."""

from __future__ import annotations

import asyncio

from fieldpulse_sandbox.sandbox import Sandbox

_EVERY_SECONDS = 0.02


class Pulse:
    """The beat of a sandbox's thread, for as long as the `with` lasts.

    `stood_still` is by how many seconds a beat came late, at most.
    """

    def __init__(self, box: Sandbox) -> None:
        self._box, self._is_over = box, False
        self.stood_still = 0.0

    def __enter__(self) -> None:
        """Begin."""
        loop = self._box._server._loop
        assert loop
        loop.call_soon_threadsafe(self._beat, loop, loop.time())

    def __exit__(self, *exc: object) -> None:
        """End."""
        self._is_over = True

    def _beat(self, loop: asyncio.AbstractEventLoop, due: float) -> None:
        now = loop.time()
        self.stood_still = max(self.stood_still, now - due)
        if not self._is_over:
            loop.call_at(now + _EVERY_SECONDS, self._beat, loop, now + _EVERY_SECONDS)
