"""Look-ups: lists that are read once per run, indexed by the columns that rows are matched by.

Each list is read whole before anything is looked up in it, because a row that was not read would be created again.
"""

from __future__ import annotations

import logging
import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from fieldpulse_api.errors import FieldPulseError, IncompleteRead, RecordInvalid
from fieldpulse_api.http.client import Client
from fieldpulse_api.reading.full_scan import read_whole_list
from fieldpulse_api.reading.pages import Pages, ReadOptions
from fieldpulse_api.reading.single_rows import is_marked_deleted
from fieldpulse_api.resources.catalogue import BY_NAME
from fieldpulse_api.resources.model import Resource
from target_fieldpulse.records.columns import Column
from target_fieldpulse.records.field_codec import FieldCodec

_LOGGER = logging.getLogger(__name__)

Columns = tuple[Column, ...]
Cells = dict[Column, Any]


class Lookup:
    """The rows of one list, reduced to some columns. May be used by many threads.

    `absent_columns` are those that no row has. `newest_id` is the highest id that was read.
    """

    def __init__(self, resource: Resource, columns: Iterable[Column], codec: FieldCodec) -> None:
        self._resource, self._codec = resource, codec
        self._fields = {column: column.field_of(resource) for column in columns}
        self._rows: dict[int, Cells] = {}
        self._rows_before_plans: dict[int, Cells | None] = {}
        self._indexes: dict[Columns, defaultdict[tuple[str, ...], dict[int, None]]] = {}
        self._lock = threading.RLock()
        self.newest_id = 0
        self.absent_columns: set[Column] = set()

    def read(self, pages: Pages) -> None:
        """Read the list. Raises: IncompleteRead when it could not be read whole."""
        present: set[Column] = set()
        for row in read_whole_list(pages, ends_by_count=bool(pages.resource.parent)):
            self.newest_id = max(self.newest_id, int(row["id"]))
            if not is_marked_deleted(row, pages.options.zone):
                self.upsert(int(row["id"]), row)
            present.update(column for column in self._fields if column not in present and column.is_in(row))
        self.absent_columns = set(self._fields) - present if self._rows else set()
        _LOGGER.debug("look-up %s: %d rows, %s", pages.resource.path, len(self._rows), pages.stats.verdict)

    def upsert(self, row_id: int, values: Mapping[str, Any], *, is_planned: bool = False) -> None:
        """Store the values of a row; columns that `values` lacks stay as they are.

        `discard_planned` undoes what is only planned.
        """
        cells = {column: column.value_in(values) for column in self._fields}
        with self._lock:
            before = self._rows.get(row_id)
            if is_planned:
                self._rows_before_plans.setdefault(row_id, before)
            present = {
                column: value
                for column, value in cells.items()
                if value is not None or (column.custom_field_id is None and column.name in values)
            }
            self._set(row_id, {**(before or {}), **present})

    def remove(self, row_id: int, *, is_planned: bool = False) -> None:
        """Remove a row that was deleted."""
        with self._lock:
            if is_planned:
                self._rows_before_plans.setdefault(row_id, self._rows.get(row_id))
            removed = self._rows.pop(row_id, None)
            if removed is not None:
                for columns, index in self._indexes.items():
                    index[self._index_key(columns, removed)].pop(row_id, None)

    def discard_planned(self) -> None:
        """Undo every planned change."""
        with self._lock:
            for row_id, row in self._rows_before_plans.items():
                self.remove(row_id)
                if row is not None:
                    self._set(row_id, row)
            self._rows_before_plans.clear()

    def find(self, wanted: Mapping[Column, Any]) -> list[int]:
        """Return the ids of the rows with these values, compared by the types of the columns.

        An empty value of the first column matches no row. Raises: RecordInvalid when no row has such a column.
        """
        columns = tuple(wanted)
        if not self._index_key(columns[:1], wanted)[0]:
            return []
        absent = ", ".join(column.label for column in columns if column in self.absent_columns)
        if absent:
            raise RecordInvalid(
                f"No row of `{self._resource.name}` has {absent}, so rows cannot be matched by it.",
                where=f"GET {self._resource.path}",
                hint="remove it from `match` or `external_id_fields`, or give `id` in the record",
            )
        with self._lock:
            if columns not in self._indexes:
                self._indexes[columns] = defaultdict(dict)
                for row_id, row in self._rows.items():
                    self._indexes[columns][self._index_key(columns, row)][row_id] = None
            return sorted(self._indexes[columns].get(self._index_key(columns, wanted), ()))

    def cell(self, row_id: int, column: Column) -> Any:
        """Return the value of a row in a column."""
        with self._lock:
            return self._rows.get(row_id, {}).get(column)

    def rows(self) -> dict[int, Cells]:
        """Return all rows by id."""
        with self._lock:
            return dict(self._rows)

    def _set(self, row_id: int, row: Cells) -> None:
        before = self._rows.get(row_id)
        self._rows[row_id] = row
        for columns, index in self._indexes.items():
            if before is not None:
                index[self._index_key(columns, before)].pop(row_id, None)
            index[self._index_key(columns, row)][row_id] = None

    def _index_key(self, columns: Columns, row: Mapping[Column, Any]) -> tuple[str, ...]:
        fields = (self._fields.get(column) or column.field_of(self._resource) for column in columns)
        return tuple(
            self._codec.match_key(field, row.get(column)) for field, column in zip(fields, columns, strict=True)
        )


class Lookups:
    """The look-ups of a run, each read when it is first needed. May be used by many threads.

    `columns` are those that rows will be looked up by, by stream.
    """

    def __init__(
        self, client: Client, options: ReadOptions, codec: FieldCodec, columns: Mapping[str, Iterable[Column]]
    ) -> None:
        self._client, self._options, self._codec = client, options, codec
        self._columns = {stream: tuple(dict.fromkeys(names)) for stream, names in columns.items()}
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._lookups: dict[str, Lookup] = {}
        self._failures: dict[str, FieldPulseError] = {}
        self._planned: defaultdict[str, list[tuple[int, Mapping[str, Any] | None]]] = defaultdict(list)

    def get(self, stream: str, parent_ids: Mapping[str, int] | None = None) -> Lookup:
        """Return the look-up of a list; `parent_ids` fill its path.

        Raises: RecordInvalid when the list could not be read completely; what `Client.get` raises.
        """
        resource = BY_NAME[stream]
        path = resource.path.format(**(parent_ids or {}))
        with self._locks[path]:
            if path in self._failures:
                raise self._failures[path]
            if path not in self._lookups:
                self._lookups[path] = self._read(resource, path)
            return self._lookups[path]

    def upsert(self, stream: str, parent_ids: Mapping[str, int], row_id: int, values: Mapping[str, Any]) -> None:
        """Store a row that was just written, if its list was read."""
        lookup = self._already_read(stream, parent_ids)
        if lookup:
            lookup.upsert(row_id, values)

    def remove(self, stream: str, parent_ids: Mapping[str, int], row_id: int) -> None:
        """Remove a row that was just deleted, if its list was read."""
        lookup = self._already_read(stream, parent_ids)
        if lookup:
            lookup.remove(row_id)

    def add_planned(
        self, stream: str, parent_ids: Mapping[str, int], row_id: int, values: Mapping[str, Any] | None
    ) -> None:
        """Store a row as a plan would leave it, None for a deleted one, until `discard_planned`.

        A list that is read later gets the planned rows as well.
        """
        path = BY_NAME[stream].path.format(**parent_ids)
        with self._locks[path]:
            self._planned[path].append((row_id, values))
            if path in self._lookups:
                _apply_planned(self._lookups[path], row_id, values)

    def discard_planned(self) -> None:
        """Undo every planned change, and drop the lists below rows that were only planned."""
        self._planned.clear()
        for path in [path for path in self._lookups if _has_planned_parent(path)]:
            del self._lookups[path]
        for lookup in self._lookups.values():
            lookup.discard_planned()

    def _already_read(self, stream: str, parent_ids: Mapping[str, int]) -> Lookup | None:
        path = BY_NAME[stream].path.format(**parent_ids)
        with self._locks[path]:  # waits for a read under way: it may have passed the place of this row before the write
            return self._lookups.get(path)

    def _read(self, resource: Resource, path: str) -> Lookup:
        columns = self._columns.get(resource.name, ())
        lookup = Lookup(resource, columns, self._codec)
        if "{" not in path and not _has_planned_parent(path):
            with_values = any(column.custom_field_id is not None for column in columns)
            query = dict(resource.with_custom_fields_params)
            options = replace(self._options, query=query) if with_values else self._options
            try:
                lookup.read(Pages(self._client, resource, options, path))
            except IncompleteRead as error:
                self._failures[path] = RecordInvalid(error.what, where=error.where, hint=error.hint)
                raise self._failures[path] from None
        for row_id, values in self._planned[path]:
            _apply_planned(lookup, row_id, values)
        return lookup


def _has_planned_parent(path: str) -> bool:
    """Return whether a list is below a row that is only planned: such rows have negative ids."""
    return "/-" in path


def _apply_planned(lookup: Lookup, row_id: int, values: Mapping[str, Any] | None) -> None:
    if values is None:
        lookup.remove(row_id, is_planned=True)
    else:
        lookup.upsert(row_id, values, is_planned=True)
