"""One PUT: with what must be repeated, and a look at whether a null did what it should."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fieldpulse_api.errors import RecordInvalid, RowNotFound, UncertainWrite
from fieldpulse_api.resources.model import WritableResource
from fieldpulse_api.resources.write_model import FieldType
from target_fieldpulse.planning.lookups import has_column
from target_fieldpulse.planning.plan import Body, differing_fields
from target_fieldpulse.records.field_codec import refuse

from .services import WriteServices

NOT_CLEARABLE = "kept"
"""FieldPulse clears the field by nothing that we know."""
_EMPTY: tuple[Any, ...] = (None, "", [])
_ZERO_VALUES: dict[FieldType, tuple[Any, ...]] = {
    FieldType.BOOLEAN: (False,),
    FieldType.INTEGER: (0,),
    FieldType.DECIMAL: (0,),
}
"""What is empty besides, in columns that are never null."""
_MAX_ATTEMPTS = 3

ClearValues = dict[str, Any]
"""What clears a field: null, the empty text, or `_KEPT`."""


@dataclass(frozen=True)
class PutTarget:
    """Where a PUT goes. `again` are fields that it may have to repeat, `row` is what is there, where that was read."""

    resource: WritableResource
    path: str
    resend: Mapping[str, Any] = field(default_factory=dict)
    row: Mapping[str, Any] | None = None


class PutSender:
    """Change rows. May be used by many threads.

    What an account wants repeated, and how its fields are cleared, is found out once in a run (question 10).
    """

    def __init__(
        self, services: WriteServices, *, uncertain_create_timeout_seconds: float, wait: Callable[[float], bool]
    ) -> None:
        """Write. `uncertain_create_timeout_seconds` is how long after it was sent a PUT may still be carried out."""
        self._services, self._timeout_seconds, self._wait = services, uncertain_create_timeout_seconds, wait
        self._resending_streams: set[str] = set()
        self._known_clear_values: dict[tuple[str, str], Any] = {}

    def send(self, target: PutTarget, body: Body) -> bool:
        """Send fields of a row; None clears one. Return whether there was anything to send.

        Raises: Invalid, also when FieldPulse keeps a field that was to be cleared: the rest is written then.
        """
        nulls = [name for name, value in body.items() if value is None]
        known = {
            name: self._known_clear_values[target.resource.name, name] for name in nulls if self._is_known(target, name)
        }
        ways = self._clear_values(target, nulls, known) if nulls else {}
        sent = {name: value for name, value in body.items() if value is not None}
        whole = {**sent, **{name: way for name, way in ways.items() if way != NOT_CLEARABLE}}
        self._send(target, whole)
        unknown = [name for name in ways if name not in known]  # another thread may have found it out meanwhile
        if unknown:
            ways |= self._learn_clear_values(target, {name: ways[name] for name in unknown})
        kept = ", ".join(name for name, way in ways.items() if way == NOT_CLEARABLE)
        if kept:
            raise refuse(f"{kept}: FieldPulse does not clear it; the rest was written", kept, "clear it in FieldPulse")
        return bool(whole)

    def send_action(self, path: str, body: Body) -> None:
        """Send a PUT of its own. One that was not answered may be carried out late: then it is sent once more.

        Raises: OutcomeUnknown where it is never answered, or the run is stopped.
        """
        self._wait_for_killed_run()
        for _ in range(_MAX_ATTEMPTS):
            if not self._services.client.put(path, body).was_retried:
                return
            if self._wait(self._timeout_seconds):
                break
        raise _uncertain(path)

    def _clear_values(self, place: PutTarget, names: list[str], known: ClearValues) -> ClearValues:
        """Return what clears these fields, or what is tried first. Those that are empty need nothing."""
        doubtful = [name for name in names if known.get(name, NOT_CLEARABLE) == NOT_CLEARABLE]
        row = (place.row or self._services.read_row(place.resource, place.path)) if doubtful else {}
        empty = {name for name in doubtful if self._is_empty(place, row, name)}
        return {name: known.get(name, self._first_clear_value(place, name)) for name in names if name not in empty}

    def _first_clear_value(self, place: PutTarget, name: str) -> Any:
        """Return null, unless the profile says that texts are not cleared by it."""
        fields = place.resource.write_spec.by_name
        is_text = name in fields and fields[name].type is FieldType.TEXT
        return "" if is_text and self._services.client.settings.profile.writes.null_clears is False else None

    def _learn_clear_values(self, place: PutTarget, ways: ClearValues) -> ClearValues:
        """See whether these fields were cleared by what was sent, else whether they are by the other way."""
        left = self._not_cleared(place, ways)
        if left:
            others = {name: None if ways[name] == "" else "" for name in left}
            self._send(place, others)
            kept = self._not_cleared(place, left)
            ways |= {name: NOT_CLEARABLE if name in kept else other for name, other in others.items()}
        self._known_clear_values.update({(place.resource.name, name): way for name, way in ways.items()})
        return ways

    def _not_cleared(self, place: PutTarget, names: Iterable[str]) -> list[str]:
        row = self._services.read_row(place.resource, place.path)
        return [name for name in names if not self._is_empty(place, row, name)]

    def _is_known(self, place: PutTarget, name: str) -> bool:
        return (place.resource.name, name) in self._known_clear_values

    def _differing(self, place: PutTarget, body: Body, row: Mapping[str, Any]) -> list[str]:
        write = place.resource.write_spec
        names = differing_fields(place.resource, body, row, self._services.codec)
        return [write.column_of(name) for name in names]

    @staticmethod
    def _is_empty(place: PutTarget, row: Mapping[str, Any], name: str) -> bool:
        field = place.resource.write_spec.by_name[name]
        cell = row.get(field.column)
        if field.type is FieldType.DECIMAL and isinstance(cell, str) and cell:
            return not cell.strip("0.")
        return cell in _EMPTY or cell in _ZERO_VALUES.get(field.type, ())

    def _send(self, place: PutTarget, body: Body) -> None:
        if not body:
            return
        self._wait_for_killed_run()
        rules, name = place.resource.write_spec, place.resource.name
        missing = [one for one in rules.always_resend if one not in body]
        is_always = set(rules.always_resend) <= set(rules.required)
        if missing and (is_always or name in self._resending_streams):
            body, missing = self._add_required_fields(place, missing, body), []
        try:
            self._put_and_verify(place, body)
        except RowNotFound:
            raise
        except RecordInvalid:
            if not missing:
                raise
            self._put_and_verify(place, self._add_required_fields(place, missing, body))
            self._resending_streams.add(name)  # this account wants them with every PUT

    def _wait_for_killed_run(self) -> None:
        """Wait until nothing that a killed run sent can be carried out any more: it would undo what is sent now."""
        killed_by = self._services.ledger.killed_before
        left = (killed_by or 0) + self._timeout_seconds - time.time()
        if left > 0 and self._wait(left):
            raise UncertainWrite(
                "The run was stopped before anything was sent.", where="PUT", hint="run again: the record comes again"
            )

    def _put_and_verify(self, place: PutTarget, body: Body) -> None:
        """Send a PUT. One that was not answered may be carried out late, over a newer one: then the row is looked at.

        Raises: OutcomeUnknown where it will not hold, or the run is stopped.
        """
        for _ in range(_MAX_ATTEMPTS):
            if not self._services.client.put(place.path, body).was_retried:
                return
            if self._wait(self._timeout_seconds):
                break
            row = self._services.read_row(place.resource, place.path)
            if not any(has_column(row, column) for column in self._differing(place, body, row)):
                return
        raise _uncertain(place.path)

    def _add_required_fields(self, place: PutTarget, missing: list[str], body: Body) -> Body:
        """Return a body with what must go along: as the record says, else as the row holds it."""
        given = {name: place.resend[name] for name in missing if place.resend.get(name) not in _EMPTY}
        lacking = [name for name in missing if name not in given]
        row = (place.row or self._services.read_row(place.resource, place.path)) if lacking else {}
        return {**{name: row[name] for name in lacking if row.get(name) not in _EMPTY}, **given, **body}


def _uncertain(path: str) -> UncertainWrite:
    what = "Whether a change was carried out is unknown."
    return UncertainWrite(what, where=f"PUT {path}", hint="run again later: it is sent again")
