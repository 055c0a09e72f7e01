"""A Singer record, parsed and validated once, at the sink: nothing behind it looks at the raw record again."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Any

import msgspec

from fieldpulse_api.errors import RecordInvalid
from fieldpulse_api.resources.model import WritableResource
from fieldpulse_api.resources.write_model import WriteSpec
from fieldpulse_api.values.custom_fields import CUSTOM_FIELDS_PROPERTY
from fieldpulse_api.values.scalars import ConversionError
from fieldpulse_api.values.strict_json import decode, encoding_problem
from fieldpulse_api.values.text import is_empty

from .custom_fields import FIELD as CUSTOM_FIELDS
from .custom_fields import CustomFieldWriter
from .field_codec import FieldCodec, describe, invalid_field
from .ledger_key import KeyKind, LedgerKey, comparable_key, source_key
from .numbers import to_integer
from .property_hashes import PropertyHashes, hash_properties, hash_property
from .times import TIME_FORM, is_deletion_time, lacks_zone

_PUT_INTO_EXTERNAL_ID = "put your own key into external_id"
LEAVE_ID_OUT = "leave the source's own id out (`id: __NULL__` in a stream map)"

Record = Mapping[str, Any]

EXTERNAL_ID = "external_id"
COMPANY_ID = "company_id"
INPUT_STREAM = "_sdc_input_stream"
"""The property that says from which stream of the input a stream map made the record."""
ROW_NUMBER = "_sdc_row_number"
"""The property that says in which row of a person's file the record is."""
DELETED_AT = ("_sdc_deleted_at", "deleted_at")
_DELETION_TIMES = frozenset(DELETED_AT)
_MAX_EXTERNAL_ID_CHARACTERS = 500  # the ledger stores 512, with the prefix of the kind
_MAX_ROW_ID = 2**63 - 1


@dataclass(frozen=True)
class ParsedRecord:
    """One record of a writable stream.

    `values` are its properties, with lists and objects parsed. A record with an `error` is rejected when its turn
    comes. Its other attributes hold what could be parsed; `key` may be empty. `rejected_at` is when a replayed record
    came from its source and was rejected, in epoch seconds.
    """

    resource: WritableResource
    values: Record
    key: LedgerKey
    external_id: str | None = None
    row_id: int | None = None
    input_stream: str | None = None
    is_deleted: bool = False
    property_hashes: PropertyHashes = field(default_factory=dict)
    error: RecordInvalid | None = None
    rejected_at: float | None = None

    @property
    def custom_fields(self) -> Record:
        """Return the values of custom fields by name."""
        values = self.values.get(CUSTOM_FIELDS_PROPERTY)
        has_field = CUSTOM_FIELDS in self.resource.write_spec.by_name
        return values if has_field and isinstance(values, Mapping) else {}

    @property
    def label(self) -> str:
        """Return the key for logs and messages; without one, the property that names the row, such as its e-mail."""
        if self.key.value:
            return self.key.redacted
        write = self.resource.write_spec
        names = write.reference(write.row_reference).properties if write.row_reference else ()
        name = next((name for name in names if not is_blank(self.values.get(name))), None)
        if name is None:
            return "without a key"
        key = LedgerKey(self.resource.name, KeyKind.EXTERNAL_ID, comparable_key(self.values[name]))
        return f"{name} {key.redacted}"


@dataclass(frozen=True)
class RecordParser:
    """Parses the records of one stream.

    `custom_fields` are those of the account; without them, values of custom fields are compared as they come.
    `clear_nulls` and `fill_empty_only` are the settings that change what a property does. `stores_external_id` says
    that FieldPulse keeps the external_id, so that a change of it has to be written.
    """

    resource: WritableResource
    codec: FieldCodec
    clear_nulls: bool = False
    fill_empty_only: bool = False
    stores_external_id: bool = False
    custom_fields: CustomFieldWriter | None = None

    def parse(self, record: Record, *, rejected_at: float | None = None) -> ParsedRecord:
        """Return a record, with its first error if it is invalid."""
        values = parse_json_strings(self.resource.write_spec, record)
        is_row_change = self.resource.write_spec.target_resource is not None  # its key is the row that it refers to
        external_id = row_id = input_stream = error = None
        is_deleted = False
        hashes: PropertyHashes = {}
        try:
            try:
                external_id = _to_external_id(values.get(EXTERNAL_ID))
                if external_id is not None and isinstance(values.get(INPUT_STREAM), str):
                    input_stream = str(values[INPUT_STREAM])
                    hashes = hash_property(INPUT_STREAM, input_stream)
                row_id = _row_id_beside(external_id, values.get("id"))
            except RecordInvalid:
                if not is_row_change:
                    raise
            is_deleted = _is_deleted(values, self.codec.zone)
            if not (is_row_change or is_deleted):
                hashes |= self._hashes(values, external_id)
        except RecordInvalid as invalid:
            error = invalid
        has_only_id = external_id is None and row_id is not None
        kind, key = (KeyKind.ROW_ID, str(row_id)) if has_only_id else (KeyKind.EXTERNAL_ID, external_id or "")
        return ParsedRecord(
            self.resource,
            values,
            LedgerKey(self.resource.name, kind, key),
            external_id=external_id,
            row_id=row_id,
            input_stream=input_stream,
            is_deleted=is_deleted,
            property_hashes=hashes,
            error=error,
            rejected_at=rejected_at,
        )

    def _hashes(self, values: Record, external_id: str | None) -> PropertyHashes:
        hashes = hash_properties(
            self.resource.write_spec,
            values,
            self.codec,
            custom_value=self._custom_value,
            with_nulls=self.clear_nulls,
            fill_empty_only=self.fill_empty_only,
        )
        if self.stores_external_id and external_id is not None:
            hashes |= hash_property(EXTERNAL_ID, external_id)
        return hashes

    def _custom_value(self, name: str, value: Any) -> Any:
        if self.custom_fields is None:
            return value
        return self.custom_fields.comparable(str(self.resource.custom_field_object), name, value)


def to_row_id(value: Any, name: str, hint: str = _PUT_INTO_EXTERNAL_ID) -> int:
    """Return a FieldPulse id. Raises: RecordInvalid."""
    row_id = None
    with suppress(ConversionError):
        row_id = to_integer(value)
    if row_id is None or not 0 < row_id <= _MAX_ROW_ID:
        raise invalid_field(
            f"{name} is {describe(value)}; FieldPulse ids are positive whole numbers",
            name,
            hint,
        )
    return row_id


def _row_id_beside(external_id: str | None, value: Any) -> int | None:
    """Return the FieldPulse id of a record, None for one that has an external_id instead. Raises: RecordInvalid."""
    if value is not None:
        return to_row_id(value, "id", _PUT_INTO_EXTERNAL_ID if external_id is None else LEAVE_ID_OUT)
    if external_id is None:
        raise invalid_field(
            "the record has neither external_id nor id", EXTERNAL_ID, "add one; external_id is your key"
        )
    return None


def times_without_zone(record: ParsedRecord) -> int:
    """Return how many times of a record depend on the setting `timezone`."""
    names = record.resource.write_spec.time_properties | _DELETION_TIMES
    return sum(lacks_zone(record.values[name]) for name in names & record.values.keys())


def is_blank(value: Any) -> bool:
    """Return whether a property refers to nothing."""
    return value == [] or is_empty(value)


def parse_json_strings(write: WriteSpec, record: Record) -> Record:
    """Return a record with lists and objects in place of their JSON text, and null in place of empty text.

    Loaders and warehouses turn nested values into text. Sources without nulls, such as CSV, have empty text instead.
    """
    values = _without_empty_text(record)
    nested = values.keys() & (write.nested_properties | {CUSTOM_FIELDS_PROPERTY})
    values |= {name: _parse_json(values[name]) for name in nested if isinstance(values[name], str)}
    custom_fields = values.get(CUSTOM_FIELDS_PROPERTY)
    if isinstance(custom_fields, Mapping):
        values[CUSTOM_FIELDS_PROPERTY] = _without_empty_text(custom_fields)
    return values


def _without_empty_text(values: Record) -> dict[str, Any]:
    return {name: None if is_empty(value) else value for name, value in values.items()}


def _parse_json(text: str) -> Any:
    if text.lstrip()[:1] not in ("[", "{"):
        return text
    try:
        return decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return text


def _to_external_id(value: Any) -> str | None:
    if value is None:
        return None
    with suppress(ConversionError):
        text = source_key(value)
        has_control = any(character < " " for character in text)
        if len(text) <= _MAX_EXTERNAL_ID_CHARACTERS and not has_control and not encoding_problem(text):
            return text
    rule = f"text or a number of at most {_MAX_EXTERNAL_ID_CHARACTERS} characters, without control characters"
    raise invalid_field(f"external_id is {describe(value)}; expected {rule}", EXTERNAL_ID)


def _is_deleted(values: Record, zone: tzinfo) -> bool:
    """Return whether a record was deleted at its source. Raises: RecordInvalid for what is not clearly such a time."""
    return any(_is_deletion_time(name, values[name], zone) for name in DELETED_AT if values.get(name) is not None)


def _is_deletion_time(name: str, value: Any, zone: tzinfo) -> bool:
    try:
        return is_deletion_time(value, zone)
    except ConversionError as error:
        reason = str(error) or f"{TIME_FORM} is expected"
        raise invalid_field(f"{name} is {describe(value)}; {reason}", name) from None
