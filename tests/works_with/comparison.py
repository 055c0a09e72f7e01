"""The cells that should be loaded, against those that are.

What should be there comes from the messages alone: the last record of each key, or every record where a loader appends.
A property that a record lacks is null. The type of a cell is what the last SCHEMA of its stream announces.

A difference is reported unless the loader's `Representation` states it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timezone
from decimal import Decimal, InvalidOperation
from enum import Enum
from pathlib import Path
from typing import Any

from typing_extensions import override

Record = dict[str, Any]
RowKey = tuple[Any, ...]
"""The values of the primary key, and the number of the row among those of this key, from 0."""


class Kind(Enum):
    """The type that a SCHEMA announces for a property."""

    TEXT = "string"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    JSON = "object"
    DECIMAL = "x-singer.decimal"
    TIME = "date-time"
    DATE = "date"
    ANY = "any"


@dataclass
class Table:
    """A loaded table. `columns` is None for a store without columns, such as a file of JSON lines.

    `types` are the types of the columns in the store's words, where the reader asks for them.
    """

    columns: Collection[str] | None
    rows: list[Record]
    types: Mapping[str, str] = field(default_factory=dict)


@dataclass
class ExpectedTable:
    """What the messages say about one stream: type and schema of each property, the primary key, and the rows."""

    kinds: dict[str, Kind] = field(default_factory=dict)
    schemas: dict[str, Record] = field(default_factory=dict)
    announced: set[str] = field(default_factory=set)
    key: tuple[str, ...] = ()
    rows: dict[RowKey, Record] = field(default_factory=dict)


@dataclass(frozen=True)
class Representation:
    """The documented form of a loader's tables.

    `expected` says per type what becomes of a value, `decode` how a loaded value is read; it raises for a value of
    another form. `structure` says what becomes of an object or array of this schema. `column` gives the name of a
    property's column, `types` its type in the store's words. `statements` say the same to a reader.
    """

    statements: tuple[str, ...] = ()
    appends: bool = False
    has_empty_tables: bool = True
    has_empty_columns: bool = True
    column: Callable[[str], str] = str
    expected: Mapping[Kind, Callable[[Any], Any]] = field(default_factory=dict)
    decode: Mapping[Kind, Callable[[Any], Any]] = field(default_factory=dict)
    structure: Callable[[Mapping[str, Any], Any], Any] = lambda _, value: value
    types: Mapping[Kind, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Difference:
    """One thing that is not as the messages say. `stream` stands for all of them where `key` and `name` are empty."""

    what: str
    stream: str
    name: str = ""
    key: str = ""
    expected: str = ""
    loaded: str = ""

    @override
    def __str__(self) -> str:
        """Return the difference as a line of the runner's output."""
        place = ".".join(part for part in (self.stream, self.name) if part) + (f" of {self.key}" if self.key else "")
        values = f": {self.expected} was loaded as {self.loaded}" if self.expected else ""
        return f"{self.what}: {place}{values}"


@dataclass
class Comparison:
    """The number of rows and cells that were compared, and every difference."""

    rows: int = 0
    cells: int = 0
    differences: list[Difference] = field(default_factory=list)


def expected_tables(files: Iterable[Path], *, appends: bool = False) -> dict[str, ExpectedTable]:
    """Return what the messages of the files, loaded one after another, should leave in each table."""
    tables: dict[str, ExpectedTable] = {}
    counts: Counter[tuple[str, RowKey]] = Counter()
    for path in files:
        for line in path.read_text("utf-8").split("\n"):
            message: Record = json.loads(line, parse_float=Decimal) if line else {"type": ""}
            if message["type"] == "SCHEMA":
                table = tables.setdefault(message["stream"], ExpectedTable())
                properties = message["schema"]["properties"]
                table.kinds |= {name: kind_of(schema) for name, schema in properties.items()}
                table.schemas |= {name: _merged(table.schemas.get(name), new) for name, new in properties.items()}
                table.announced, table.key = set(properties), tuple(message["key_properties"])
            elif message["type"] == "RECORD":
                table, record = tables[message["stream"]], message["record"]
                key = tuple(record.get(name) for name in table.key)
                table.rows[(*key, counts[message["stream"], key])] = record
                counts[message["stream"], key] += appends
                table.kinds |= {name: Kind.ANY for name in record if name not in table.kinds}
    return tables


def _merged(old: Record | None, new: Record) -> Record:
    """Return the schema of a property with the members that an earlier SCHEMA named."""
    members = (old or {}).get("properties", {}) | new.get("properties", {})
    return {**new, "properties": members} if members else new


def kind_of(schema: Mapping[str, Any]) -> Kind:
    """Return the announced type of a property."""
    types = schema.get("type", [])
    names = {name for name in ([types] if isinstance(types, str) else types) if name != "null"}
    if schema.get("format") in ("x-singer.decimal", "date-time", "date") and names == {"string"}:
        return Kind(schema["format"])
    if names and names <= {"object", "array"}:
        return Kind.JSON
    return Kind(names.pop()) if len(names) == 1 else Kind.ANY


def compare(
    expected: Mapping[str, ExpectedTable], loaded: Mapping[str, Table], representation: Representation
) -> Comparison:
    """Compare every cell of every table."""
    result = Comparison()
    for stream, table in expected.items():
        if stream in loaded:
            _compare_table(result, stream, table, loaded[stream], representation)
        elif table.rows or representation.has_empty_tables:
            result.differences.append(Difference("missing table", stream))
    result.differences += [Difference("unexpected table", stream) for stream in loaded if stream not in expected]
    return result


def _compare_table(
    result: Comparison, stream: str, table: ExpectedTable, loaded: Table, representation: Representation
) -> None:
    rows = _rows_by_key(table, loaded, representation)
    result.rows += len(table.rows)
    result.differences += [Difference("missing row", stream, key=_text(key)) for key in table.rows if key not in rows]
    result.differences += [
        Difference("doubled row" if key[-1] else "unexpected row", stream, key=_text(key))
        for key in rows
        if key not in table.rows
    ]
    lost = _missing_columns(table, loaded, representation)
    result.differences += [
        Difference("missing column", stream, name)
        for name in lost
        if name in table.announced and (representation.has_empty_columns or _has_values(table, name))
    ]
    result.differences += [
        Difference("unexpected column", stream, name)
        for name in loaded.columns or ()
        if name not in {representation.column(name) for name in table.kinds} and not name.lower().startswith("_sdc_")
    ]
    result.differences += _compare_types(stream, table, loaded, representation)
    for key, record in table.rows.items():
        for name, kind in table.kinds.items():
            result.cells += 1
            if name in lost and name not in table.announced and record.get(name) is not None:
                result.differences.append(Difference("lost, as no SCHEMA announces it", stream, name, _text(key)))
            elif key in rows and name not in lost:
                value = record.get(name)
                if kind is Kind.JSON:
                    value = representation.structure(table.schemas[name], value)
                result.differences += _compare_cell(
                    representation,
                    kind,
                    value,
                    rows[key].get(representation.column(name)),
                    stream,
                    name,
                    key,
                )


def _compare_types(
    stream: str, table: ExpectedTable, loaded: Table, representation: Representation
) -> Iterator[Difference]:
    for name, kind in table.kinds.items():
        wanted, found = representation.types.get(kind), loaded.types.get(representation.column(name))
        if wanted and found and wanted != found:
            yield Difference("column of another type", stream, name, expected=wanted, loaded=found)


def _compare_cell(
    representation: Representation, kind: Kind, expected: Any, loaded: Any, stream: str, name: str, key: RowKey
) -> Iterator[Difference]:
    wanted = _canonical(kind, expected)
    wanted = representation.expected.get(kind, _unchanged)(wanted)
    try:
        found = None if loaded is None else _canonical(kind, representation.decode.get(kind, _unchanged)(loaded))
    except (ValueError, TypeError, InvalidOperation, SyntaxError):
        found = loaded
    if _comparable(wanted) != _comparable(found):
        yield Difference("different value", stream, name, _text(key), _text(wanted), _text(found))


def _rows_by_key(table: ExpectedTable, loaded: Table, representation: Representation) -> dict[RowKey, Record]:
    decode_key = [representation.decode.get(table.kinds.get(name, Kind.ANY), _unchanged) for name in table.key]
    counts: Counter[RowKey] = Counter()
    rows: dict[RowKey, Record] = {}
    for row in loaded.rows:
        values = [row.get(representation.column(name)) for name in table.key]
        key = tuple(value if value is None else decode(value) for decode, value in zip(decode_key, values, strict=True))
        rows[(*key, counts[key])] = row
        counts[key] += 1
    return rows


def _missing_columns(table: ExpectedTable, loaded: Table, representation: Representation) -> set[str]:
    if loaded.columns is None:
        return set()
    return {name for name in table.kinds if representation.column(name) not in loaded.columns}


def _has_values(table: ExpectedTable, name: str) -> bool:
    return any(record.get(name) is not None for record in table.rows.values())


def _unchanged(value: Any) -> Any:
    return value


def _canonical(kind: Kind, value: Any) -> Any:
    """Return the value of a type; a value that does not fit its type stays as it is."""
    try:
        if kind is Kind.TIME and isinstance(value, str):
            value = datetime.fromisoformat(value.replace("Z", "+00:00"))
        if kind is Kind.TIME and isinstance(value, datetime):
            return value.replace(tzinfo=value.tzinfo or timezone.utc).astimezone(timezone.utc)
        if kind is Kind.DATE and isinstance(value, str):
            return date.fromisoformat(value)
        if kind in (Kind.DECIMAL, Kind.INTEGER, Kind.NUMBER) and isinstance(value, (str, int, float)):
            return value if isinstance(value, bool) else Decimal(str(value))
    except (ValueError, InvalidOperation):
        return value
    return value


def _comparable(value: Any) -> Any:
    """Return a value that equals only values of the same JSON type: True is not 1, and 1 is 1.0."""
    if isinstance(value, bool) or value is None:
        return ("literal", value)
    if isinstance(value, (int, float, Decimal)):
        return ("number", Decimal(str(value)))
    if isinstance(value, dict):
        return {name: _comparable(item) for name, item in value.items()}
    return [_comparable(item) for item in value] if isinstance(value, list) else value


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(str(part) for part in value[:-1])
    return repr(value) if len(repr(value)) <= 200 else f"{value!r:.197}…"
