"""Single values in the form that the API takes, and in the forms in which they are compared with a row's.

Rows show the same value differently from how it was sent: prices gain decimals, times become text, classes become long.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timezone, tzinfo
from decimal import Decimal
from typing import Any

from fieldpulse_api.errors import RecordInvalid, allowed_and_similar
from fieldpulse_api.resources.write_model import Field, FieldType, decimal_places
from fieldpulse_api.values.custom_fields import CustomFieldType
from fieldpulse_api.values.scalars import (
    ConversionError,
    number_text,
    optional_time,
    to_boolean,
    to_date,
    to_decimal_text,
    to_integer,
    to_utc,
)
from fieldpulse_api.values.text import normalized, object_type, visible

from . import numbers
from .json_values import comparable_json, contains, to_text
from .ledger_key import comparable_key
from .phone_numbers import PhoneNumbers, phone_text
from .times import TIME_FORM, to_day, to_time, unix_seconds

CORRECT_IT = "correct the record at its source"
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\Z")
_LIST_EXAMPLE = '["VIP", "Landlord"]'


def invalid_field(reason: str, field: str, hint: str = CORRECT_IT) -> RecordInvalid:
    """Return the error for a field of a record. The reason describes a value by type or length, and never shows it."""
    return RecordInvalid(reason, where=f"field {field}", hint=hint)


class FieldCodec:
    """Converts and compares values of body fields.

    `zone` is the zone of times without one in records, `api_zone` of those in rows of the API. `region` is the country
    of phone numbers without a country code.

    Raises: ConfigError for an unknown region.
    """

    def __init__(self, zone: tzinfo = timezone.utc, region: str = "US", *, api_zone: tzinfo = timezone.utc) -> None:
        self.zone, self._api_zone, self._phones = zone, api_zone, PhoneNumbers(region)
        self.custom_field_types: dict[int, CustomFieldType] = {}  # by definition, once the definitions are read
        self._to_wire: dict[FieldType, Callable[[Any], Any]] = {
            FieldType.TEXT: to_text,
            FieldType.EMAIL: _email,
            FieldType.PHONE: self._phones.to_wire,
            FieldType.E164: self._phones.to_e164,
            FieldType.INTEGER: numbers.to_integer,
            FieldType.BOOLEAN: to_boolean,
            FieldType.TIME: lambda value: _unix_seconds(to_time(value, zone)),
            FieldType.TEXT_TIME: lambda value: _time_text(to_time(value, zone)),
            FieldType.DATE: lambda value: to_day(value, zone),
            FieldType.OBJECT_TYPE: to_text,
            FieldType.JSON: _json,
            FieldType.KEY: to_text,
        }

    def to_wire(self, field: Field, value: Any) -> Any:
        """Return a value as the API takes it. Raises: RecordInvalid, naming the field and the rule."""
        try:
            wire = self._convert(field, value)
        except ConversionError as error:
            reason = str(error) or _expected(field, value)
            raise invalid_field(f"{field.name} is {describe(value)}; {reason}", field.name) from None
        if field.type is FieldType.OBJECT_TYPE:
            wire = _known_object_type(field, wire)
        if field.max_length and isinstance(wire, str) and len(wire) > field.max_length:
            raise invalid_field(
                f"{field.name} has {len(wire)} characters; the maximum is {field.max_length}", field.name
            )
        if field.allowed_values and wire not in (None, "") and wire not in field.allowed_values:
            raise invalid_field(f"{field.name} is {describe(value)}; {_allowed_text(field, value)}", field.name)
        return wire

    def _convert(self, field: Field, value: Any) -> Any:
        if field.type is FieldType.DECIMAL:
            return numbers.to_decimal_text(value, decimal_places(field.name))
        return self._to_wire[field.type](_choice(field, value))

    def equals(self, field: Field, value: Any, cell: Any) -> bool:
        """Return whether a cell of a row holds a value that was sent."""
        if field.type is FieldType.JSON:
            return contains(cell, value)
        return bool(self.normalized(field, value, is_sent=True) == self.normalized(field, cell))

    def comparable(self, field: Field, value: Any) -> Any:
        """Return the form in which a value counts as changed: as it is sent, numbers without zeros at their end.

        A value that cannot be sent stays as it is.
        """
        if field.type is FieldType.JSON:
            return comparable_json(value)
        try:
            if field.type is FieldType.PHONE:  # sent as it came; parsing numbers is slow
                return phone_text(value)
            wire = self._convert(field, value)
        except ConversionError:
            return value
        if field.type is FieldType.OBJECT_TYPE:
            return object_type(wire)
        return number_text(wire) if field.type is FieldType.DECIMAL and wire is not None else wire

    def match_key(self, field: Field, value: Any) -> str:
        """Return the form in which values are matched: case, spaces and a phone's punctuation do not count."""
        if value in (None, "", []):
            return ""
        if field.type is FieldType.KEY:
            return comparable_key(value)
        if field.type in (FieldType.PHONE, FieldType.E164):
            return self._phones.complete(value) or "".join(letter for letter in str(value) if letter.isdigit())
        return " ".join(visible(str(self.normalized(field, value))).casefold().split())

    def normalized(self, field: Field, value: Any, *, is_sent: bool = False) -> Any:
        """Return the typed form in which two values of a field are compared; None for an empty one."""
        if value in (None, ""):
            return None
        try:
            if field.type in (FieldType.TIME, FieldType.TEXT_TIME):
                return _unix_seconds(to_utc(value, self._zone_of(field, is_sent=is_sent)))
            return self._typed(field.type, value)
        except ConversionError:
            return str(value).strip()

    def local_time(self, field: Field, value: Any, *, is_sent: bool) -> datetime | None:
        """Return a time that is sent, or that a row has, in the zone of records; None if it is not a time."""
        time = optional_time(value, self._zone_of(field, is_sent=is_sent))
        return time and time.astimezone(self.zone)

    def _zone_of(self, field: Field, *, is_sent: bool) -> tzinfo:
        """Return the zone of a time without a zone. A text is sent in UTC, whatever the zone of rows is."""
        return timezone.utc if is_sent and field.type is FieldType.TEXT_TIME else self._api_zone

    def _typed(self, kind: FieldType, value: Any) -> Any:
        if kind is FieldType.DECIMAL:
            text = to_decimal_text(value)
            return None if text is None else Decimal(text).normalize()
        if kind is FieldType.OBJECT_TYPE:
            return object_type(value)
        conversions: dict[FieldType, Callable[[Any], Any]] = {
            FieldType.INTEGER: to_integer,
            FieldType.BOOLEAN: to_boolean,
            FieldType.DATE: to_date,
            FieldType.EMAIL: _email,
            FieldType.E164: self._phones.comparable,
        }
        return conversions[kind](value) if kind in conversions else to_text(value)


def describe(value: Any) -> str:
    """Describe a value without showing it."""
    return f"text of {len(value)} characters" if isinstance(value, str) else f"of type {type(value).__name__}"


def _choice(field: Field, value: Any) -> Any:
    """Return the code that a label means, and an allowed text in the API's form; case and spacing do not count."""
    if not isinstance(value, str):
        return value
    labels = field.code_labels.pairs if field.code_labels else ()
    texts = [(each, each) for each in field.allowed_values if isinstance(each, str)]
    return next((code for code, text in (*labels, *texts) if folded(text) == folded(value)), value)


def folded(text: Any) -> str:
    """Return a label in the form in which labels are compared: case, spaces, `_` and `-` do not count."""
    return re.sub(r"[\s_-]+", "", normalized(text))


def _allowed_text(field: Field, value: Any) -> str:
    if not field.code_labels:
        return allowed_and_similar(value, field.allowed_values)
    codes = field.allowed_values or field.code_labels.by_code
    return allowed_and_similar(value, [f"{code} {field.code_labels.by_code[code]}" for code in codes])


def _expected(field: Field, value: Any) -> str:
    """Return what a field takes, for the message about a value that is something else."""
    if field.code_labels or field.allowed_values:
        return _allowed_text(field, value)
    if field.type is FieldType.DECIMAL and decimal_places(field.name) is not None:
        return "an amount like 1234.50 or $1,234.50 is expected"
    return f"{TYPE_NAMES[field.type]} is expected{list_hint(value) if field.type is FieldType.JSON else ''}"


def list_hint(value: Any) -> str:
    """Return the advice for a text that looks like a list, and nothing for any other value."""
    is_list_text = isinstance(value, str) and any(separator in value for separator in ",;|\n")
    return f"; put your list into JSON, like {_LIST_EXAMPLE}" if is_list_text else ""


def _known_object_type(field: Field, value: Any) -> Any:
    """Return an object type as it is written: `customer` for FieldPulse's class of customers."""
    short = object_type(value)
    return next((known for known in field.object_types if object_type(known) == short), value)


def _email(value: Any) -> str:
    address = visible(to_text(value))
    if address and not _EMAIL.match(address):
        raise ConversionError
    name, _, domain = address.rpartition("@")
    return f"{name}@{domain.lower()}" if domain else address  # the API rejects a domain in capitals


def _unix_seconds(time: datetime | None) -> int | None:
    return None if time is None else unix_seconds(time)


def _time_text(time: datetime | None) -> str | None:
    return None if time is None else time.strftime("%Y-%m-%d %H:%M:%S")


def _json(value: Any) -> Any:
    if isinstance(value, (list, dict)):
        return value
    raise ConversionError


TYPE_NAMES: dict[FieldType, str] = {
    FieldType.TEXT: "text",
    FieldType.EMAIL: "an e-mail address",
    FieldType.PHONE: "a phone number",
    FieldType.E164: "a phone number",
    FieldType.INTEGER: "a whole number",
    FieldType.DECIMAL: "a number like 1234.5 or 1,234.50",
    FieldType.BOOLEAN: "true or false (or yes or no, 1 or 0)",
    FieldType.TIME: TIME_FORM,
    FieldType.TEXT_TIME: TIME_FORM,
    FieldType.DATE: "a day in ISO 8601 form, like 2026-12-01,",
    FieldType.OBJECT_TYPE: "the name of an object type",
    FieldType.JSON: "a list or an object in JSON",
    FieldType.KEY: "text",
}
