"""What people call things → FieldPulse ids: how two values are compared, and a list's ids by their names."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from fieldpulse_api.errors import IncompleteRead
from fieldpulse_api.http.client import Client
from fieldpulse_api.reading.full_scan import FullScan
from fieldpulse_api.reading.pages import Pages, ReadOptions
from fieldpulse_api.resources.catalogue import BY_NAME

_LONGEST_NAME = 48  # a loader that flattens puts `custom_fields__` before it, and PostgreSQL takes 63 bytes

PERSONAL = "email"
"""A column of this name is compared, and never listed."""


def normalized(value: Any) -> str:
    """Return the form in which two values are compared: case, spaces and a phone's punctuation do not count."""
    words = " ".join(str(value).casefold().split())
    digits = re.sub(r"[\s().+-]", "", words)
    return digits[-10:] if digits.isdigit() and len(digits) >= 10 else words  # noqa: PLR2004  with or without country code


def property_name(name: str) -> str:
    """Return a name in snake case, of ASCII letters, digits and `_`; '' where nothing is left."""
    plain = unicodedata.normalize("NFKD", name.replace("ß", "ss")).encode("ascii", "ignore").decode()
    parted = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", plain)
    snake = re.sub(r"[^a-z0-9]+", "_", parted.lower()).strip("_")
    return f"field_{snake}"[:_LONGEST_NAME] if snake[:1].isdigit() else snake[:_LONGEST_NAME].strip("_")


def object_type(name: Any) -> str:
    """Return `material_list` for `material_list`, `Material Lists` and a PHP class name alike."""
    short = str(name).rsplit("\\", 1)[-1].removeprefix("Base")
    return property_name(short).removesuffix("s")


class NameIndex:
    """The ids of a list's rows by the value of one column, apart from case and spaces."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._ids: dict[str, list[int]] = {}
        self._values: dict[int, str] = {}

    def add(self, row_id: int, value: Any) -> None:
        """Say which value a row has now."""
        before, now = self._values.get(row_id), normalized(value)
        if before is not None:
            self._ids[before].remove(row_id)
        self._values[row_id] = now
        self._ids.setdefault(now, []).append(row_id)

    def find(self, value: Any) -> list[int]:
        """Return the ids of the rows that have a value."""
        return list(self._ids.get(normalized(value), ()))


def read_name_index(client: Client, reading: ReadOptions, stream: str, columns: str) -> NameIndex:
    """Read a list whole, and return its rows by a column, or by several with a space between.

    Raises: Incomplete; what `Client.get` raises.
    """
    index = NameIndex()
    pages = Pages(client, BY_NAME[stream], reading)
    for row in (row for rows in FullScan(pages).rows() for row in rows):
        name = " ".join(str(row[column]) for column in columns.split() if row.get(column))
        if name:
            index.add(int(row["id"]), name)
            if columns != PERSONAL:
                index.names.append(name)
    if pages.tally.verdict == "incomplete":
        raise IncompleteRead(
            f"The list of {stream} could not be read whole, so nothing can be looked up in it.",
            where=f"GET {BY_NAME[stream].path}",
            hint="run again",
        )
    return index
