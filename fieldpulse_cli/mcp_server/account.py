"""The account that an agent reads: its client, the records of its rows, and the names in it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from fieldpulse_api.http.client import Client
from fieldpulse_api.http.settings import ClientSettings
from fieldpulse_api.reading.pages import ReadOptions, Row
from fieldpulse_api.resources.catalogue import RESOURCES
from fieldpulse_api.resources.model import Resource
from tap_fieldpulse.reading.filters import Filters, read_filters
from tap_fieldpulse.reading.name_index import NameIndex, read_name_index
from tap_fieldpulse.records.record_builder import RecordBuilder
from tap_fieldpulse.settings import TapSettings
from tap_fieldpulse.sync.context import SyncContext

from .results import Record, for_model

_LOGGER = logging.getLogger(__name__)
_SECONDS_OF_NAMES = 300  # how old the names of statuses, users and tags may be


class Account:
    """Reads one account. May be used by many threads.

    Rows become the records that the tap would emit, with labels beside codes, and custom fields by name. Secrets and
    positions are not in them, nor columns whose names say that they may be secret.
    """

    def __init__(self, settings: TapSettings, client: ClientSettings) -> None:
        self.options = ReadOptions(
            pages_in_flight=1,  # what a model does not ask for costs no request
            check_completeness=False,
            zone=client.zone,
        )
        self.settings = replace(
            settings,
            client=client,
            zone=client.zone,
            profile=client.profile,
            custom_fields="typed",
            add_labels=True,
            detail_streams=[resource.name for resource in RESOURCES if resource.detail_properties],
            sample_on_discovery=False,
            detect_deletes=False,
            webhook_token=None,
            flattening_enabled=False,
        )
        self._context = SyncContext(self.settings, None, _LOGGER)
        self._builders_lock = threading.Lock()  # a builder converts one row at a time
        self._names: dict[tuple[str, str], tuple[float, NameIndex]] = {}

    @property
    def client(self) -> Client:
        """Return the client; it shares the rate limit with all processes of its key."""
        return self._context.client

    def record(self, resource: Resource, row: Row) -> Record:
        """Return the record of a row."""
        with self._builders_lock:
            builder = self._context.record_builder(resource.name)
            return cast("Record", for_model(builder.add_derived(builder.shape(row), row)))

    def builder(self, resource: Resource) -> RecordBuilder:
        """Return what builds the records of a stream; it has their schema."""
        with self._builders_lock:
            return self._context.record_builder(resource.name)

    def filters(self, resource: Resource, wanted: Mapping[str, Any]) -> Filters:
        """Return the filters of the catalogue, by name. Raises: ConfigError."""
        return read_filters(resource, wanted, self._name_index, self.settings.zone)

    def _name_index(self, stream: str, columns: str) -> NameIndex:
        read_at, index = self._names.get((stream, columns), (0.0, None))
        if index is None or time.monotonic() - read_at > _SECONDS_OF_NAMES:
            index = read_name_index(self.client, self.options, stream, columns)
            self._names[stream, columns] = time.monotonic(), index
        return index
