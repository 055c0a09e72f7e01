"""An account under construction: random numbers, ids, and the rows so far."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import count
from random import Random
from uuid import UUID

from fieldpulse_api.resources.catalogue import RESOURCES
from fieldpulse_sandbox.schema.table_shapes import BASE_CLASS, COMPANY_ID, Row, blank_row
from fieldpulse_sandbox.schema.timestamps import EPOCH, YEAR, bare, iso

Rows = Mapping[str, Sequence[Row]]
ID_SPACING = 10_000_000
ID_FAMILY = {"invoices": "estimates", "estimate_qb_classes": "job_qb_classes", "invoice_qb_classes": "job_qb_classes"}
"""Resources that share ids and cuids with another resource. Estimates and invoices share a table (inferred)."""


class AccountDraft:
    """An account under construction. The same numbers give the same rows, byte for byte."""

    def __init__(self, customers: int, seed: int, users: int, office_names: Rows) -> None:
        """Start without rows. Nothing here reads a clock.

        `office_names` are rows of a real account, with their ids, to use instead of invented ones, by resource.
        """
        self.customers, self.users, self.office_names = customers, users, office_names
        self.rng = Random(f"fieldpulse-{seed}-{customers}")
        self.rows: dict[str, list[Row]] = {resource.name: [] for resource in RESOURCES}
        self._last_id = {resource.name: ID_SPACING * n + 1 for n, resource in enumerate(RESOURCES, start=1)}
        self._cuids: dict[str, count[int]] = defaultdict(lambda: count(1000))
        self._element_ids = count(5_500_001)

    def add(self, name: str, created: int, updated: int | None = None, /, **values: object) -> Row:
        """Append a row with the next id, and with cuid and stamps if its shape has them."""
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

    def add_office_names(self, name: str, created: int) -> bool:
        """Append the office's rows of this resource, and return whether there is a list of them."""
        for values in self.office_names.get(name, ()):
            row = self.add(name, created, **values)
            row["id"] = values["id"]
        return name in self.office_names

    def _next_id(self, family: str) -> int:
        gap = self.rng.randrange(2, 6) if self.chance(0.1) else 1
        self._last_id[family] += gap
        return self._last_id[family]

    def chance(self, share: float) -> bool:
        """Return True with this probability."""
        return self.rng.random() < share

    def past(self, since: int = EPOCH - YEAR) -> int:
        """Return a time between `since` and the account's present, in UNIX seconds."""
        return self.rng.randrange(since, EPOCH) if since < EPOCH else EPOCH

    def uuid(self) -> str:
        """Return a random UUID, version 4."""
        return str(UUID(int=self.rng.getrandbits(128), version=4))

    def next_element_id(self) -> int:
        """Return a new id for an element inside a row."""
        return next(self._element_ids)

    def maybe_id(self, name: str, share: float) -> int | None:
        """Return the id of a random row with this probability, else or without rows None."""
        return int(self.rng.choice(self.rows[name])["id"]) if self.chance(share) and self.rows[name] else None

    def user_id(self) -> int:
        """Return the id of a random user."""
        return int(self.rng.choice(self.rows["users"])["id"])

    def assignment(self, model: str, row: Row, created: int) -> Row:
        """Return an element of `assignments`; its stamps are in ISO form (verified)."""
        return {
            "company_id": COMPANY_ID,
            "user_id": self.user_id(),
            "assignable_id": row["id"],
            "assignable_type": BASE_CLASS + model,
            "created_at": iso(created),
            "updated_at": iso(created),
            "team_id": self.rng.choice(self.rows["teams"])["id"],
            "mongo_id": None,
            "id": self.next_element_id(),
        }

    def custom_value(self, definition: Row, owner: tuple[str, Row], value: str | None) -> Row:
        """Return an element of `customfields`: the value as text, without a name (verified).

        `owner` is the column that names the row, and the row.
        """
        column, row = owner
        return {
            "id": self.next_element_id(),
            "company_id": COMPANY_ID,
            "field_instance_id": definition["id"],
            column: row["id"],
            "value": value,
            "created_at": row["created_at"],
            "updated_at": row["created_at"],
        }
