"""A check that the server was on time. A late response on an overloaded machine is not an error of the plugins."""

from __future__ import annotations

import asyncio

from fieldpulse_sandbox.sandbox import Sandbox

_EVERY_SECONDS = 0.02


class ServerPulse:
    """A timer in the sandbox's event loop, running for the length of the `with` block.

    `longest_delay_seconds` is the longest delay of a tick.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self._box, self._is_over = sandbox, False
        self.longest_delay_seconds = 0.0

    def __enter__(self) -> None:
        """Start the timer."""
        loop = self._box._server._loop
        assert loop
        loop.call_soon_threadsafe(self._tick, loop, loop.time())

    def __exit__(self, *exc: object) -> None:
        """Stop the timer."""
        self._is_over = True

    def _tick(self, loop: asyncio.AbstractEventLoop, due: float) -> None:
        now = loop.time()
        self.longest_delay_seconds = max(self.longest_delay_seconds, now - due)
        if not self._is_over:
            loop.call_at(now + _EVERY_SECONDS, self._tick, loop, now + _EVERY_SECONDS)
