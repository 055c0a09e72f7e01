"""Row ids by name, so that users can filter by the name of a related row instead of its id."""

from __future__ import annotations

from typing import Any

from fieldpulse_api.http.client import Client
from fieldpulse_api.reading.full_scan import read_whole_list
from fieldpulse_api.reading.pages import Pages, ReadOptions
from fieldpulse_api.resources.catalogue import BY_NAME
from fieldpulse_api.values.text import PERSONAL_COLUMN, normalized


class NameIndex:
    """The ids of a list's rows by normalized name. `names` may be shown to users: it holds no personal data."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._ids: dict[str, list[int]] = {}

    def add(self, row_id: int, name: Any) -> None:
        """Add the name of a row."""
        self._ids.setdefault(normalized(name), []).append(row_id)

    def find(self, name: Any) -> list[int]:
        """Return the ids of the rows that have a name."""
        return list(self._ids.get(normalized(name), ()))


def read_name_index(client: Client, options: ReadOptions, stream: str, columns: str) -> NameIndex:
    """Read a whole list and index its rows by a column, or by several columns joined by a space.

    Raises: IncompleteRead; what `Client.get` raises.
    """
    index = NameIndex()
    for row in read_whole_list(Pages(client, BY_NAME[stream], options)):
        name = " ".join(str(row[column]) for column in columns.split() if row.get(column))
        if name:
            index.add(int(row["id"]), name)
            if columns != PERSONAL_COLUMN:
                index.names.append(name)
    return index
