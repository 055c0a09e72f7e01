"""The record builders of one run, with the custom fields and the unknown fields of the account."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

from fieldpulse_api.errors import AuthenticationError, RecordError, UnexpectedResponse
from fieldpulse_api.http.client import Client
from fieldpulse_api.reading.definitions import read_definitions
from fieldpulse_api.resources.catalogue import BY_NAME
from fieldpulse_api.resources.model import Resource
from fieldpulse_api.values.custom_fields import CUSTOM_FIELDS_PROPERTY, CustomFieldDefinition
from tap_fieldpulse.settings import TapSettings

from .custom_field_values import CustomFieldValues
from .discovery_sample import sample_unknown_fields
from .record_builder import RecordBuilder, RecordOptions
from .shaper import UNEXPECTED

Schema = dict[str, Any]


class RecordBuilders:
    """The builder of each stream's records, made when it is first asked for.

    `client` returns the client of the run. `catalog` holds the schemas of the catalog that the user gave.
    """

    def __init__(
        self,
        client: Callable[[], Client],
        settings: TapSettings,
        catalog: Mapping[str, Schema] | None,
        logger: logging.Logger,
    ) -> None:
        self._client, self._settings, self._catalog, self._logger = client, settings, catalog, logger
        self._builders: dict[str, RecordBuilder] = {}

    def of(self, name: str) -> RecordBuilder:
        """Return what builds a stream's records; custom field definitions are read from the account once."""
        if name not in self._builders:
            self._builders[name] = self._make(BY_NAME[name])
        return self._builders[name]

    def clear(self) -> None:
        """Make new builders from now on, which count from zero."""
        self._builders.clear()

    @cached_property
    def _definitions(self) -> list[CustomFieldDefinition]:
        """Return the account's custom field definitions; none if its plan does not allow reading them."""
        try:
            return read_definitions(self._client(), self._settings.read_options)
        except (RecordError, UnexpectedResponse, AuthenticationError) as error:  # a wrong key fails the first list too
            self._logger.warning(
                "Custom fields are emitted by id, because their names cannot be read: %s", error.one_line
            )
            return []

    def _make(self, resource: Resource) -> RecordBuilder:
        settings, has_key = self._settings, self._settings.client is not None
        catalog_properties = (self._catalog or {}).get(resource.name, {}).get("properties", {})
        custom_fields = None
        if resource.custom_field_object and settings.custom_fields == "typed" and has_key:
            known = catalog_properties.get(CUSTOM_FIELDS_PROPERTY, {}).get("properties", {})
            custom_fields = CustomFieldValues(self._definitions, resource.custom_field_object, known)
            for change in custom_fields.changes:
                self._logger.warning("%s: since the catalog was made, custom %s", resource.name, change)
        labels = {f"{code_labels.column}_label" for code_labels in resource.code_labels}
        catalogue_names = {*resource.schema["properties"], CUSTOM_FIELDS_PROPERTY, UNEXPECTED, *labels}
        extra = {name: schema for name, schema in catalog_properties.items() if name not in catalogue_names}
        if self._catalog is None and settings.sample_on_discovery and has_key:
            extra = sample_unknown_fields(self._client(), resource, settings.read_options, self._logger)
        if resource.name in settings.detail_streams:
            extra = {**resource.detail_properties, **extra}
        options = RecordOptions(
            zone=settings.zone,
            add_labels=settings.add_labels,
            decimals_as_numbers=settings.decimals_as_numbers,
            flattening_depth=settings.flattening_depth,
            has_delete_records=settings.detect_deletes and settings.delete_records,
        )
        return RecordBuilder(resource, options, custom_fields=custom_fields, extra_properties=extra)
