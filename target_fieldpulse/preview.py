"""A dry run: what would be done, field by field, and what it would cost."""

from __future__ import annotations

import logging
import os
import threading
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from fieldpulse_api.catalogue import BY_NAME
from fieldpulse_api.errors import BadSetting
from fieldpulse_api.names import PERSONAL, normal
from fieldpulse_api.write import Field, Kind

from .entries import DEFINITION
from .entries import FIELD as VALUES
from .means import Means, path_of
from .outcomes import Done, Outcome
from .plan import Action, Body, Note, Plan, creating, differing
from .references import References
from .updates import Updates
from .wire import shape
from .writer import shown

_LOGGER = logging.getLogger(__name__)
_JSON = msgspec.json.Encoder(decimal_format="number")
_PUBLIC = (Kind.INTEGER, Kind.DECIMAL, Kind.BOOLEAN, Kind.TIME, Kind.DATE, Kind.OBJECT_TYPE)
_OUTCOMES: Mapping[Action, Outcome] = {
    "create": "created",
    "finish": "created",
    "update": "updated",
    "delete": "deleted",
    "unchanged": "unchanged",
    "skip": "skipped",
}


class Preview:
    """Show plans instead of carrying them out. May be used by many threads.

    What is printed has the values of numbers, times and codes only; the file at `path` has all of them.
    """

    def __init__(
        self,
        means: Means,
        references: References,
        updates: Updates,
        path: str | None,
        *,
        requests_per_second: float,
    ) -> None:
        self._means, self._references, self._updates = means, references, updates
        self._rate = requests_per_second
        self._totals: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._file = _open(path) if path else -1

    def carry_out(self, plan: Plan) -> Done:
        """Print what a plan would do, and say what would become of the record."""
        if plan.action == "skip":
            _LOGGER.info("dry run: %s %s is skipped: %s", plan.note.stream, plan.note.key, plan.why)
        if not plan.writes:
            return Done(_OUTCOMES[plan.action], plan.row_id)
        row = self._row(plan)
        fields = self._changes(plan, row)
        known = self._take_in(plan)
        requests = self._requests(plan, row)
        with self._lock:
            self._totals.update({plan.action: 1, "requests": requests})
        told = ", ".join(f"{name} {_told(plan, name, one)}" for name, one in fields.items())
        called = f" · {', '.join(plan.calls)}" if plan.calls else ""
        about = f"{plan.note.stream} {plan.note.key}" + (f" (id {known})" if known > 0 else "")
        _LOGGER.info("dry run: would %s %s: %s%s", plan.action, about, told or "nothing else", called)
        self._write(
            {
                "action": plan.action,
                "stream": plan.note.stream,
                "key": plan.note.key,
                "id": known if known > 0 else None,
                "fields": fields,
                "calls": plan.calls,
                "requests": requests,
            }
        )
        return Done(_OUTCOMES[plan.action], plan.row_id, plan.changed)

    def make(self, stream: str, body: Body) -> int:
        """Show that a row would be created that records only name, and return an id below zero."""
        resource = BY_NAME[stream]
        note = Note(stream, f"name:{normal(' '.join(map(str, body.values())))}")
        self.carry_out(creating(Plan("create", resource, note, body=body)))
        return self._references.plan(note.stream, note.key)

    def close(self) -> None:
        """Print the totals, and close the file."""
        requests = self._totals.pop("requests", 0)
        seconds = requests / self._rate
        acts = ", ".join(f"{number} {action}s" for action, number in self._totals.items()) or "nothing"
        _LOGGER.info("dry run: %s: %d requests, at least %.1f s", acts, requests, seconds)
        self._write({"action": "total", **self._totals, "requests": requests, "seconds": round(seconds, 3)})
        if self._file >= 0:
            os.close(self._file)

    def _row(self, plan: Plan) -> Mapping[str, Any]:
        """Return what is there, where something is."""
        if plan.action != "update" or not plan.row_id or plan.row_id < 0:
            return {}
        return self._means.row(plan.resource, path_of(plan.resource, plan.above, plan.row_id))

    def _changes(self, plan: Plan, row: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        """Return the old and the new value of each field that would be sent and differs."""
        body = self._updates.filling(plan, row) if row else plan.body
        columns = shown(plan)
        names = differing(plan.resource, body, row, self._means.wire)
        old = dict(zip(plan.body, columns, strict=True)) if len(columns) == len(plan.body) else {}
        return {name: {"old": _old(row, name, old.get(name, name), body), "new": body[name]} for name in names}

    def _take_in(self, plan: Plan) -> int:
        """Let records behind this one find it, as if it had been written."""
        known = plan.row_id or self._references.plan(plan.note.stream, plan.note.key)
        if plan.action == "delete":
            self._means.lookups.remove(plan.resource.name, plan.above, known)
        else:
            self._means.lookups.plan(plan.resource.name, plan.above, known, shown(plan))
        return known

    def _requests(self, plan: Plan, row: Mapping[str, Any]) -> int:
        """Return what carrying it out would cost, look-ups apart."""
        rules = plan.resource.write
        calls = sum(
            len(given) if one.link else 1
            for one in (rules.calls if rules else ())
            if (given := plan.calls.get(one.name))
        )
        if plan.action != "update":
            return 1 + calls
        lacking = rules and set(rules.resend) <= set(rules.required) and set(rules.resend) - {*plan.body, *plan.again}
        reads = self._updates.needs_row(plan) or bool(lacking)
        clears = any(value is None for value in plan.body.values())
        body = self._updates.filling(plan, row) if row else plan.body
        return (1 + clears if body else 0) + reads + calls

    def _write(self, line: Mapping[str, Any]) -> None:
        if self._file >= 0:
            os.write(self._file, _JSON.encode(line) + b"\n")


def _old(row: Mapping[str, Any], name: str, column: str, body: Mapping[str, Any]) -> Any:
    if name != VALUES:
        return row.get(column)
    wanted = [one.get(DEFINITION) for one in body[name]]
    return [one for one in row.get(name) or () if isinstance(one, dict) and one.get(DEFINITION) in wanted]


def _told(plan: Plan, name: str, change: Mapping[str, Any]) -> str:
    field = plan.resource.write.by_name.get(name) if plan.resource.write else None
    return f"{_safe(field, change['old'])} → {_safe(field, change['new'])}"


def _safe(field: Field | None, value: Any) -> str:
    """Return a value as it may be printed: what people wrote is only described."""
    if value in (None, "", [], {}):
        return "empty"
    is_public = field and field.name != PERSONAL and (field.kind in _PUBLIC or field.allowed)
    return repr(value) if is_public else shape(value)


def _open(path: str) -> int:
    try:
        Path(path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
    except OSError as error:
        raise BadSetting(
            f"The file for the plan cannot be opened ({error.strerror}).",
            where=f"setting plan_path · {path}",
            do="give a path that can be written",
        ) from None
