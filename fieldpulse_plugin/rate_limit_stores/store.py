"""What a store of rate limits has to do, and how long it may be silent."""

from __future__ import annotations

from typing import Protocol

from fieldpulse_api.errors import ConfigError
from fieldpulse_api.http.limits.rate_limiter import Operation, View

SILENCE_SECONDS = 3
"""For a connection and for an answer, each. The answer usually takes milliseconds."""


class StoreLost(Exception):
    """The store cannot be reached, or does not answer. The text is the reason."""


class SlotStore(Protocol):
    """The state of one key's rate limit in a server. May be used by many threads."""

    def apply(self, operation: Operation, interval: float) -> View:
        """Carry an operation out by the server's clock, at once and alone.

        A state that is missing or damaged begins again. `interval` is the one between two slots, in seconds.

        Raises: StoreLost if that may have been carried out or not; ConfigError.
        """

    def close(self) -> None:
        """Close the connections."""


def refusal(reason: str, address: str, hint: str) -> ConfigError:
    """Return the error for a store that answers, but refuses what the setting asks for."""
    where = f"setting rate_limit_store · {address}"
    return ConfigError(f"The rate limit store cannot be used ({reason}).", where=where, hint=hint)
