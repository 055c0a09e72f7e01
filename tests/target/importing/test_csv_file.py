"""CSV files as offices write them."""

from __future__ import annotations

import pytest

from fieldpulse_api.errors import UserError
from target_fieldpulse.importing.csv_file import read_csv

TEXT = 'Name;"E-Mail";Notes\nZoë;zoe@example.com;"first; line\nsecond line"\n\n;;\nBen;ben@example.com\n'
ROWS = [
    (2, {"Name": "Zoë", "E-Mail": "zoe@example.com", "Notes": "first; line\nsecond line"}),
    (5, {"Name": "Ben", "E-Mail": "ben@example.com", "Notes": ""}),
]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("delimiter", [";", ",", "\t"])
def test_every_spelling_of_a_table_is_the_same_table(encoding: str, ending: str, delimiter: str) -> None:
    """Rows have the numbers of a spreadsheet: a line break in quotes makes none, and an empty line does."""
    content = TEXT.replace(";", delimiter).replace("\n", ending).encode(encoding)
    rows = [(row.number, row.cells) for row in read_csv(content, "leads.csv").rows]
    notes = f"first{delimiter} line{ending}second line"
    assert rows == [(2, ROWS[0][1] | {"Notes": notes}), ROWS[1]]


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "no header"),
        (b"\n\nAda\n", "no header"),
        (b";;\nAda;1;2\n", "no header"),
        (b"Name,Name\nAda,Loft\n", "same name: 'Name'"),
        (b"Name,Phone\nAda,1\nBen,2,Dallas\nEve\n", "more cells than the header: row 3."),
        (b'Name,Phone\nAda,1\n"Ben,2\nEve,3\n', "Row 3 cannot be read"),
        (b'Name\n"Ada" Loft\n', "Row 2 cannot be read"),
        (b"PK\x03\x04\x14\x00\x06\x00sheet", "not text"),
        (b"Name\nZo\xeb\x81\n", "not text"),
        (b"\xff\xfeN\x00a", "not text"),
    ],
)
def test_a_file_that_is_broken_is_refused_as_a_whole(content: bytes, what: str) -> None:
    """The message names the rows, and shows nothing of their cells."""
    with pytest.raises(UserError, match=what) as raised:
        read_csv(content, "leads.csv")
    assert raised.value.where == "file leads.csv"
    assert "Dallas" not in raised.value.one_line
