"""What people call things → FieldPulse ids: how two values are compared, and a list's ids by their names."""

from __future__ import annotations

import re
from typing import Any


def normal(value: Any) -> str:
    """Return the form in which two values are compared: case, spaces and a phone's punctuation do not count."""
    words = " ".join(str(value).casefold().split())
    digits = re.sub(r"[\s().+-]", "", words)
    return digits[-10:] if digits.isdigit() and len(digits) >= 10 else words  # noqa: PLR2004  with or without country code


class Index:
    """The ids of a list's rows by the value of one column, apart from case and spaces."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._ids: dict[str, list[int]] = {}
        self._values: dict[int, str] = {}

    def put(self, row_id: int, value: Any) -> None:
        """Say which value a row has now."""
        before, now = self._values.get(row_id), normal(value)
        if before is not None:
            self._ids[before].remove(row_id)
        self._values[row_id] = now
        self._ids.setdefault(now, []).append(row_id)

    def find(self, value: Any) -> list[int]:
        """Return the ids of the rows that have a value."""
        return list(self._ids.get(normal(value), ()))
