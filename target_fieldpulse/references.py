"""Names, e-mails and external ids → FieldPulse ids. Lists are read once per run, through the shared walk."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from fieldpulse_api.client import Client
from fieldpulse_api.errors import Incomplete, Invalid, allowed_instead
from fieldpulse_api.names import PERSONAL, Index, normal, read_index
from fieldpulse_api.pages import Reading
from fieldpulse_api.resource import Reference, Write

from .lanes import Key
from .ledger import Ledger
from .plan import Record, an_id, refuse


class References:
    """Find the rows that records refer to. May be used by many threads."""

    def __init__(self, client: Client, ledger: Ledger, reading: Reading) -> None:
        self._client, self._ledger, self._reading = client, ledger, reading
        self._locks: defaultdict[tuple[str, str], threading.Lock] = defaultdict(threading.Lock)
        self._indexes: dict[tuple[str, str], Index] = {}
        self._planned: dict[tuple[str, str], int] = {}
        self._planned_rows: list[tuple[str, Mapping[str, Any], int]] = []

    def resolve(self, write: Write, record: Record) -> dict[str, int]:
        """Return the id for every reference that the record makes.

        Raises: Invalid for one that leads nowhere, or to several rows.
        """
        found = {}
        for reference in write.references:
            given = next((name for name in reference.properties if record.get(name) is not None), None)
            if given:
                found[reference.field] = self._find(reference, given, record[given])
        return found

    def matching(self, stream: str, column: str, value: Any) -> list[int]:
        """Return the ids of the rows whose `column` is `value`, apart from case and spaces."""
        index = self._index(stream, column)
        with self._locks[stream, column]:
            return index.find(value)

    def add(self, stream: str, row: Mapping[str, Any], row_id: int) -> None:
        """Take what was just written into the lists that were read before."""
        for (name, column), index in list(self._indexes.items()):
            if name == stream and row.get(column):
                with self._locks[name, column]:
                    index.put(row_id, row[column])

    def plan(self, stream: str, source_key: str, row: Mapping[str, Any], row_id: int | None = None) -> None:
        """Remember what a dry run would have written; a row that it would have created gets an id below zero."""
        row_id = row_id if row_id is not None else -1 - len(self._planned)
        self._planned[stream, source_key] = row_id
        self._planned_rows.append((stream, row, row_id))
        self.add(stream, row, row_id)

    def _find(self, reference: Reference, given: str, value: Any) -> int:
        if given == reference.field:
            return an_id(value, given)
        if given == reference.external:
            return self._written(reference, given, str(value))
        return self._named(reference, given, value)

    def _written(self, reference: Reference, given: str, source_key: str) -> int:
        entry = self._ledger.find(reference.stream, source_key)
        if entry and entry.row_id is not None:
            return entry.row_id
        if (reference.stream, source_key) in self._planned:
            return self._planned[reference.stream, source_key]
        raise refuse(
            f"{given}: nothing of stream {reference.stream} was written with this external_id",
            given,
            f"send the record of {reference.stream} first, in this run or an earlier one with this ledger",
        )

    def _named(self, reference: Reference, given: str, value: Any) -> int:
        column = str(reference.column)
        found = self.matching(reference.stream, column, value)
        if len(found) == 1:
            return found[0]
        if found:
            reason = f"{given}: {len(found)} rows of {reference.stream} have it: ids {', '.join(map(str, found))}"
            raise refuse(reason, given, f"give {reference.field}")
        if column == PERSONAL:  # neither the value nor the others
            raise refuse(f"{given}: no row of {reference.stream} has this e-mail", given)
        raise refuse(f"{given}: {allowed_instead(value, self._index(reference.stream, column).names)}", given)

    def _index(self, stream: str, column: str) -> Index:
        key = (stream, column)
        with self._locks[key]:
            if key not in self._indexes:
                self._indexes[key] = self._read(stream, column)
            return self._indexes[key]

    def _read(self, stream: str, column: str) -> Index:
        try:
            index = read_index(self._client, self._reading, stream, column)
        except Incomplete as error:
            raise Invalid(error.what, where=error.where, do=error.do) from None
        for name, planned, row_id in self._planned_rows:
            if name == stream and planned.get(column):
                index.put(row_id, planned[column])
        return index


def keys_written(stream: str, write: Write, record: Record) -> list[Key]:
    """Return what a record's write touches, so that two writes that name a row in one way never overlap."""
    if write.row:
        return [
            _key(write.reference(write.row), name, record[name]) for name in _given(write.reference(write.row), record)
        ]
    keys: list[Key] = [
        (stream, name, str(record[name])) for name in ("id", "external_id") if record.get(name) is not None
    ]
    if write.match and record.get(write.match):
        keys.append((stream, write.match, normal(record[write.match])))
    return keys


def keys_read(write: Write, record: Record) -> list[Key]:
    """Return what must have been written before a record can be."""
    return [_key(reference, name, record[name]) for reference in write.references for name in _given(reference, record)]


def _given(reference: Reference, record: Record) -> list[str]:
    return [name for name in reference.properties if record.get(name) is not None]


def _key(reference: Reference, name: str, value: Any) -> Key:
    if name == reference.external:
        return (reference.stream, "external_id", str(value))
    if name == reference.named:
        return (reference.stream, str(reference.column), normal(value))
    return (reference.stream, "id", str(value))
