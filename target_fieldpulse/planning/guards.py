"""Guards: how much of a stream one run may create, update and delete."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from fieldpulse_api.errors import ConfigError, SafetyLimitReached

from .plan import Action

_NUMBER = re.compile(r"\d{1,15}(\.\d+)?%?\Z", re.ASCII)
SETTINGS: Mapping[Action, str] = {"create": "max_creates", "update": "max_updates", "delete": "max_deletes"}


class Guards:
    """Count what is done to each stream, and stop the run at the limit. May be used by many threads.

    `known` returns how many rows of a stream earlier runs have written: what a percentage is of.
    """

    def __init__(self, config: Mapping[str, Any], known: Callable[[str], int]) -> None:
        self._limits = {
            action: _read(config, name) for action, name in SETTINGS.items() if config.get(name) is not None
        }
        self._known = known
        self._counts: Counter[tuple[Action, str]] = Counter()
        self._most: dict[tuple[Action, str], int] = {}
        self._lock = threading.Lock()

    def __bool__(self) -> bool:
        return bool(self._limits)

    def count(self, action: Action, stream: str) -> None:
        """Count one more. Raises: GuardStopped when that is too many."""
        if action not in self._limits:
            return
        with self._lock:
            self._counts[action, stream] += 1
            if self._counts[action, stream] > self._limit(action, stream):
                raise self._stopped(action, stream)

    def reset(self) -> None:
        """Begin to count anew: what was counted was only planned."""
        with self._lock:
            self._counts.clear()

    def _limit(self, action: Action, stream: str) -> int:
        if (action, stream) not in self._most:
            number, is_percent = self._limits[action]
            self._most[action, stream] = int(self._known(stream) * number / 100) if is_percent else int(number)
        return self._most[action, stream]

    def _stopped(self, action: Action, stream: str) -> SafetyLimitReached:
        number, is_percent = self._limits[action]
        share = f" ({number:g} % of the {self._known(stream)} that are known)" if is_percent else ""
        return SafetyLimitReached(
            f"More than {self._most[action, stream]} {action}s of {stream}{share}: the run was stopped.",
            where=f"setting {SETTINGS[action]} · stream {stream}",
            hint="look at the source; `dry_run: true` shows what would be done. Raise the limit if it is meant",
        )


def _read(config: Mapping[str, Any], name: str) -> tuple[float, bool]:
    text = str(config[name]).strip()
    number = float(text.removesuffix("%")) if _NUMBER.match(text) else -1.0
    if number < 0 or (not number.is_integer() and not text.endswith("%")):
        what = "The limit is neither a whole number nor a percentage."
        raise ConfigError(what, where=f"setting {name}", hint='give it like 100 or "5%"')
    return number, text.endswith("%")
