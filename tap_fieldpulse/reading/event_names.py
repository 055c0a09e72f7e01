"""Names and local times beside the ids and UTC times of change events, so that a message to people needs no join."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import suppress
from datetime import tzinfo
from functools import cache
from typing import Any

from fieldpulse_api.errors import FieldPulseError
from fieldpulse_api.http.client import Client
from fieldpulse_api.reading.full_scan import read_whole_list
from fieldpulse_api.reading.pages import Pages, ReadOptions, Row
from fieldpulse_api.reading.single_rows import find_row
from fieldpulse_api.resources.catalogue import BY_NAME
from fieldpulse_api.resources.customers import CUSTOMERS
from fieldpulse_api.resources.model import Resource
from fieldpulse_api.resources.organization import USERS
from fieldpulse_api.values.scalars import optional_int, optional_time

Event = dict[str, Any]
_LOGGER = logging.getLogger(__name__)

SOURCES = {
    "status_name": ("status_id", "status", "custom_status"),
    "customer_name": ("customer_id", "customer", "display_name", "first_name", "last_name", "company_name"),
    "technician_names": ("assignments",),
}
"""The columns from which each name follows."""


class EventNames:
    """Add names and local times to events. Lists of names are read once, customers one by one as events name them.

    What cannot be read is null, and logged once for each list and customer.
    """

    def __init__(self, client: Client, options: ReadOptions, local_zone: tzinfo | None) -> None:
        self._client, self._options, self._local_zone = client, options, local_zone
        self._names_of = cache(self._read_names)
        self._customer_name = cache(self._read_customer_name)

    def add_to(self, resource: Resource, event: Event) -> Event:
        """Return an event with the names of its status, customer and technicians, and its local times."""
        row = event["object"] or {}
        names = {
            "status_name": self._status_name(resource, row),
            "customer_name": self._customer_of(resource, row),
            "technician_names": self._technicians(row),
        }
        return event | names | {"local_times": dict(self._local_times(resource, event, row)) or None}

    def _status_name(self, resource: Resource, row: Row) -> str | None:
        custom = row.get("custom_status")
        if isinstance(custom, dict) and custom.get("name"):
            return str(custom["name"])
        for each in resource.filters:
            if each.stream and set(each.columns) & set(resource.status_columns):
                name = self._names_of(each.stream, each.name_columns[0]).get(optional_int(row.get(each.columns[0])))
                if name:
                    return name
        labels = next((each.by_code for each in resource.code_labels if each.column in resource.status_columns), {})
        status = row.get("status")
        label = labels.get(status) if isinstance(status, int | str) else None
        return label or (status if isinstance(status, str) else None)

    def _customer_of(self, resource: Resource, row: Row) -> str | None:
        if resource is CUSTOMERS:
            return _full_name(row)
        embedded = row.get("customer")
        if isinstance(embedded, dict) and _full_name(embedded):
            return _full_name(embedded)
        customer_id = optional_int(row.get("customer_id"))
        return self._customer_name(customer_id) if customer_id else None

    def _technicians(self, row: Row) -> list[str] | None:
        assignments = row.get("assignments")
        if not isinstance(assignments, list):
            return None
        ids = [optional_int(each.get("user_id")) for each in assignments if isinstance(each, dict)]
        users = self._names_of(USERS.name, "first_name") if any(ids) else {}
        return [users[user_id] for user_id in ids if user_id in users]

    def _local_times(self, resource: Resource, event: Event, row: Row) -> Iterator[tuple[str, str]]:
        if self._local_zone is None:
            return
        properties = resource.schema["properties"]
        times = {name: value for name, value in row.items() if properties.get(name, {}).get("format") == "date-time"}
        for name, value in {**times, "detected_at": event["detected_at"]}.items():
            time = optional_time(value, self._options.zone)
            with suppress(OverflowError):  # the first and the last day of the calendar have none in some zones
                if time:
                    yield name, time.astimezone(self._local_zone).strftime("%Y-%m-%d %H:%M:%S")

    def _read_names(self, stream: str, column: str) -> dict[int | None, str]:
        """Return the names of a list by id; of people the full ones."""
        try:
            rows = [*read_whole_list(Pages(self._client, BY_NAME[stream], self._options), ends_by_count=True)]
        except FieldPulseError as error:
            _LOGGER.warning("Change events have no names of %s: %s", stream, error.one_line)
            return {}
        return {int(row["id"]): _full_name(row) or str(row.get(column) or "") for row in rows}

    def _read_customer_name(self, customer_id: int) -> str | None:
        try:
            row = find_row(self._client, CUSTOMERS, {"id": customer_id})
        except FieldPulseError as error:
            _LOGGER.warning("A change event has no customer name: %s", error.one_line)
            return None
        return _full_name(row) if row else None


def _full_name(row: dict[str, Any]) -> str | None:
    names = [row.get("display_name"), row.get("company_name")]
    names.insert(1, " ".join(str(row[name]) for name in ("first_name", "last_name") if row.get(name)))
    return next((str(name) for name in names if name), None)
