"""Lists that are read once per run, through the shared walk, and their rows by what some of their columns hold."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from fieldpulse_api.catalogue import BY_NAME
from fieldpulse_api.client import Client
from fieldpulse_api.custom_fields import RAW, entries_of
from fieldpulse_api.errors import FieldPulseError, Incomplete, Invalid
from fieldpulse_api.pages import Pages, Reading
from fieldpulse_api.resource import Resource
from fieldpulse_api.walk import Walk
from fieldpulse_api.write import Field

from .wire import Wire

_OF_CUSTOM = f"{RAW[0]}:"


def custom_column(definition: int) -> str:
    """Return the name of the column that holds the values of a custom field."""
    return f"{_OF_CUSTOM}{definition}"


def cell(row: Mapping[str, Any], column: str) -> Any:
    """Return what a row holds in a column, or as the value of a custom field."""
    if not column.startswith(_OF_CUSTOM):
        return row.get(column)
    wanted = int(column.removeprefix(_OF_CUSTOM))
    return next((value for name in RAW for one, value in entries_of(row.get(name)) if one == wanted), None)


class Lookup:
    """The rows of one list, by some of their columns. May be used by many threads.

    Raises: Invalid when the list could not be read whole: then nothing can be said to be missing in it.
    """

    def __init__(self, resource: Resource, columns: Iterable[str], wire: Wire) -> None:
        self._columns = tuple(columns)
        self._wire = wire
        self._fields = {one.column: one for one in (resource.write.fields if resource.write else ())}
        self._rows: dict[int, dict[str, Any]] = {}
        self._indexes: dict[tuple[str, ...], defaultdict[tuple[str, ...], dict[int, None]]] = {}
        self._lock = threading.RLock()
        self.newest_id = 0

    def read(self, pages: Pages) -> None:
        """Take all rows in."""
        for row in (row for rows in Walk(pages, ends_by_count=bool(pages.resource.parent)).rows() for row in rows):
            self.put(int(row["id"]), row)
        self.newest_id = max(self._rows, default=0)
        if pages.tally.verdict == "incomplete":
            raise Incomplete(
                f"The list of {pages.resource.name} could not be read whole, so nothing can be looked up in it.",
                where=f"GET {pages.resource.path}",
                do="run again",
            )

    def put(self, row_id: int, values: Mapping[str, Any]) -> None:
        """Say what a row holds now in some columns."""
        shown = {name: cell(values, name) for name in self._columns}
        with self._lock:
            before = self._rows.get(row_id)
            told = {name: value for name, value in shown.items() if value is not None or name in values}
            after = {**(before or {}), **told}
            self._rows[row_id] = after
            for columns, index in self._indexes.items():
                if before is not None:
                    index[self._key(columns, before)].pop(row_id, None)
                index[self._key(columns, after)][row_id] = None

    def remove(self, row_id: int) -> None:
        """Say that a row is gone."""
        with self._lock:
            gone = self._rows.pop(row_id, None)
            for columns, index in self._indexes.items():
                if gone is not None:
                    index[self._key(columns, gone)].pop(row_id, None)

    def find(self, wanted: Mapping[str, Any]) -> list[int]:
        """Return the ids of the rows that hold these values, apart from case, spaces and punctuation of phones."""
        columns = tuple(wanted)
        with self._lock:
            if columns not in self._indexes:
                self._indexes[columns] = defaultdict(dict)
                for row_id, row in self._rows.items():
                    self._indexes[columns][self._key(columns, row)][row_id] = None
            return sorted(self._indexes[columns].get(self._key(columns, wanted), ()))

    def names(self, column: str) -> list[str]:
        """Return what the rows hold in a column."""
        with self._lock:
            return [str(row[column]) for row in self._rows.values() if row.get(column)]

    def rows(self) -> dict[int, dict[str, Any]]:
        """Return what is known of the rows, by id."""
        with self._lock:
            return dict(self._rows)

    def _key(self, columns: Iterable[str], row: Mapping[str, Any]) -> tuple[str, ...]:
        return tuple(self._wire.loose(self._fields.get(name, Field(name)), row.get(name)) for name in columns)


class Lookups:
    """The look-ups of a run, each read when it is first asked for. May be used by many threads.

    `columns` are those that will be asked for, by stream.
    """

    def __init__(self, client: Client, reading: Reading, wire: Wire, columns: Mapping[str, Iterable[str]]) -> None:
        self._client, self._reading, self._wire = client, reading, wire
        self._columns = {stream: tuple(dict.fromkeys(names)) for stream, names in columns.items()}
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._read: dict[str, Lookup] = {}
        self._failed: dict[str, FieldPulseError] = {}
        self._planned: defaultdict[str, list[tuple[int, Mapping[str, Any]]]] = defaultdict(list)

    def of(self, stream: str, above: Mapping[str, int] | None = None) -> Lookup:
        """Return the look-up of a list; `above` fills its path. Raises: Invalid; what `Client.get` raises."""
        resource = BY_NAME[stream]
        path = resource.path.format(**(above or {}))
        with self._locks[path]:
            if path in self._failed:
                raise self._failed[path]
            if path not in self._read:
                self._read[path] = self._make(resource, path)
            return self._read[path]

    def put(self, stream: str, above: Mapping[str, int], row_id: int, values: Mapping[str, Any]) -> None:
        """Take what was just written into a list that was read before, or is being read."""
        known = self._known(stream, above)
        if known:
            known.put(row_id, values)

    def remove(self, stream: str, above: Mapping[str, int], row_id: int) -> None:
        """Take a deleted row out of a list that was read before."""
        known = self._known(stream, above)
        if known:
            known.remove(row_id)

    def plan(self, stream: str, above: Mapping[str, int], row_id: int, values: Mapping[str, Any]) -> None:
        """Remember what a dry run would have written, also for a list that is read later."""
        self._planned[BY_NAME[stream].path.format(**above)].append((row_id, values))
        self.put(stream, above, row_id, values)

    def _known(self, stream: str, above: Mapping[str, int]) -> Lookup | None:
        path = BY_NAME[stream].path.format(**above)
        with self._locks[path]:  # a list that is being read may have been passed where this was written
            return self._read.get(path)

    def _make(self, resource: Resource, path: str) -> Lookup:
        lookup = Lookup(resource, self._columns.get(resource.name, ()), self._wire)
        if "{" not in path and not self._is_new(path):
            try:
                lookup.read(Pages(self._client, resource, self._with_values(resource), path))
            except Incomplete as error:
                self._failed[path] = Invalid(error.what, where=error.where, do=error.do)
                raise self._failed[path] from None
        for row_id, values in self._planned[path]:
            lookup.put(row_id, values)
        return lookup

    @staticmethod
    def _is_new(path: str) -> bool:
        """Say whether a list is below a row that a dry run only planned."""
        return "/-" in path

    def _with_values(self, resource: Resource) -> Reading:
        """Return how to read a list so that it shows the custom fields that are asked for."""
        is_asked = any(name.startswith(_OF_CUSTOM) for name in self._columns.get(resource.name, ()))
        return replace(self._reading, query=dict(resource.ask_values)) if is_asked else self._reading
