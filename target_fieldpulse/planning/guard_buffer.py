"""Records that are held back until it is known what all of them would do."""

from __future__ import annotations

from collections.abc import Callable, Iterator

_MOST_HELD = 20_000  # some tens of megabytes

Start = Callable[[], None]


class Held:
    """What to start once the guards have seen everything, or as much as is held."""

    def __init__(self) -> None:
        self._starts: list[Start] = []

    def put(self, start: Start) -> bool:
        """Hold something back; say whether it is as much as can be held."""
        self._starts.append(start)
        return len(self._starts) >= _MOST_HELD

    def take(self) -> Iterator[Start]:
        """Yield what was held, in its order."""
        yield from self._starts
        self._starts.clear()
