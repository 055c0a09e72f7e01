"""What change events alone make of a stream: each tells of one change, from what was result before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .invariants import differing, plain
from .office import Rows
from .plugins import Message


class History:
    """The rows of one stream, by its events since a run that was complete.

    An event that is missing leaves a row as it was, one too many finds another row than it tells of.
    """

    def __init__(self, stream: str) -> None:
        self._stream, self._rows = stream, dict[int, Message]()
        self.has_begun = False

    def begin(self, records: Mapping[int, Message]) -> None:
        """Begin with what a complete run emitted: of that there are no events."""
        self._rows, self.has_begun = dict(records), True

    def load(self, events: Iterable[Message]) -> Iterator[str]:
        """Take in the events of a run that counts, one whose state is kept."""
        for event in events:
            yield from (f"{self._stream} {event['object_id']}: {what}" for what in self._take(event))

    def must_be(self, rows: Rows, without: frozenset[str], *, exactly: bool) -> Iterator[str]:
        """Yield where this is not the account. `without` are columns whose changes are none, or not shown.

        `exactly`: the run does not say that it could not find out whether a row was deleted.
        """
        for number in sorted({*rows} - {*self._rows}):
            yield f"{self._stream} {number} was created, and no event says so"
        for number in sorted({*self._rows} - {*rows}) if exactly else ():
            yield f"{self._stream} {number} was deleted, and no event says so"
        for number in sorted({*rows} & {*self._rows}):
            columns = differing(rows[number], self._rows[number], without)
            if columns:
                yield f"{self._stream} {number}: no event says what happened to {', '.join(columns[:5])}"

    def _take(self, event: Message) -> Iterator[str]:
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
                if plain(old[name]) == plain(new[name]) or plain(known.get(name)) != plain(old[name])
            ]
            if wrong or not new:
                yield f"{kind}, and {', '.join(wrong) or 'nothing'} did not change from what is said"
            self._rows[number] = {**known, **new}


def _values(event: Message) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the values before and after, by column."""
    old, new = event["old_value"], event["new_value"]
    if event["event"] == "updated":
        return old, new
    column = event["message"].rpartition(" FOR ")[2]
    return {column: old}, {column: new}
