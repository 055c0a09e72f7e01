"""When requests arrived at a server."""

from __future__ import annotations

from collections.abc import Iterable


def most_in_a_second(arrivals: Iterable[float]) -> int:
    """Return the most arrivals in any sliding second. They are in seconds of one clock, in any order."""
    times = sorted(arrivals)
    most = first = 0
    for last, time in enumerate(times):
        while time - times[first] >= 1:
            first += 1
        most = max(most, last - first + 1)
    return most
