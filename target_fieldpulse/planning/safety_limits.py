"""Safety limits: limits on how many rows of a stream one run may create, update and delete.

A safety limit stops the run before its first write, so that a broken source cannot empty or flood an account.
"""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fieldpulse_api.errors import ConfigError, SafetyLimitReached

from .plan import PlanAction

_LIMIT = re.compile(r"\d{1,15}(\.\d+)?%?\Z", re.ASCII)
SETTINGS: Mapping[PlanAction, str] = {"create": "max_creates", "update": "max_updates", "delete": "max_deletes"}


@dataclass(frozen=True)
class Limit:
    """A number of rows, or a percentage of the rows that the ledger has."""

    number: float
    is_percentage: bool

    @classmethod
    def from_setting(cls, name: str, value: Any) -> Limit:
        """Parse a setting. Raises: ConfigError."""
        text = str(value).strip()
        limit = cls(float(text.removesuffix("%")) if _LIMIT.match(text) else -1.0, text.endswith("%"))
        if limit.number < 0 or not (limit.number.is_integer() or limit.is_percentage):
            what = f"`{name}` must be a whole number or a percentage."
            raise ConfigError(what, where=f"setting {name}", hint='write it like 100 or "5%"')
        return limit


def limits_from_config(config: Mapping[str, Any]) -> dict[PlanAction, Limit]:
    """Return the limits that the settings name. Raises: ConfigError."""
    configured = {action: name for action, name in SETTINGS.items() if config.get(name) is not None}
    return {action: Limit.from_setting(name, config[name]) for action, name in configured.items()}


class SafetyLimits:
    """Counts what is done to each stream, and stops the run at a limit. May be used by many threads.

    `row_count` returns how many rows of a stream earlier runs have written, the base of a percentage.
    """

    def __init__(self, limits: Mapping[PlanAction, Limit], row_count: Callable[[str], int]) -> None:
        self._limits, self._row_count = limits, row_count
        self._counts: Counter[tuple[PlanAction, str]] = Counter()
        self._maxima: dict[tuple[PlanAction, str], int] = {}
        self._lock = threading.Lock()

    def __bool__(self) -> bool:
        return bool(self._limits)

    def count(self, action: PlanAction, stream: str) -> None:
        """Count one action. Raises: SafetyLimitReached when the limit is exceeded."""
        limit = self._limits.get(action)
        if limit is None:
            return
        with self._lock:
            self._counts[action, stream] += 1
            if self._counts[action, stream] > self._maximum(limit, action, stream):
                raise self._limit_error(limit, action, stream)

    def take_back(self, action: PlanAction, stream: str) -> None:
        """Undo one count: the action came to nothing."""
        with self._lock:
            self._counts[action, stream] -= 1

    def reset(self) -> None:
        """Set all counts to zero: what was counted was only planned."""
        with self._lock:
            self._counts.clear()

    def _maximum(self, limit: Limit, action: PlanAction, stream: str) -> int:
        if (action, stream) not in self._maxima:
            rows = self._row_count(stream) * limit.number / 100 if limit.is_percentage else limit.number
            self._maxima[action, stream] = int(rows)
        return self._maxima[action, stream]

    def _limit_error(self, limit: Limit, action: PlanAction, stream: str) -> SafetyLimitReached:
        share = f" ({limit.number:g} % of the {self._row_count(stream)} known rows)" if limit.is_percentage else ""
        return SafetyLimitReached(
            f"The run would {action} more than {self._maxima[action, stream]} rows of `{stream}`{share}.",
            where=f"setting {SETTINGS[action]} · stream {stream}",
            hint="check the source; `dry_run: true` shows the planned writes. Raise the limit if they are intended",
        )
