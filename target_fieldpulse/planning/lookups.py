"""Lists that are read once per run, through the shared walk, and their rows by what some of their columns hold."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from fieldpulse_api.errors import FieldPulseError, IncompleteRead, RecordInvalid
from fieldpulse_api.http.client import Client
from fieldpulse_api.reading.full_scan import FullScan
from fieldpulse_api.reading.pages import Pages, ReadOptions
from fieldpulse_api.resources.catalogue import BY_NAME
from fieldpulse_api.resources.model import Resource, WritableResource
from fieldpulse_api.resources.write_model import Field, FieldType
from fieldpulse_api.values.custom_fields import VALUE_COLUMNS, entries_of
from target_fieldpulse.records.field_codec import FieldCodec

_OF_CUSTOM = f"{VALUE_COLUMNS[0]}:"
_EXACT = "="


def custom_column(definition: int) -> str:
    """Return the name of the column that holds the values of a custom field."""
    return f"{_OF_CUSTOM}{definition}"


def key_column(column: str) -> str:
    """Return the name of a column that holds keys of the source's, and is compared letter by letter."""
    return f"{_EXACT}{column}"


def plain_column(column: str) -> str:
    """Return the name of a column without how it is compared."""
    return column.removeprefix(_EXACT)


def cell(row: Mapping[str, Any], column: str) -> Any:
    """Return what a row holds in a column, or as the value of a custom field."""
    column = plain_column(column)
    if not column.startswith(_OF_CUSTOM):
        return row.get(column)
    wanted = int(column.removeprefix(_OF_CUSTOM))
    return next((value for name in VALUE_COLUMNS for one, value in entries_of(row.get(name)) if one == wanted), None)


def has_column(row: Mapping[str, Any], column: str) -> bool:
    """Say whether a row shows a column at all, be it empty."""
    column = plain_column(column)
    if column.startswith(_OF_CUSTOM):
        return any(isinstance(row.get(name), list) for name in VALUE_COLUMNS)
    return column in row


def field_of(resource: Resource, column: str) -> Field:
    """Return how the values of a column are compared."""
    if column.startswith(_EXACT):
        return Field(column, FieldType.KEY)
    fields = resource.write_spec.fields if isinstance(resource, WritableResource) else ()
    return next((one for one in fields if one.column == column), Field(column))


class Lookup:
    """The rows of one list, by some of their columns. May be used by many threads.

    Raises: Invalid when the list could not be read whole: then nothing can be said to be missing in it.
    """

    def __init__(self, resource: Resource, columns: Iterable[str], wire: FieldCodec) -> None:
        self._columns, self._wire, self._resource = tuple(columns), wire, resource
        self._fields = {name: field_of(resource, name) for name in self._columns}
        self._rows: dict[int, dict[str, Any]] = {}
        self._before: dict[int, dict[str, Any] | None] = {}
        self._indexes: dict[tuple[str, ...], defaultdict[tuple[str, ...], dict[int, None]]] = {}
        self._lock = threading.RLock()
        self.newest_id = 0
        self.absent_columns: set[str] = set()

    def read(self, pages: Pages) -> None:
        """Take all rows in."""
        seen: set[str] = set()
        for row in (row for rows in FullScan(pages, ends_by_count=bool(pages.resource.parent)).rows() for row in rows):
            self.upsert(int(row["id"]), row)
            seen.update(name for name in self._columns if name not in seen and has_column(row, name))
        self.absent_columns = set(self._columns) - seen if self._rows else set()
        self.newest_id = max(self._rows, default=0)
        if pages.tally.verdict == "incomplete":
            raise IncompleteRead(
                f"The list of {pages.resource.name} could not be read whole, so nothing can be looked up in it.",
                where=f"GET {pages.resource.path}",
                hint="run again",
            )

    def upsert(self, row_id: int, values: Mapping[str, Any], *, is_planned: bool = False) -> None:
        """Say what a row holds now in some columns; what is only planned is forgotten by `forget`."""
        shown = {name: cell(values, name) for name in self._columns}
        with self._lock:
            if is_planned:
                self._before.setdefault(row_id, self._rows.get(row_id))
            before = self._rows.get(row_id)
            told = {name: value for name, value in shown.items() if value is not None or name in values}
            self._set(row_id, {**(before or {}), **told})

    def remove(self, row_id: int, *, is_planned: bool = False) -> None:
        """Say that a row is gone."""
        with self._lock:
            if is_planned:
                self._before.setdefault(row_id, self._rows.get(row_id))
            gone = self._rows.pop(row_id, None)
            for columns, index in self._indexes.items():
                if gone is not None:
                    index[self._key(columns, gone)].pop(row_id, None)

    def discard_planned(self) -> None:
        """Take back what was only planned."""
        with self._lock:
            for row_id, row in self._before.items():
                self.remove(row_id)
                if row is not None:
                    self._set(row_id, row)
            self._before.clear()

    def find(self, wanted: Mapping[str, Any]) -> list[int]:
        """Return the ids of the rows that hold these values, apart from case, spaces and punctuation of phones.

        A first value that is empty is held by none. Raises: Invalid where no row shows such a column.
        """
        columns = tuple(wanted)
        if not self._key(columns[:1], wanted)[0]:
            return []
        hidden = ", ".join(plain_column(name) for name in columns if name in self.absent_columns)
        if hidden:
            raise RecordInvalid(
                f"No row of {self._resource.name} shows {hidden}, so none can be found by it.",
                where=f"GET {self._resource.path}",
                hint="leave it out of `match` or `external_id_fields`, or give id",
            )
        with self._lock:
            if columns not in self._indexes:
                self._indexes[columns] = defaultdict(dict)
                for row_id, row in self._rows.items():
                    self._indexes[columns][self._key(columns, row)][row_id] = None
            return sorted(self._indexes[columns].get(self._key(columns, wanted), ()))

    def cell(self, row_id: int, column: str) -> Any:
        """Return what a row holds in a column."""
        with self._lock:
            return self._rows.get(row_id, {}).get(column)

    def rows(self) -> dict[int, dict[str, Any]]:
        """Return what is known of the rows, by id."""
        with self._lock:
            return dict(self._rows)

    def _set(self, row_id: int, row: dict[str, Any]) -> None:
        before = self._rows.get(row_id)
        self._rows[row_id] = row
        for columns, index in self._indexes.items():
            if before is not None:
                index[self._key(columns, before)].pop(row_id, None)
            index[self._key(columns, row)][row_id] = None

    def _key(self, columns: Iterable[str], row: Mapping[str, Any]) -> tuple[str, ...]:
        fields = (self._fields.get(name) or field_of(self._resource, name) for name in columns)
        return tuple(self._wire.match_key(one, row.get(name)) for one, name in zip(fields, columns))  # noqa: B905


class Lookups:
    """The look-ups of a run, each read when it is first asked for. May be used by many threads.

    `columns` are those that will be asked for, by stream.
    """

    def __init__(
        self, client: Client, reading: ReadOptions, wire: FieldCodec, columns: Mapping[str, Iterable[str]]
    ) -> None:
        self._client, self._reading, self._wire = client, reading, wire
        self._columns = {stream: tuple(dict.fromkeys(names)) for stream, names in columns.items()}
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._read: dict[str, Lookup] = {}
        self._failed: dict[str, FieldPulseError] = {}
        self._planned: defaultdict[str, list[tuple[int, Mapping[str, Any] | None]]] = defaultdict(list)

    def get(self, stream: str, above: Mapping[str, int] | None = None) -> Lookup:
        """Return the look-up of a list; `above` fills its path. Raises: Invalid; what `Client.get` raises."""
        resource = BY_NAME[stream]
        path = resource.path.format(**(above or {}))
        with self._locks[path]:
            if path in self._failed:
                raise self._failed[path]
            if path not in self._read:
                self._read[path] = self._make(resource, path)
            return self._read[path]

    def upsert(self, stream: str, above: Mapping[str, int], row_id: int, values: Mapping[str, Any]) -> None:
        """Take what was just written into a list that was read before, or is being read."""
        known = self._known(stream, above)
        if known:
            known.upsert(row_id, values)

    def remove(self, stream: str, above: Mapping[str, int], row_id: int) -> None:
        """Take a deleted row out of a list that was read before."""
        known = self._known(stream, above)
        if known:
            known.remove(row_id)

    def add_planned(self, stream: str, above: Mapping[str, int], row_id: int, values: Mapping[str, Any] | None) -> None:
        """Take in what would be written, or with None deleted, until `forget`: also for a list that is read later."""
        path = BY_NAME[stream].path.format(**above)
        with self._locks[path]:
            self._planned[path].append((row_id, values))
            if path in self._read:
                _apply_planned(self._read[path], row_id, values)

    def discard_planned(self) -> None:
        """Take back everything that was only planned."""
        self._planned.clear()
        for path in [path for path in self._read if self._is_new(path)]:
            del self._read[path]
        for lookup in self._read.values():
            lookup.discard_planned()

    def _known(self, stream: str, above: Mapping[str, int]) -> Lookup | None:
        path = BY_NAME[stream].path.format(**above)
        with self._locks[path]:  # a list that is being read may have been passed where this was written
            return self._read.get(path)

    def _make(self, resource: Resource, path: str) -> Lookup:
        lookup = Lookup(resource, self._columns.get(resource.name, ()), self._wire)
        if "{" not in path and not self._is_new(path):
            try:
                lookup.read(Pages(self._client, resource, self._with_values(resource), path))
            except IncompleteRead as error:
                self._failed[path] = RecordInvalid(error.what, where=error.where, hint=error.hint)
                raise self._failed[path] from None
        for row_id, values in self._planned[path]:
            _apply_planned(lookup, row_id, values)
        return lookup

    @staticmethod
    def _is_new(path: str) -> bool:
        """Say whether a list is below a row that a dry run only planned."""
        return "/-" in path

    def _with_values(self, resource: Resource) -> ReadOptions:
        """Return how to read a list so that it shows the custom fields that are asked for."""
        is_asked = any(plain_column(name).startswith(_OF_CUSTOM) for name in self._columns.get(resource.name, ()))
        return replace(self._reading, query=dict(resource.with_custom_fields_params)) if is_asked else self._reading


def _apply_planned(lookup: Lookup, row_id: int, values: Mapping[str, Any] | None) -> None:
    if values is None:
        lookup.remove(row_id, is_planned=True)
    else:
        lookup.upsert(row_id, values, is_planned=True)
