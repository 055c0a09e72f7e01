"""Which rows an agent wants: the catalogue's filters, any other column by its value, and a text anywhere in the row."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import Any

from fieldpulse_api.errors import ConfigError, UserError, got_and_allowed
from fieldpulse_api.reading.pages import Row
from fieldpulse_api.resources.catalogue import RESOURCES
from fieldpulse_api.resources.model import Resource, WritableResource
from fieldpulse_api.values.text import is_empty, normalized
from fieldpulse_cli.mcp_server.results import Record
from tap_fieldpulse.reading.filters import Filters, Test
from tap_fieldpulse.records.shaper import is_secret_name

from .account import Account

_NESTED = ("object", "array")
_PHONE_SIGNS = re.compile(r"[\s().+/-]")
_MIN_DIGITS = 4
_MIN_TEXT, _MAX_TEXT = 2, 200


def is_nested(schema: Mapping[str, Any]) -> bool:
    """Return whether a column holds an object or a list."""
    types = schema.get("type", [])
    return any(name in _NESTED for name in ([types] if isinstance(types, str) else types))


def column_names(resource: Resource) -> list[str]:
    """Return the columns of a stream that have a single value."""
    properties = resource.schema["properties"]
    return [name for name, schema in properties.items() if not (is_nested(schema) or is_secret_name(name))]


def related_streams(resource: Resource) -> dict[str, WritableResource]:
    """Return the streams whose rows have names, by the filter that takes a name: `customer` for `customer_id`."""
    return {
        related.name[:-1]: related
        for related in RESOURCES
        if isinstance(related, WritableResource)
        and related.write_spec.require_any_of
        and not related.parent
        and f"{related.name[:-1]}_id" in resource.schema["properties"]
    }


def filters_of(
    account: Account,
    resource: Resource,
    wanted: Mapping[str, Any],
    to_record: Callable[[Row], Record],
    ids_of: Callable[[WritableResource, str], list[int]],
) -> Filters:
    """Return the filters that a model asked for: those of the catalogue, names of related rows, and columns.

    Columns are as a model sees them in records. `ids_of` returns the ids of the rows that a name means.

    Raises: UserError for a name or a value that does not exist.
    """
    related = {name: stream for name, stream in related_streams(resource).items() if name in wanted}
    if related:
        by_id = {f"{name}_id": ids_of(stream, _only_text(wanted[name], name)) for name, stream in related.items()}
        others = {name: value for name, value in wanted.items() if name not in related}
        filters = filters_of(account, resource, others, to_record, ids_of)
        return replace(filters, tests=(*filters.tests, columns_test(by_id)))
    catalogue_names = {each.name for each in resource.filters}
    columns = [*related_streams(resource), *column_names(resource)]
    where = f"filters of {resource.name}"
    for name in wanted:
        if name not in catalogue_names and name not in columns:
            what = f"Unknown filter: {got_and_allowed(name, [*sorted(catalogue_names), *columns])}."
            raise UserError(what, where=where, hint="`describe` lists filters and columns")
    try:
        filters = account.filters(resource, {name: wanted[name] for name in wanted if name in catalogue_names})
    except ConfigError as error:
        hint = "use a name as it is in FieldPulse, or an id"
        raise UserError(error.what, where=f"{where} · {error.where.rpartition('.')[2]}", hint=hint) from None
    by_column = {name: wanted[name] for name in wanted if name not in catalogue_names}
    if not by_column:
        return filters
    test = columns_test(by_column)
    return replace(filters, tests=(*filters.tests, lambda row: test(to_record(row))))


def _only_text(value: Any, name: str) -> str:
    if isinstance(value, str) and _MIN_TEXT <= len(value.strip()) <= _MAX_TEXT:
        return value
    raise UserError(
        f"The filter {name!r} takes one text of at least {_MIN_TEXT} characters, and at most {_MAX_TEXT}.",
        where=f"filters.{name}",
        hint=f"give words of the name, or an id as {name}_id",
    )


def with_text(
    filters: Filters, text: str, to_record: Callable[[Row], Record], columns: Collection[str] | None = None
) -> Filters:
    """Return filters that also require all words of a text in the record of a row, in any case and order.

    With `columns`, the words must be in these.

    The record is searched and not the row, which has secrets. FieldPulse's own search is sent along; whether it finds
    the same is checked as for any filter.
    """
    words = normalized(text).split()
    digits = _PHONE_SIGNS.sub("", text)
    number = digits if digits.isdecimal() and len(digits) >= _MIN_DIGITS else None

    def matches(row: Row) -> bool:
        record = to_record(row)
        values = list(_values(record if columns is None else {name: record.get(name) for name in columns}))
        content = " ".join(" ".join(value.casefold().split()) for value in values)
        if all(word in content for word in words):
            return True
        return number is not None and any(number in _PHONE_SIGNS.sub("", value) for value in values)

    return replace(filters, query={**filters.query, "search": text}, tests=(*filters.tests, matches))


def columns_test(wanted: Mapping[str, Any]) -> Test:
    """Return the test that each column has one of its wanted values; null is the value of an empty column."""
    values = {name: each if isinstance(each, list) else [each] for name, each in wanted.items()}
    return lambda record: all(any(_is_same(record.get(name), value) for value in values[name]) for name in values)


def _is_same(cell: Any, wanted: Any) -> bool:
    if is_empty(cell) or is_empty(wanted):
        return is_empty(cell) and is_empty(wanted)
    if isinstance(wanted, (int, float)) and not isinstance(wanted, bool):
        with suppress(InvalidOperation):
            return Decimal(str(cell)) == Decimal(str(wanted))
    return normalized(cell) == normalized(wanted)


def _values(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for element in value.values():
            yield from _values(element)
    elif isinstance(value, list):
        for element in value:
            yield from _values(element)
    elif value is not None and not isinstance(value, bool):
        yield str(value)
