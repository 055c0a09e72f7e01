"""CSV files as offices write them.

They begin with a byte order mark or not, are in UTF-8 or in the code page of Windows, have commas, semicolons or tabs,
line breaks in quotes, and empty lines.
"""

from __future__ import annotations

import csv
import io
import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from fieldpulse_api.errors import UserError

_LOGGER = logging.getLogger(__name__)
_DELIMITERS = ",;\t|"
_MAX_NAMED_ROWS = 10


@dataclass(frozen=True)
class CsvRow:
    """One row. `number` is that of a spreadsheet, where the header is row 1. `cells` are by header, without padding."""

    number: int
    cells: dict[str, str]


@dataclass(frozen=True)
class CsvFile:
    """A whole file, read and checked before anything of it is used. Rows without any text are left out."""

    name: str
    headers: tuple[str, ...]
    rows: tuple[CsvRow, ...]


def read_csv(content: bytes, name: str) -> CsvFile:
    """Return the rows of a file. Raises: UserError for a file that is broken, empty, or without a header."""
    text = decoded(content, name)
    lines = _lines(text, name)
    headers = tuple(header.strip() for header in next(lines, []))
    if not any(headers):
        raise _error("The file has no header in its first line.", name, "put the names of the columns there")
    named = Counter(filter(None, headers))
    if twice := [header for header, count in named.items() if count > 1]:
        raise _error(
            f"Two columns have the same name: {', '.join(map(repr, twice))}.", name, "rename one of them in the file"
        )
    rows, too_long = [], []
    for number, cells in enumerate(lines, 2):
        stripped = [cell.strip() for cell in cells]
        if any(stripped[len(headers) :]):
            too_long.append(number)
        if any(stripped):
            padded = stripped + [""] * (len(headers) - len(stripped))
            rows.append(CsvRow(number, {header: cell for header, cell in zip(headers, padded, strict=False) if header}))
    if too_long:
        raise _error(
            f"{len(too_long)} rows have more cells than the header: row {listed(too_long)}.",
            name,
            "a text that contains the separator must be in quotes",
        )
    return CsvFile(name, tuple(named), tuple(rows))


def decoded(content: bytes, name: str) -> str:
    """Return the text of a file, whatever its encoding. Raises: UserError for a file that is not text."""
    encodings = ["utf-16"] if content.startswith((b"\xff\xfe", b"\xfe\xff")) else ["utf-8-sig", "cp1252"]
    for encoding in encodings:
        with suppress(UnicodeDecodeError):
            text = content.decode(encoding)
            if "\0" in text:
                break
            if encoding == "cp1252":
                _LOGGER.warning("%s is not in UTF-8; it is read as Windows-1252, as Excel writes CSV files", name)
            return text
    raise _error("The file is not text.", name, 'save it as CSV, in a spreadsheet: "Save as … CSV UTF-8"')


def _lines(text: str, name: str) -> Iterator[list[str]]:
    """Yield the cells of each line; a line break in quotes ends none."""
    header = text.splitlines()[:1]
    delimiter = max(_DELIMITERS, key=lambda each: len(next(csv.reader(header, delimiter=each), [])))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    number = 0
    while True:
        number += 1
        try:
            cells = next(reader, None)
        except csv.Error:
            raise _error(
                f"Row {number} cannot be read: its quotes do not match.", name, "correct the row; nothing was sent"
            ) from None
        if cells is None:
            return
        yield cells


def listed(numbers: list[int]) -> str:
    """Return row numbers for a message, the first ones of many."""
    more = len(numbers) - _MAX_NAMED_ROWS
    return ", ".join(map(str, numbers[:_MAX_NAMED_ROWS])) + (f" and {more} more" if more > 0 else "")


def _error(what: str, name: str, hint: str) -> UserError:
    return UserError(what, where=f"file {name}", hint=hint)
