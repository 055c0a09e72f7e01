"""The account that an agent reads: its client, the records of its rows, and the names in it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from typing import Any, cast

from fieldpulse_api.errors import AuthenticationError, RecordError, UnexpectedResponse
from fieldpulse_api.http.client import Client
from fieldpulse_api.http.settings import ClientSettings
from fieldpulse_api.reading.definitions import read_definitions
from fieldpulse_api.reading.pages import ReadOptions, Row
from fieldpulse_api.resources.model import Resource
from fieldpulse_cli.mcp_server.results import Record, for_model
from tap_fieldpulse.reading.filters import Filters, read_filters
from tap_fieldpulse.reading.name_index import NameIndex, read_name_index
from tap_fieldpulse.records.custom_field_values import CustomFieldValues
from tap_fieldpulse.records.record_builder import RecordBuilder, RecordOptions

_LOGGER = logging.getLogger(__name__)
_SECONDS_OF_NAMES = 300
"""How old the names of statuses, users, tags and custom fields may be: a server runs for days."""


class Account:
    """Reads one account. May be used by many threads.

    Rows become the records that the tap emits, with labels beside codes, and custom fields by name. Secrets and
    positions are not in them, nor columns whose names say that they may be secret.
    """

    def __init__(self, settings: ClientSettings) -> None:
        """Open nothing: the first request opens the connection."""
        self.client = Client(settings)
        self.options = ReadOptions(
            pages_in_flight=1,  # what a model does not ask for costs no request
            check_completeness=False,
            zone=settings.zone,
        )
        self._builders: dict[str, tuple[float, RecordBuilder]] = {}
        self._lock = threading.Lock()  # a builder converts one row at a time
        self._names: dict[tuple[str, str], tuple[float, NameIndex]] = {}

    def record(self, resource: Resource, row: Row) -> Record:
        """Return the record of a row."""
        builder = self.builder(resource)
        with self._lock:
            return cast("Record", for_model(builder.add_derived(builder.shape(row), row)))

    def builder(self, resource: Resource) -> RecordBuilder:
        """Return what builds the records of a stream; it has their schema."""
        with self._lock:
            made_at, builder = self._builders.get(resource.name, (0.0, None))
            if builder is None or time.monotonic() - made_at > _SECONDS_OF_NAMES:
                builder = RecordBuilder(
                    resource,
                    RecordOptions(zone=self.options.zone, add_labels=True),
                    custom_fields=self._custom_fields(resource),
                    extra_properties=resource.detail_properties,
                )
                self._builders[resource.name] = time.monotonic(), builder
            return builder

    def filters(self, resource: Resource, wanted: Mapping[str, Any]) -> Filters:
        """Return the filters of the catalogue, by name. Raises: ConfigError."""
        return read_filters(resource, wanted, self._name_index, self.options.zone)

    def _custom_fields(self, resource: Resource) -> CustomFieldValues | None:
        """Return the custom fields of a stream; none if the account's plan does not allow reading their names."""
        if not resource.custom_field_object:
            return None
        try:
            definitions = read_definitions(self.client, self.options)
        except (RecordError, UnexpectedResponse, AuthenticationError) as error:  # a wrong key fails the list, too
            _LOGGER.warning("Custom fields have no names, because these cannot be read: %s", error.one_line)
            definitions = []
        return CustomFieldValues(definitions, resource.custom_field_object, {})

    def _name_index(self, stream: str, columns: str) -> NameIndex:
        read_at, index = self._names.get((stream, columns), (0.0, None))
        if index is None or time.monotonic() - read_at > _SECONDS_OF_NAMES:
            index = read_name_index(self.client, self.options, stream, columns)
            self._names[stream, columns] = time.monotonic(), index
        return index
