"""The account while it is being made up: its random numbers, its ids, and the rows so far."""

from __future__ import annotations

from collections import defaultdict
from itertools import count
from random import Random
from uuid import UUID

from fieldpulse_api.resources.catalogue import RESOURCES
from fieldpulse_sandbox.schema.table_shapes import BASE_CLASS, COMPANY_ID, Row, blank_row
from fieldpulse_sandbox.schema.timestamps import EPOCH, YEAR, bare, iso

SPACING = 10_000_000
ID_FAMILY = {"invoices": "estimates", "estimate_qb_classes": "job_qb_classes", "invoice_qb_classes": "job_qb_classes"}
"""Resources that take their ids and cuids from another's table: estimates and invoices are one (I)."""


class AccountDraft:
    """An account in the making. The same `customers` and `seed` give the same rows, byte for byte."""

    def __init__(self, customers: int, seed: int) -> None:
        """Start empty; nothing here looks at a clock."""
        self.customers = customers
        self.rng = Random(f"fieldpulse-{seed}-{customers}")
        self.rows: dict[str, list[Row]] = {resource.name: [] for resource in RESOURCES}
        self._last_id = {resource.name: SPACING * n + 1 for n, resource in enumerate(RESOURCES, start=1)}
        self._cuids: dict[str, count[int]] = defaultdict(lambda: count(1000))
        self._value_ids = count(5_500_001)

    def add(self, name: str, created: int, updated: int | None = None, /, **values: object) -> Row:
        """Append a row, with an id above all before it, a cuid and its stamps where the shape has them."""
        row = blank_row(name) | values
        family = ID_FAMILY.get(name, name)
        row["id"] = self._next_id(family)
        if "cuid" in row:
            row["cuid"] = next(self._cuids[family])
        if "created_at" in row:
            row["created_at"] = bare(created)
            row["updated_at"] = bare(created if updated is None else min(updated, EPOCH))
        self.rows[name].append(row)
        return row

    def _next_id(self, family: str) -> int:
        gap = self.rng.randrange(2, 6) if self.chance(0.1) else 1
        self._last_id[family] += gap
        return self._last_id[family]

    def chance(self, share: float) -> bool:
        """Return True in this share of cases."""
        return self.rng.random() < share

    def past(self, since: int = EPOCH - YEAR) -> int:
        """Return a moment between `since` and the account's present."""
        return self.rng.randrange(since, EPOCH) if since < EPOCH else EPOCH

    def uuid(self) -> str:
        """Return a random UUID, version 4."""
        return str(UUID(int=self.rng.getrandbits(128), version=4))

    def value_id(self) -> int:
        """Return an id for an element inside a row."""
        return next(self._value_ids)

    def user(self) -> int:
        """Return the id of one of the account's users."""
        return int(self.rng.choice(self.rows["users"])["id"])

    def assignment(self, model: str, row: Row, moment: int) -> Row:
        """Return one element of `assignments`, whose stamps escape the usual form (V)."""
        return {
            "company_id": COMPANY_ID,
            "user_id": self.user(),
            "assignable_id": row["id"],
            "assignable_type": BASE_CLASS + model,
            "created_at": iso(moment),
            "updated_at": iso(moment),
            "team_id": self.rng.choice(self.rows["teams"])["id"],
            "mongo_id": None,
            "id": self.value_id(),
        }

    def customfield(self, field: Row, owner: tuple[str, Row], value: str | None) -> Row:
        """Return one element of `customfields`: the value as text, and no name (V). `owner` is its column and row."""
        column, row = owner
        return {
            "id": self.value_id(),
            "company_id": COMPANY_ID,
            "field_instance_id": field["id"],
            column: row["id"],
            "value": value,
            "created_at": row["created_at"],
            "updated_at": row["created_at"],
        }
