"""What rows held after this target wrote them, so that the tap can tell the target's own changes from those of people.

Two things are stored of a row, as hashes: all its columns as the response to its create showed them, and the last value
that was sent for each column, with the number of that write. The tap stores which write it has seen. A row is as this
target left it, an echo, if

    1. each column that was sent since then holds what was sent, and
    2. each column that has changed since then was sent since then, or is computed from one that was.

If the tap has never seen the row, each column counts, and those that the create showed are explained by it. Whatever a
person changes breaks one of the two, also if it is set back to what it was before. When in doubt (a response without a
row, a process that was killed after a write), nothing explains a change, and the row flows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

from sqlalchemy import and_, insert, inspect, select, update

from fieldpulse_api.errors import ConfigError
from fieldpulse_api.resources.model import Resource, WritableResource
from fieldpulse_api.values.custom_fields import VALUE_COLUMNS
from fieldpulse_plugin.stores.database import engine_of, translate_db_errors
from fieldpulse_plugin.stores.urls import sqlite_path
from target_fieldpulse.records.cell_hashes import CellHashes, row_hashes, sent_hashes
from target_fieldpulse.records.field_codec import FieldCodec

from .database import LedgerDatabase
from .tables import WRITTEN_ROWS

_IDS_PER_STATEMENT = 500
Row = Mapping[str, Any]


class WrittenRows:
    """The rows of one account that this target wrote. May be used by many threads.

    Every method raises ConfigError if the database fails.
    """

    def __init__(self, database: LedgerDatabase, account: str, codec: FieldCodec) -> None:
        self._database, self._account, self._codec = database, account, codec

    def add_created(self, resource: WritableResource, row_id: int, body: Row, row: Row) -> None:
        """Store a row that was created with a body, as the response shows it."""
        created = row_hashes(resource, row, self._codec)
        self._upsert(resource, row_id, created=created, sent=sent_hashes(resource, body, row, self._codec))

    def add_sent(self, resource: WritableResource, row_id: int, body: Row, row: Row) -> None:
        """Store what a body changed; `row` is the row afterwards, as far as it is known."""
        self._upsert(resource, row_id, created=None, sent=sent_hashes(resource, body, row, self._codec))

    def mark_deleted(self, resource: Resource, row_id: int) -> None:
        """Store that this target deleted a row."""
        self._upsert(resource, row_id, created={}, sent=None)

    def _upsert(self, resource: Resource, row_id: int, *, created: CellHashes | None, sent: CellHashes | None) -> None:
        """Store a row. What is sent adds to what was sent before; without it, the row is deleted."""
        key = {"account": self._account, "stream": resource.name, "row_id": row_id}
        is_row = and_(*(WRITTEN_ROWS.c[name] == value for name, value in key.items()))
        # No other key has a row that was just created.
        begin = self._database.begin_for_key if created else self._database.begin
        with begin() as connection:
            before = connection.execute(select(WRITTEN_ROWS).where(is_row)).mappings().first()
            known: Mapping[Any, Any] = before or {"created": {}, "sent": {}}
            number = _last_write(known["sent"]) + 1
            values = {
                "created": known["created"] if created is None else created,
                "sent": {**known["sent"], **{name: [each, number] for name, each in (sent or {}).items()}},
                "is_deleted": sent is None,
            }
            if before is None:
                connection.execute(insert(WRITTEN_ROWS).values(**key, **values))
            else:
                connection.execute(update(WRITTEN_ROWS).where(is_row).values(**values))


@dataclass(frozen=True)
class WrittenRow:
    """One row: what this target sent for it. `write_number` is that of the last write, 0 for none."""

    resource: Resource
    codec: FieldCodec
    created: CellHashes
    sent: Mapping[str, tuple[str, int]]
    is_deleted: bool

    @property
    def write_number(self) -> int:
        """Return the number of the last write, 0 if there was none."""
        return _last_write(self.sent)

    def is_echo(self, row: Row, changed: Collection[str] | None, seen_write: int) -> bool:
        """Return whether the row is as this target left it: the rules of this module.

        `changed` are the columns that changed since the tap last saw the row, after the write `seen_write`; None if it
        has never seen it.
        """
        if self.is_deleted:  # somebody has restored it
            return False
        cells = _Cells(self.resource, row, self.codec)
        since = {name: each for name, (each, number) in self.sent.items() if number > seen_write or changed is None}
        if not all(cells.holds(name, each) for name, each in since.items()):
            return False
        explained = {*since, *(column for column, source in self.resource.derived_columns if source in since)}
        if changed is not None:
            return explained.issuperset(changed)
        created = dict.fromkeys(cells.hashes, "") | self.created
        return bool(self.created) and all(cells.holds(name, created[name]) for name in created.keys() - explained)


class _Cells:
    """The cells of a row as the API showed it."""

    def __init__(self, resource: Resource, row: Row, codec: FieldCodec) -> None:
        self.hashes = row_hashes(resource, row, codec)
        self._omits_nulls = None not in row.values()
        self._shows_custom_fields = any(name in row for name in VALUE_COLUMNS)

    def holds(self, name: str, expected: str) -> bool:
        """Return whether a column has this hash; one that the row does not show cannot tell."""
        is_custom_field = name.startswith(f"{VALUE_COLUMNS[0]}.")
        is_shown = name in self.hashes or (self._shows_custom_fields if is_custom_field else self._omits_nulls)
        return not is_shown or self.hashes.get(name, "") == expected


class WrittenRowReader:
    """The same rows for the tap, which never writes to the ledger: `fieldpulse_plugin.written_rows` has its methods."""

    def __init__(self, url: str, account: str, zone: tzinfo) -> None:
        """Open a ledger. One that does not exist yet has no rows: the target has not run. Raises: ConfigError."""
        self._account, self._codec = account, FieldCodec(api_zone=zone)
        path = sqlite_path(url)
        with _errors_of_tap():
            self._engine = engine_of(url, store="ledger", reads_only=True)
            self.exists = (path is None or path.exists()) and inspect(self._engine).has_table(WRITTEN_ROWS.name)

    def read(self, resource: Resource, ids: Iterable[int]) -> dict[int, WrittenRow]:
        """Return what was sent for rows, by id; an entry also for those that this target never wrote."""
        wanted = list(ids)
        found = {row_id: WrittenRow(resource, self._codec, {}, {}, is_deleted=False) for row_id in wanted}
        if not self.exists:
            return found
        of_stream = select(WRITTEN_ROWS).where(
            WRITTEN_ROWS.c.account == self._account, WRITTEN_ROWS.c.stream == resource.name
        )
        with _errors_of_tap(), self._engine.connect() as connection:
            for start in range(0, len(wanted), _IDS_PER_STATEMENT):
                chunk = WRITTEN_ROWS.c.row_id.in_(wanted[start : start + _IDS_PER_STATEMENT])
                for row in connection.execute(of_stream.where(chunk)):
                    found[row.row_id] = WrittenRow(
                        resource, self._codec, row.created, row.sent, is_deleted=row.is_deleted
                    )
        return found

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()


def _last_write(sent: Mapping[str, Any]) -> int:
    return max((number for _, number in sent.values()), default=0)


@contextmanager
def _errors_of_tap() -> Iterator[None]:
    """Raise errors of the database in the words of the tap's setting."""
    try:
        with translate_db_errors("ledger"):
            yield
    except ConfigError as error:
        raise ConfigError(error.what, where="setting skip_written_by", hint=error.hint) from None
