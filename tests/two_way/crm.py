"""A small CRM in SQLite, with an API as simple as its sync: what changed since a version, and an upsert by e-mail."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.harness.messages import record_message, schema_message, singer_lines

FIELDS = ("first_name", "last_name", "email", "phone", "notes")
SCHEMA = schema_message("customers", "external_id", "id", "_sdc_deleted_at", *FIELDS)
Record = dict[str, Any]


class Crm:
    """The contacts. Whatever is written counts as a change, also a value that was there before: the worst case."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path)
        self._database.row_factory = sqlite3.Row
        columns = ", ".join(f"{name} text" for name in FIELDS)
        self._database.execute(f"create table contacts (id integer primary key, row_id, deleted, version, {columns})")
        self._version = self._read_version = 0

    def contacts(self) -> list[Record]:
        """Return all contacts."""
        return [dict(row) for row in self._database.execute("select * from contacts where deleted is null")]

    def insert(self, **values: Any) -> int:
        """Add a contact, and return its id."""
        self._version += 1
        values = {"version": self._version, **values}
        names = ", ".join(values)
        statement = f"insert into contacts ({names}) values ({', '.join('?' * len(values))})"
        return int(self._database.execute(statement, list(values.values())).lastrowid or 0)

    def update(self, contact: int, **values: Any) -> None:
        """Change a contact."""
        self._version += 1
        values = {"version": self._version, **values}
        names = ", ".join(f"{name} = ?" for name in values)
        self._database.execute(f"update contacts set {names} where id = ?", [*values.values(), contact])

    def delete(self, contact: int) -> None:
        """Delete a contact; the sync still reads it."""
        self.update(contact, deleted="2026-11-01T00:00:00Z")

    def messages(self) -> str:
        """Return what has changed since the last call, as the output of a tap."""
        rows = self._database.execute("select * from contacts where version > ?", [self._read_version]).fetchall()
        self._read_version = self._version
        records = [
            record_message(
                "customers",
                external_id=f"crm-{row['id']}",
                id=row["row_id"],
                _sdc_deleted_at=row["deleted"],
                **{name: row[name] for name in FIELDS},
            )
            for row in rows
        ]
        return singer_lines(SCHEMA, *records)

    def receive(self, customers: Iterable[Record]) -> None:
        """Write customers of FieldPulse to the contact of the row, or of the e-mail address, or to a new contact."""
        for customer in customers:
            values = {name: customer[name] for name in FIELDS}
            where = "row_id = ? or email = ?"
            found = self._database.execute(
                f"select id from contacts where {where}", [customer["id"], customer["email"]]
            ).fetchone()
            if found:
                self.update(found["id"], row_id=customer["id"], **values)
            else:
                self.insert(row_id=customer["id"], **values)
