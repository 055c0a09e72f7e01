"""The account: all tables, one clock, and the effects of a write on the columns that every row has."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

from fieldpulse_sandbox.schema.table_shapes import COMPANY_ID, SHAPES, Row, blank_row
from fieldpulse_sandbox.schema.timestamps import bare
from fieldpulse_sandbox.seed import Account
from fieldpulse_sandbox.seed.draft import ID_FAMILY

from .errors import NoSuchRow
from .table import Table

Clock = Callable[[], float]
OnChange = Callable[[str, Row | None, Row], None]
"""Takes the name of a resource, the row before the change or None, and the row after it."""
LAST_SEEDED_ELEMENT_ID = 5_900_000_000
"""Above every id of an element that a seed creates."""


@dataclass(frozen=True)
class MaterialListLink:
    """A link of a material list to another entity: of the whole list, or of some items."""

    entity: str
    entity_id: int
    item_ids: tuple[int, ...] = ()


class Store:
    """Rows by resource, without rules of validation; those are in `writes`.

    `on_change` is called for each new or changed row. `links` are the links of material lists by the id of the list;
    no response shows them, and a repeated link is there twice.

    Units: `clock` gives UNIX seconds; stamps are whole seconds of it.
    """

    def __init__(self, account: Account, clock: Clock = time.time) -> None:
        """Store the rows of an account."""
        self.clock = clock
        self.tables = {name: Table(name, account.get(name, ())) for name in SHAPES}
        self.company_id = next(iter(self.tables["company_profiles"].rows), COMPANY_ID)
        self.owner_id = next(iter(self.tables["users"].rows), None)
        self.links: defaultdict[int, list[MaterialListLink]] = defaultdict(list)
        self.on_change: OnChange = lambda *_: None
        self._element_ids = count(LAST_SEEDED_ELEMENT_ID + 1)

    def now(self) -> str:
        """Return the server's time in the form of the columns."""
        return bare(int(self.clock()))

    def next_element_id(self) -> int:
        """Return a new id for an element inside a row."""
        return next(self._element_ids)

    def rows(self, name: str) -> list[Row]:
        """Return the rows of a resource as its list shows them, without deleted ones, ascending by id."""
        table = self.tables[name]
        return [dict(table.list_row(row)) for row in list(table.rows.values())]

    def find(self, name: str, row_id: object) -> Row | None:
        """Return a row by id, or None if it does not exist or was deleted."""
        try:
            return self.tables[name].rows.get(int(str(row_id)))
        except ValueError:
            return None

    def get(self, name: str, row_id: object) -> Row:
        """Return a row by id.

        Raises: NoSuchRow.
        """
        row = self.find(name, row_id)
        if row is None:
            raise NoSuchRow(name)
        return row

    def create(self, name: str, values: Row) -> Row:
        """Insert a row with the next id and cuid, written now by the owner of the API key."""
        family = [member for member in SHAPES if ID_FAMILY.get(member, member) == ID_FAMILY.get(name, name)]
        row = blank_row(name) | values
        row["id"] = max(self.tables[member].last_id for member in family) + 1
        stamps = {
            "company_id": self.company_id,
            "cuid": max(self.tables[member].last_cuid for member in family) + 1,
            "author_id": self.owner_id,
            "created_at": self.now(),
            "updated_at": self.now(),
        }
        row |= {key: value for key, value in stamps.items() if key in row}
        self.tables[name].upsert(row)
        self.on_change(name, None, row)
        return row

    def update(self, name: str, row_id: int, values: Row) -> Row:
        """Replace some columns of a row and set `updated_at`."""
        stamp = {"updated_at": self.now()} if "updated_at" in SHAPES[name] else {}
        return self.patch(name, row_id, {**values, **stamp})

    def patch(self, name: str, row_id: int, values: Row) -> Row:
        """Replace some columns of a row without setting `updated_at`; copies of other rows change in this way."""
        before = self.get(name, row_id)
        row = before | values
        self.tables[name].upsert(row)
        self.on_change(name, before, row)
        return row

    def move(self, name: str, row_id: int, to: str) -> Row:
        """Move a row to the table of another resource, with its id and the columns that the other one has."""
        row = self.tables[name].take(row_id)
        moved = blank_row(to) | {key: cell for key, cell in row.items() if key in SHAPES[to]}
        self.tables[to].upsert(moved)
        self.on_change(to, row, moved)
        return moved

    def delete(self, name: str, row_id: object) -> Row:
        """Delete a row and return it with its `deleted_at`. Its children stay (verified)."""
        return self.tables[name].remove(self.get(name, row_id)["id"], self.now())

    def find_deleted(self, name: str, row_id: object) -> Row | None:
        """Return a deleted row by id, or None."""
        return self.tables[name].deleted.get(int(str(row_id))) if str(row_id).isdigit() else None
