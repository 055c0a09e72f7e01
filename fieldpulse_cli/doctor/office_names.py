"""The names that the account's office has chosen, for a profile that may keep them (`doctor --with-names`)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fieldpulse_api.account_profile import AccountProfile
from fieldpulse_api.errors import FieldPulseError
from fieldpulse_api.http.client import Client
from fieldpulse_api.reading.full_scan import read_whole_list
from fieldpulse_api.reading.pages import Pages, ReadOptions, Row
from fieldpulse_api.resources.catalogue import RESOURCES

from .findings import Finding

_LEFT_OUT = frozenset({"company_id", "author_id", "mongo_id"})
"""Columns that tell whose account it is."""


def read_office_names(client: Client, profile: AccountProfile) -> Iterator[Finding]:
    """Read every list of such names into the profile, and yield what was kept, or why it was not."""
    options = ReadOptions(zone=client.settings.zone)
    resources = [resource for resource in RESOURCES if resource.has_office_names]
    for resource in resources:
        if profile.is_unavailable(resource):
            continue
        try:
            rows = [*read_whole_list(Pages(client, resource, options), ends_by_count=True)]
        except FieldPulseError as error:
            yield Finding("unknown", resource.name, "names", f"are not in the profile: {error.what}", error.hint)
            continue
        columns = resource.schema["properties"].keys() - _LEFT_OUT
        profile.office_names[resource.name] = [_columns_of(row, columns) for row in rows]
    row_count = sum(map(len, profile.office_names.values()))
    yield Finding("ok", "profile", "names", f"{row_count} rows of {len(profile.office_names)} lists are in the profile")


def _columns_of(row: Row, columns: set[str]) -> Row:
    return {name: _without_owner(value) for name, value in row.items() if name in columns}


def _without_owner(value: Any) -> Any:
    """Return a value without the columns that are left out, at any depth."""
    if isinstance(value, dict):
        return {key: _without_owner(cell) for key, cell in value.items() if key not in _LEFT_OUT}
    return [_without_owner(element) for element in value] if isinstance(value, list) else value
