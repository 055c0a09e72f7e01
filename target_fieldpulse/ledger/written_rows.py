"""What rows held after this target wrote them, so that the tap can tell the target's own changes from those of people.

Two things are stored of a row, as hashes: all its columns as the response to its create showed them, and the last value
that was sent for each column. A row is as this target left it, an echo, if

    1. each column that was sent still holds what was sent last, and
    2. each column that has changed since the tap last saw the row holds what was sent last, or is computed from one
       that does. If the tap has never seen the row, each column counts; those that the create showed explain it too.

Whatever a person changes breaks one of the two, also if it is set back to what it was before. When in doubt (a response
without a row, a process that was killed after a write), nothing explains a change, and the row flows.
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
from fieldpulse_plugin.database import engine_of, translate_db_errors
from fieldpulse_plugin.store_urls import sqlite_path
from target_fieldpulse.records.cell_hashes import CellHashes, row_hashes, sent_hashes
from target_fieldpulse.records.field_codec import FieldCodec

from .tables import WRITTEN_ROWS, LedgerDatabase

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
        with self._database.begin() as connection:
            before = connection.execute(select(WRITTEN_ROWS).where(is_row)).mappings().first()
            known: Mapping[Any, Any] = before or {"created": {}, "sent": {}}
            values = {
                "created": known["created"] if created is None else created,
                "sent": {} if sent is None else {**known["sent"], **sent},
                "is_deleted": sent is None,
            }
            if before is None:
                connection.execute(insert(WRITTEN_ROWS).values(**key, **values))
            else:
                connection.execute(update(WRITTEN_ROWS).where(is_row).values(**values))


@dataclass(frozen=True)
class _WrittenRow:
    created: CellHashes
    sent: CellHashes
    is_deleted: bool


_UNWRITTEN = _WrittenRow({}, {}, is_deleted=False)


class WrittenRowReader:
    """The same rows for the tap, which never writes to the ledger: `fieldpulse_plugin.written_rows` has its methods."""

    def __init__(self, url: str, account: str, zone: tzinfo) -> None:
        """Open a ledger. One that does not exist yet has no rows: the target has not run. Raises: ConfigError."""
        self._account, self._codec = account, FieldCodec(api_zone=zone)
        path = sqlite_path(url)
        with _errors_of_tap():
            self._engine = engine_of(url, store="ledger", reads_only=True)
            self.exists = (path is None or path.exists()) and inspect(self._engine).has_table(WRITTEN_ROWS.name)

    def echoes(self, resource: Resource, rows: Iterable[tuple[Row, Collection[str] | None]]) -> set[int]:
        """Return the ids of those rows that are as this target left them.

        Beside each row are the columns that have changed since the tap last saw it; None if it has never seen it.
        """
        pairs = [(int(row["id"]), row, changed) for row, changed in rows]
        written = self._find(resource, [row_id for row_id, *_ in pairs])
        return {
            row_id
            for row_id, row, changed in pairs
            if _is_echo(resource, written.get(row_id, _UNWRITTEN), row, changed, self._codec)
        }

    def deleted(self, resource: Resource, ids: Iterable[int]) -> set[int]:
        """Return the ids of those rows that this target deleted."""
        return {row_id for row_id, row in self._find(resource, list(ids)).items() if row.is_deleted}

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def _find(self, resource: Resource, ids: list[int]) -> dict[int, _WrittenRow]:
        found: dict[int, _WrittenRow] = {}
        if not (ids and self.exists):
            return found
        of_stream = select(WRITTEN_ROWS).where(
            WRITTEN_ROWS.c.account == self._account, WRITTEN_ROWS.c.stream == resource.name
        )
        with _errors_of_tap(), self._engine.connect() as connection:
            for start in range(0, len(ids), _IDS_PER_STATEMENT):
                chunk = WRITTEN_ROWS.c.row_id.in_(ids[start : start + _IDS_PER_STATEMENT])
                for row in connection.execute(of_stream.where(chunk)):
                    found[row.row_id] = _WrittenRow(row.created, row.sent, row.is_deleted)
        return found


@contextmanager
def _errors_of_tap() -> Iterator[None]:
    """Raise errors of the database in the words of the tap's setting."""
    try:
        with translate_db_errors("ledger"):
            yield
    except ConfigError as error:
        raise ConfigError(error.what, where="setting skip_written_by", hint=error.hint) from None


def _is_echo(
    resource: Resource, written: _WrittenRow, row: Row, changed: Collection[str] | None, codec: FieldCodec
) -> bool:
    """Return whether a row is as this target left it: the two rules of this module."""
    if written.is_deleted:  # somebody has restored it
        return False
    now = row_hashes(resource, row, codec)
    omits_nulls, shows_custom_fields = None not in row.values(), any(name in row for name in VALUE_COLUMNS)

    def holds(hashes: CellHashes, name: str) -> bool:
        """Return whether a column is as it was; one that the row does not show cannot tell."""
        is_custom_field = name.startswith(f"{VALUE_COLUMNS[0]}.")
        is_shown = name in now or (shows_custom_fields if is_custom_field else omits_nulls)
        return not is_shown or now.get(name, "") == hashes[name]

    if not all(holds(written.sent, name) for name in written.sent):
        return False
    columns_sent = {*written.sent, *(column for column, source in resource.derived_columns if source in written.sent)}

    if changed is not None:
        return columns_sent.issuperset(changed)
    created = dict.fromkeys(now, "") | written.created
    return bool(written.created) and all(holds(created, name) for name in created.keys() - columns_sent)
