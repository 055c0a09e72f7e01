"""The rows of a list beside the catalogue: which columns are new or missing, and in which forms times come."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from fieldpulse_api.account_profile import ListFacts
from fieldpulse_api.resources.model import Resource

PUBLIC_NAME = re.compile(r"[A-Za-z_]\w{0,63}\Z", re.ASCII)  # a key of the API; other keys may be personal data
_TIME_FORMS = {
    "bare": re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\Z"),
    "date": re.compile(r"\d{4}-\d\d-\d\d\Z"),
    "Z": re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z\Z"),
    "offset": re.compile(r"\d{4}-\d\d-\d\d[T ][\d:.]+[+-]\d\d:?\d\d\Z"),
    "T": re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+\Z"),
    "digits": re.compile(r"\d+\Z"),
}


def describe_rows(rows: Iterable[Mapping[str, Any]], resource: Resource, facts: ListFacts) -> None:
    """Write to the facts of a list how its rows differ from the catalogue, and the forms of their times."""
    rows = list(rows)
    columns = {name for row in rows for name in row}
    properties = resource.schema["properties"]
    if resource.flags_property:
        columns -= {name for row in rows for name, value in row.items() if isinstance(value, bool)} - set(properties)
        columns.add(resource.flags_property)
    unknown = {name for name in columns - set(properties) if PUBLIC_NAME.match(name)}
    facts.unknown_fields = sorted(unknown - set(resource.excluded_fields))
    facts.missing_fields = sorted(set(properties) - columns) if columns else []
    time_columns = [name for name, schema in properties.items() if schema.get("format") == "date-time"]
    facts.time_formats = sorted({_time_form(row[name]) for row in rows for name in time_columns if row.get(name)})


def _time_form(value: Any) -> str:
    """Return the name of the form in which a time came."""
    if isinstance(value, (int, float)):
        return "number"
    return next((name for name, form in _TIME_FORMS.items() if form.match(str(value).strip())), "other")
