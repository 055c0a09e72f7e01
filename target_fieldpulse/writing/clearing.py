"""What clears a field: null, the empty text, or nothing. Learned from the account, once for each field in a run.

The vendor documents none of it, so the first null of a field is sent in one form, checked, and sent in the other form
if the field still holds its value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from fieldpulse_api.resources.write_model import FieldType
from target_fieldpulse.planning.plan import Body

from .put_target import EMPTY, PutTarget
from .services import WriteServices

_ZERO_VALUES: dict[FieldType, tuple[Any, ...]] = {
    FieldType.BOOLEAN: (False,),
    FieldType.INTEGER: (0,),
    FieldType.DECIMAL: (0,),
}
"""What counts as empty in columns that are never null."""


class ClearValue(Enum):
    """What clears a field."""

    NULL = None
    EMPTY_TEXT = ""
    NOT_CLEARABLE = "not clearable"

    @property
    def other(self) -> ClearValue:
        """Return the other value to try."""
        return ClearValue.NULL if self is ClearValue.EMPTY_TEXT else ClearValue.EMPTY_TEXT


@dataclass(frozen=True)
class Clearing:
    """How the fields of one PUT are cleared. Those in `untested` were never cleared in this run before."""

    values: Mapping[str, ClearValue]
    untested: frozenset[str]

    @property
    def body(self) -> Body:
        """Return the values to send."""
        return {name: value.value for name, value in self.values.items() if value is not ClearValue.NOT_CLEARABLE}


class ClearingStrategy:
    """Choose what clears fields, and learn it. May be used by many threads."""

    def __init__(self, services: WriteServices) -> None:
        self._services = services
        self._learned: dict[tuple[str, str], ClearValue] = {}

    def choose(self, target: PutTarget, names: Iterable[str]) -> Clearing:
        """Return how to clear fields. Those that are empty already are left out, where it matters what clears them."""
        learned = {name: self._learned.get((target.resource.name, name)) for name in names}
        doubtful = [name for name, value in learned.items() if value in (None, ClearValue.NOT_CLEARABLE)]
        row = (target.row or self._read(target)) if doubtful else {}
        values = {
            name: value or self._first_value(target, name)
            for name, value in learned.items()
            if name not in doubtful or not _is_empty(target, row, name)
        }
        return Clearing(values, frozenset(name for name in values if learned[name] is None))

    def verify(self, target: PutTarget, clearing: Clearing, send: Callable[[PutTarget, Body], object]) -> list[str]:
        """Check the untested fields of a PUT that was sent, and try the other value on those that were not cleared.

        Return the names of the fields that nothing clears.
        """
        values = dict(clearing.values)
        if clearing.untested:
            not_cleared = self._not_cleared(target, clearing.untested)
            if not_cleared:
                others = {name: values[name].other for name in not_cleared}
                send(target, {name: value.value for name, value in others.items()})
                still_not_cleared = self._not_cleared(target, not_cleared)
                values |= others | dict.fromkeys(still_not_cleared, ClearValue.NOT_CLEARABLE)
            self._learned.update({(target.resource.name, name): values[name] for name in clearing.untested})
        return [name for name, value in values.items() if value is ClearValue.NOT_CLEARABLE]

    def _first_value(self, target: PutTarget, name: str) -> ClearValue:
        """Return null, unless the account's profile says that null does not clear texts."""
        is_text = target.field_of(name).type is FieldType.TEXT
        null_clears = self._services.client.settings.profile.writes.null_clears
        return ClearValue.EMPTY_TEXT if is_text and null_clears is False else ClearValue.NULL

    def _not_cleared(self, target: PutTarget, names: Iterable[str]) -> list[str]:
        row = self._read(target)
        return [name for name in names if not _is_empty(target, row, name)]

    def _read(self, target: PutTarget) -> Mapping[str, Any]:
        return self._services.read_row(target.resource, target.path)


def _is_empty(target: PutTarget, row: Mapping[str, Any], name: str) -> bool:
    field = target.field_of(name)
    value = row.get(field.column)
    if field.type is FieldType.DECIMAL and isinstance(value, str) and value:
        return not value.strip("0.")
    return value in EMPTY or value in _ZERO_VALUES.get(field.type, ())
