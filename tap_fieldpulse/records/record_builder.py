"""Builds the records of one stream for one account, and their schema."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timezone, tzinfo
from typing import Any

from fieldpulse_api.errors import UnexpectedResponse
from fieldpulse_api.reading.pages import Row
from fieldpulse_api.resources.model import Resource
from fieldpulse_api.values.custom_fields import CUSTOM_FIELDS_PROPERTY

from .custom_field_values import CustomFieldValues
from .decimals import as_numbers
from .shaper import UNEXPECTED, UNEXPECTED_SCHEMA, Shaper, Unexpected

Record = dict[str, Any]
SDC_DELETED_AT = "_sdc_deleted_at"
"""The property by which loaders with `hard_delete` remove a row."""


@dataclass(frozen=True, kw_only=True)
class RecordOptions:
    """What records look like.

    `zone` is that of times without one. With `add_labels`, each code column gets a property `…_label`. With
    `decimals_as_numbers`, money, quantities and rates are numbers. Objects down to `flattening_depth` become columns,
    so they keep only announced fields. With `has_delete_records`, the records of deleted rows are announced.
    """

    zone: tzinfo = timezone.utc
    add_labels: bool = False
    decimals_as_numbers: bool = False
    flattening_depth: int = 0
    has_delete_records: bool = False


class RecordBuilder:
    """Build records from rows. `extra_properties` are properties beyond those of the catalogue."""

    def __init__(
        self,
        resource: Resource,
        options: RecordOptions,
        *,
        custom_fields: CustomFieldValues | None = None,
        extra_properties: Mapping[str, Any] | None = None,
    ) -> None:
        base = resource.schema | {"properties": {**resource.schema["properties"], **(extra_properties or {})}}
        base = as_numbers(base) if options.decimals_as_numbers else base
        self.custom_fields, self._name, self._options = custom_fields, resource.name, options
        self._shaper = Shaper(
            base, excluded=resource.excluded_fields, flags_property=resource.flags_property, zone=options.zone
        )
        self._labels = resource.code_labels if options.add_labels else ()
        self._unlabelled: Counter[str] = Counter()
        self.schema = base | {"properties": {**base["properties"], **dict(self._derived())}}

    def shape(self, row: Row) -> Record:
        """Return the record of a row without its derived properties.

        Raises: UnexpectedResponse if the row is nested too deeply.
        """
        try:
            return self._shaper(row)
        except RecursionError:
            raise UnexpectedResponse(
                "FieldPulse sent a row that is nested too deeply.",
                where=f"stream {self._name} · row {row['id']}",
                hint="report it: the API has changed",
            ) from None

    def add_derived(self, record: Record, row: Row) -> Record:
        """Add the derived properties to a record: custom fields by name, and labels."""
        unexpected = record[UNEXPECTED] or {}
        if self.custom_fields:
            record[CUSTOM_FIELDS_PROPERTY] = self.custom_fields.values(row, unexpected)
        if self._options.flattening_depth:
            unexpected |= _pop_unannounced(record, self.schema, self._options.flattening_depth)
        record[UNEXPECTED] = unexpected or None
        for labels in self._labels:
            code = record.get(labels.column)
            label = labels.by_code.get(code) if isinstance(code, (int, str)) else None
            record[f"{labels.column}_label"] = label
            if label is None and code is not None:
                self._unlabelled[f"{labels.column} {code}" if isinstance(code, int) else labels.column] += 1
        return record

    def warnings(self) -> Iterator[str]:
        """Yield a warning for each kind of unexpected value so far."""
        misfits = self._shaper.misfits + (self.custom_fields.misfits if self.custom_fields else Counter())
        for name, count in sorted(misfits.items()):
            yield f"{count} values of {name} do not fit the type: null there, see {UNEXPECTED}"
        if self._shaper.unknown_fields:
            unknown = sorted(self._shaper.unknown_fields.items())
            names = ", ".join(f"{name} ({' or '.join(sorted(kinds))})" for name, kinds in unknown)
            yield f"fields that are not in the catalogue, see {UNEXPECTED}: {names}"
        if self._shaper.omitted_fields:
            names = ", ".join(sorted(self._shaper.omitted_fields))
            yield f"fields that are not in the catalogue were left out, because rows hold secrets: {names}"
        if self.custom_fields and self.custom_fields.undefined:
            names = ", ".join(f"{name} ({count})" for name, count in sorted(self.custom_fields.undefined.items()))
            yield f"values of custom fields without a definition, see {UNEXPECTED}: {names}"
        if self._unlabelled:
            codes = ", ".join(f"{code} ({count})" for code, count in sorted(self._unlabelled.items()))
            yield f"codes without a known label: {codes}"

    def _derived(self) -> Iterator[tuple[str, Any]]:
        if self.custom_fields:
            yield CUSTOM_FIELDS_PROPERTY, self.custom_fields.schema
        for labels in self._labels:
            yield f"{labels.column}_label", {"type": ["string", "null"], "description": f"Label of {labels.column}"}
        yield UNEXPECTED, UNEXPECTED_SCHEMA
        if self._options.has_delete_records:
            about = "When the row was deleted; loaders that delete rows read it"
            yield SDC_DELETED_AT, {"type": ["string", "null"], "format": "date-time", "description": about}


def _pop_unannounced(record: Record, schema: Mapping[str, Any], depth: int, path: str = "") -> Unexpected:
    """Remove the fields that are not announced from the objects inside a record, and return them by path."""
    removed: Unexpected = {}
    for name, value in record.items():
        nested = schema["properties"].get(name, {})
        if not isinstance(value, dict) or "properties" not in nested:
            continue
        unknown = [key for key in value if key not in nested["properties"]]
        removed |= {f"{path}{name}.{key}": value.pop(key) for key in unknown}
        if depth > 1:
            removed |= _pop_unannounced(value, nested, depth - 1, f"{path}{name}.")
    return removed
