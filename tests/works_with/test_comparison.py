"""Each way in which a loaded table can be wrong is reported, and nothing else."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from .comparison import Kind, Representation, Table, compare, expected_tables, kind_of

PROPERTIES: dict[str, Any] = {
    "id": {"type": "integer"},
    "name": {"type": ["string", "null"]},
    "amount": {"type": ["string", "null"], "format": "x-singer.decimal", "precision": 38, "scale": 9},
    "at": {"type": ["string", "null"], "format": "date-time"},
    "is_paid": {"type": ["boolean", "null"]},
    "tags": {"type": ["array", "null"]},
}
RECORDS: list[dict[str, Any]] = [
    {"id": 1, "name": "old"},
    {"id": 2, "name": "Otto", "amount": "2594.49", "at": "2026-11-01T05:30:00.000000Z", "is_paid": True, "tags": [1]},
    {"id": 1, "name": "Ines", "amount": "1.50"},
]
NULLS = {"amount": None, "at": None, "is_paid": None, "tags": None}
ROWS: list[dict[str, Any]] = [
    {"id": 1, "name": "Ines", **NULLS, "amount": Decimal("1.500000000")},
    {"id": 2, "name": "Otto", "amount": "2594.490", "at": "2026-11-01T00:30:00-05:00", "is_paid": True, "tags": [1.0]},
]


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Return a message file of one stream."""
    schema = {"type": "SCHEMA", "stream": "jobs", "schema": {"properties": PROPERTIES}, "key_properties": ["id"]}
    records = [{"type": "RECORD", "stream": "jobs", "record": record} for record in RECORDS]
    path = tmp_path / "1.singer"
    path.write_text("".join(json.dumps(message) + "\n" for message in [schema, *records]))
    return [path]


def differences(
    files: list[Path], rows: list[dict[str, Any]], representation: Representation | None = None, *lost: str
) -> list[str]:
    """Return the differences of a loaded table."""
    columns = set(PROPERTIES) - set(lost) | {name for row in rows for name in row} - set(lost)
    used = representation or Representation()
    expected = expected_tables(files, appends=used.appends)
    return [str(difference) for difference in compare(expected, {"jobs": Table(columns, rows)}, used).differences]


def changed(**values: Any) -> list[dict[str, Any]]:
    """Return the rows with a change in the second."""
    return [ROWS[0], ROWS[1] | values]


def test_equal_cells_are_no_difference(files: list[Path]) -> None:
    """The last record of a key wins as a whole; spellings of one number and one instant are equal."""
    assert differences(files, ROWS) == []
    comparison = compare(expected_tables(files), {"jobs": Table(set(PROPERTIES), ROWS)}, Representation())
    assert (comparison.rows, comparison.cells) == (2, 12)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"name": "otto"}, "different value: jobs.name of 2: 'Otto' was loaded as 'otto'"),
        ({"name": ""}, "different value: jobs.name of 2: 'Otto' was loaded as ''"),
        ({"name": None}, "different value: jobs.name of 2: 'Otto' was loaded as None"),
        ({"amount": Decimal(2594)}, "jobs.amount of 2: Decimal('2594.49') was loaded as Decimal('2594')"),
        ({"at": "2026-11-01T01:30:00"}, "datetime.datetime(2026, 11, 1, 1, 30, tzinfo=datetime.timezone.utc)"),
        ({"is_paid": 1}, "different value: jobs.is_paid of 2: True was loaded as 1"),
        ({"tags": [2]}, "different value: jobs.tags of 2: [1] was loaded as [2]"),
        ({"tags": [True]}, "different value: jobs.tags of 2: [1] was loaded as [True]"),
        ({"tags": "[1]"}, "different value: jobs.tags of 2: [1] was loaded as '[1]'"),
    ],
)
def test_a_changed_cell_is_a_difference(files: list[Path], values: dict[str, Any], expected: str) -> None:
    """Also where only the type, the zone or the cents differ."""
    (difference,) = differences(files, changed(**values))
    assert expected in difference


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (ROWS[:1], ["missing row: jobs of 2"]),
        ([*ROWS, ROWS[1]], ["doubled row: jobs of 2"]),
        ([*ROWS, {"id": 3}], ["unexpected row: jobs of 3"]),
        ([ROWS[0], ROWS[1] | {"title_2026": "x"}], ["unexpected column: jobs.title_2026"]),
        ([ROWS[0], ROWS[1] | {"_sdc_batched_at": "x"}], []),
    ],
)
def test_rows_and_columns_are_counted(files: list[Path], rows: list[dict[str, Any]], expected: list[str]) -> None:
    """A loader's own metadata columns may be there."""
    assert differences(files, rows) == expected


def test_a_missing_column_is_reported_once(files: list[Path]) -> None:
    """Not for each row."""
    rows = [{name: value for name, value in row.items() if name != "amount"} for row in ROWS]
    assert differences(files, rows, None, "amount") == ["missing column: jobs.amount"]


def test_a_column_without_values_may_be_missing_where_that_is_stated(files: list[Path]) -> None:
    """A store that takes its columns from the records does not have it; another column is missing still."""
    stated = Representation(has_empty_columns=False)
    properties = PROPERTIES | {"never": {"type": ["string", "null"]}}
    schema = {"type": "SCHEMA", "stream": "jobs", "schema": {"properties": properties}, "key_properties": ["id"]}
    files[0].write_text(files[0].read_text() + json.dumps(schema) + "\n")
    assert differences(files, ROWS, stated) == []
    assert differences(files, ROWS, stated, "amount") == ["missing column: jobs.amount"]


def test_a_missing_table_is_a_difference(files: list[Path]) -> None:
    """A table of another name is one, too."""
    found = compare(expected_tables(files), {"Jobs": Table([], [])}, Representation()).differences
    assert [str(difference) for difference in found] == ["missing table: jobs", "unexpected table: Jobs"]


def test_values_that_no_schema_announces_must_arrive_too(files: list[Path]) -> None:
    """A loader drops them silently where it makes a column for each announced property only."""
    record = {"type": "RECORD", "stream": "jobs", "record": {"id": 3, "surprise": 7, "none": None}}
    files[0].write_text(files[0].read_text() + json.dumps(record) + "\n")
    row = dict.fromkeys(PROPERTIES) | {"id": 3}
    lost = differences(files, [*ROWS, row], None, "surprise", "none")
    assert lost == ["lost, as no SCHEMA announces it: jobs.surprise of 3"]
    assert differences(files, [*ROWS, row | {"surprise": 7, "none": None}]) == []


def test_a_stated_representation_is_no_difference(files: list[Path]) -> None:
    """Only for its type: the same change in another column is reported."""
    stated = Representation(expected={Kind.TEXT: lambda value: value and value.upper()}, decode={Kind.TEXT: str.upper})
    assert differences(files, ROWS, stated) == []
    assert differences(files, changed(name="oTTo"), stated) == []
    assert len(differences(files, changed(tags=["1"]), stated)) == 1


def test_a_stated_structure_depends_on_the_schema_of_the_property(files: list[Path]) -> None:
    """A store of structs has the members that the schema names."""
    stated = Representation(structure=lambda schema, value: value and [*value, schema["type"][0]])
    assert differences(files, changed(tags=[1, "array"]), stated) == []
    (difference,) = differences(files, changed(tags=[1]), stated)
    assert difference == "different value: jobs.tags of 2: [1, 'array'] was loaded as [1]"


def test_a_column_of_another_type_is_a_difference(files: list[Path]) -> None:
    """Also where every cell is right, or null."""
    stated = Representation(types={Kind.DECIMAL: "NUMBER(38,9)"})
    for kind, expected in (("NUMBER(38,9)", []), ("NUMBER(38,0)", ["column of another type: jobs.amount"])):
        loaded = {"jobs": Table(set(PROPERTIES), ROWS, {"amount": kind, "name": "VARCHAR"})}
        found = compare(expected_tables(files), loaded, stated).differences
        assert [str(difference).partition(": N")[0] for difference in found] == expected


def test_an_appending_loader_holds_every_record(files: list[Path]) -> None:
    """In the order of the records, so that the old version of a row comes first."""
    appends = Representation(appends=True)
    old = {"id": 1, "name": "old", **NULLS}
    assert differences(files, [old, ROWS[1], ROWS[0]], appends) == []
    assert differences(files, ROWS, appends) == [
        "missing row: jobs of 1",
        "different value: jobs.name of 1: 'old' was loaded as 'Ines'",
        "different value: jobs.amount of 1: None was loaded as Decimal('1.500000000')",
    ]


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        ({"type": ["object", "array", "null"]}, Kind.JSON),
        ({"type": ["number", "string", "null"]}, Kind.ANY),
        ({"type": ["string", "null"], "format": "time"}, Kind.TEXT),
        ({"type": ["string", "null"], "format": "date"}, Kind.DATE),
        ({}, Kind.ANY),
    ],
)
def test_the_type_is_that_of_the_schema(schema: dict[str, Any], kind: Kind) -> None:
    """A property of several types has none that could be compared."""
    assert kind_of(schema) is kind
