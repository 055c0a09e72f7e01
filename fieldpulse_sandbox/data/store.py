"""The account as the API holds it: every table, one clock, and what each write does to a row's own columns."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

from fieldpulse_sandbox.data.errors import NoSuchRow
from fieldpulse_sandbox.schema.table_shapes import COMPANY_ID, SHAPES, Row, blank_row
from fieldpulse_sandbox.schema.timestamps import bare
from fieldpulse_sandbox.seed import Account
from fieldpulse_sandbox.seed.draft import ID_FAMILY

from .table import Table

Clock = Callable[[], float]
Changed = Callable[[str, "Row | None", "Row"], None]
"""Takes the name of a resource, a row before, or None, and after."""
LAST_SEEDED_VALUE = 5_900_000_000
"""No account is so large that its seed gets there."""


@dataclass(frozen=True)
class MaterialListLink:
    """What a material list was connected with: all of it, or only some items."""

    entity: str
    entity_id: int
    item_ids: tuple[int, ...] = ()


class Store:
    """Rows by resource. It knows no rules of validation; `writes` does.

    `changed` is called with each row that is new or changed, and with what it was before.
    `links` are those of material lists, by the list's id: no answer shows them. A repeated link is there twice.

    Units: `clock` gives UNIX seconds; stamps are whole seconds of it.
    """

    def __init__(self, account: Account, clock: Clock = time.time) -> None:
        """Take over the rows of an account."""
        self.clock = clock
        self.tables = {name: Table(name, account.get(name, ())) for name in SHAPES}
        self.owner = next(iter(self.tables["users"].rows), None)
        self.links: defaultdict[int, list[MaterialListLink]] = defaultdict(list)
        self.on_change: Changed = lambda *_: None
        self._value_ids = count(LAST_SEEDED_VALUE + 1)

    def now(self) -> str:
        """Return the server's time as the columns have it."""
        return bare(int(self.clock()))

    def next_element_id(self) -> int:
        """Return an id for an element inside a row, above all that the seed gave."""
        return next(self._value_ids)

    def rows(self, name: str) -> list[Row]:
        """Return the live rows of a resource as its list shows them, ascending by id."""
        table = self.tables[name]
        return [dict(table.list_row(row)) for row in list(table.rows.values())]

    def find(self, name: str, number: object) -> Row | None:
        """Return a live row by id, or None."""
        try:
            return self.tables[name].rows.get(int(str(number)))
        except ValueError:
            return None

    def get(self, name: str, number: object) -> Row:
        """Return a live row by id.

        Raises: Missing.
        """
        row = self.find(name, number)
        if row is None:
            raise NoSuchRow(name)
        return row

    def create(self, name: str, values: Row) -> Row:
        """Insert a row with an id and a cuid above all others, written now by the owner of the key."""
        family = [n for n in SHAPES if ID_FAMILY.get(n, n) == ID_FAMILY.get(name, name)]
        row = blank_row(name) | values
        row["id"] = max(self.tables[n].last_id for n in family) + 1
        own = {
            "company_id": COMPANY_ID,
            "cuid": max(self.tables[n].last_cuid for n in family) + 1,
            "author_id": self.owner,
            "created_at": self.now(),
            "updated_at": self.now(),
        }
        row |= {key: value for key, value in own.items() if key in row}
        self.tables[name].upsert(row)
        self.on_change(name, None, row)
        return row

    def update(self, name: str, number: int, values: Row) -> Row:
        """Replace some columns of a row and stamp it."""
        stamp = {"updated_at": self.now()} if "updated_at" in SHAPES[name] else {}
        return self.patch(name, number, {**values, **stamp})

    def patch(self, name: str, number: int, values: Row) -> Row:
        """Replace some columns of a row without a stamp: what a row embeds of others changes that way."""
        before = self.get(name, number)
        row = before | values
        self.tables[name].upsert(row)
        self.on_change(name, before, row)
        return row

    def delete(self, name: str, number: object) -> Row:
        """Take a row out of every answer and return it with its `deleted_at`; its children stay (V)."""
        return self.tables[name].remove(self.get(name, number)["id"], self.now())

    def find_deleted(self, name: str, number: object) -> Row | None:
        """Return a deleted row by id, or None."""
        return self.tables[name].deleted.get(int(str(number))) if str(number).isdigit() else None
