"""The rows of a stream rebuilt from its change events: each event is one change, from the value before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .invariants import different_columns, normalized
from .office import Rows
from .plugins import Message


class EventHistory:
    """The rows of one stream, rebuilt from its events since a complete run.

    A missing event leaves a row outdated; a superfluous event does not fit the row.
    """

    def __init__(self, stream: str) -> None:
        self._stream, self._rows = stream, dict[int, Message]()
        self.has_started = False

    def start_with(self, records: Mapping[int, Message]) -> None:
        """Start with the records of a complete run, which has no events."""
        self._rows, self.has_started = dict(records), True

    def apply(self, events: Iterable[Message]) -> Iterator[str]:
        """Apply the events of a run whose state is used by the next run."""
        for event in events:
            yield from (f"{self._stream} {event['object_id']}: {what}" for what in self._apply(event))

    def differences(self, rows: Rows, without: frozenset[str], *, exactly: bool) -> Iterator[str]:
        """Yield the differences from the account. `without` are columns whose changes cause no event, or are hidden.

        `exactly`: the run did not report that it is unsure about deleted rows.
        """
        for number in sorted({*rows} - {*self._rows}):
            yield f"{self._stream} {number} was created, and no event says so"
        for number in sorted({*self._rows} - {*rows}) if exactly else ():
            yield f"{self._stream} {number} was deleted, and no event says so"
        for number in sorted({*rows} & {*self._rows}):
            columns = different_columns(rows[number], self._rows[number], without)
            if columns:
                yield f"{self._stream} {number}: no event says what happened to {', '.join(columns[:5])}"

    def _apply(self, event: Message) -> Iterator[str]:
        number, kind, known = event["object_id"], event["event"], self._rows.get(event["object_id"])
        if kind == "created":
            if known is not None:
                yield "created, and was there"
            self._rows[number] = event["object"]
        elif known is None:
            yield f"{kind}, and was not there"
        elif kind == "deleted":
            del self._rows[number]
        else:
            old, new = _values(event)
            wrong = [
                name
                for name in new
                if normalized(old[name]) == normalized(new[name])
                or normalized(known.get(name)) != normalized(old[name])
            ]
            if wrong or not new:
                yield f"{kind}, and {', '.join(wrong) or 'nothing'} did not change from the reported value"
            self._rows[number] = {**known, **new}


def _values(event: Message) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the values before and after, by column."""
    old, new = event["old_value"], event["new_value"]
    if event["event"] == "updated":
        return old, new
    column = event["message"].rpartition(" FOR ")[2]
    return {column: old}, {column: new}
