"""The plan of a dry run, as the page shows it: what would change, field by field."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fieldpulse_api.errors import ConfigError
from fieldpulse_api.values.strict_json import decode
from target_fieldpulse.records.ledger_key import LedgerKey

MAX_RECORDS = 500
"""The page shows so many records one by one, and counts the rest."""
_MAX_VALUE_LENGTH = 200


@dataclass(frozen=True)
class FieldChange:
    """A field of a record: its name, and the old and the new value as text; None without --show-values."""

    name: str
    kind: str
    old: str | None
    new: str | None


@dataclass(frozen=True)
class PlannedRecord:
    """What would be done for one record."""

    action: str
    stream: str
    key: str
    changes: list[FieldChange]


@dataclass
class Plan:
    """A plan: its first records, and the count of all by stream and action. `totals` is what it would cost."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    records: list[PlannedRecord] = field(default_factory=list)
    totals: dict[str, Any] = field(default_factory=dict)

    @property
    def more(self) -> int:
        """Return how many records are only counted."""
        return self.counts.total() - len(self.records)


def read_plan(path: Path, *, shows_values: bool) -> Plan:
    """Return the plan in a file of `plan_path`. Raises: ConfigError."""
    plan = Plan()
    try:
        for line in _lines(path):
            if line["action"] == "total":
                plan.totals = line
                continue
            plan.counts[line["stream"], line["action"]] += 1
            if len(plan.records) < MAX_RECORDS:
                plan.records.append(_record(line, shows_values=shows_values))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"The plan cannot be read ({getattr(error, 'strerror', None) or 'it is not the file of a dry run'}).",
            where=f"--plan {path}",
            hint="name the file of plan_path, after a run with dry_run",
        ) from None
    plan.records.sort(key=lambda record: (record.stream, record.key))
    return plan


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open("rb") as file:
        for line in file:
            if line.strip():
                yield decode(line)


def _record(line: dict[str, Any], *, shows_values: bool) -> PlannedRecord:
    key = LedgerKey.from_text(line["stream"], line.get("key") or "new row, because records refer to it")
    words = line.get("words") or {}
    changes = [
        _change(name, change, words.get(name) or {}, shows_values=shows_values)
        for name, change in line["fields"].items()
    ]
    changes += [FieldChange(name, "action", None, None) for name in line.get("actions") or ()]
    return PlannedRecord(line["action"], line["stream"], key.text if shows_values else key.redacted, changes)


def _change(name: str, change: dict[str, Any], words: dict[str, Any], *, shows_values: bool) -> FieldChange:
    old, new = change["old"], change["new"]
    kind = "cleared" if _is_empty(new) else "set" if _is_empty(old) else "changed"
    if not shows_values:
        return FieldChange(name, kind, None, None)
    return FieldChange(name, kind, _text(words.get("old", old)), _text(words.get("new", new)))


def _is_empty(value: Any) -> bool:
    return value in (None, "", [], {})


def _text(value: Any) -> str:
    text = "empty" if _is_empty(value) else str(value)
    return text if len(text) <= _MAX_VALUE_LENGTH else text[: _MAX_VALUE_LENGTH - 1] + "…"
