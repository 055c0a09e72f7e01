"""Single values in the form that the API takes, and in the forms in which they are compared with a row's.

Rows show the same value differently from how it was sent: prices gain decimals, times become text, classes become long.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timezone, tzinfo
from decimal import Decimal
from typing import Any

import msgspec
import phonenumbers

from fieldpulse_api.errors import ConfigError, RecordInvalid, allowed_and_similar
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
from .ledger_key import comparable_key
from .times import TIME_FORM, to_day, to_time, unix_seconds

CORRECT_IT = "correct the record at its source"
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\Z")
_PLAIN_NUMBER = re.compile(r"-?(0|[1-9]\d{0,50})(\.\d{1,50})?\Z", re.ASCII)  # neither 007 nor 1e3: these are codes
_PHONE_AS_NUMBER = re.compile(r"\d{7,15}\.0\Z", re.ASCII)
_BOOLEAN_DIGITS = {"true": "1", "false": "0"}
_JSON = msgspec.json.Encoder(order="deterministic", decimal_format="string")
_LIST_EXAMPLE = '["VIP", "Landlord"]'
_EXTENSION = ";ext="
_COMPLETE = phonenumbers.ValidationResult.IS_POSSIBLE
_POSSIBLE = (_COMPLETE, phonenumbers.ValidationResult.IS_POSSIBLE_LOCAL_ONLY)


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
        region = region.strip().upper()
        if region not in phonenumbers.SUPPORTED_REGIONS:
            what = "`phone_region` is not a country code."
            raise ConfigError(what, where="setting phone_region", hint="use an ISO 3166 code, like US or CA")
        self.zone, self._api_zone, self._region = zone, api_zone, region
        self.custom_field_types: dict[int, CustomFieldType] = {}  # by definition, once the definitions are read
        self._to_wire: dict[FieldType, Callable[[Any], Any]] = {
            FieldType.TEXT: _text,
            FieldType.EMAIL: _email,
            FieldType.PHONE: self._phone,
            FieldType.E164: self._e164,
            FieldType.INTEGER: numbers.to_integer,
            FieldType.BOOLEAN: to_boolean,
            FieldType.TIME: lambda value: _unix_seconds(to_time(value, zone)),
            FieldType.TEXT_TIME: lambda value: _time_text(to_time(value, zone)),
            FieldType.DATE: lambda value: to_day(value, zone),
            FieldType.OBJECT_TYPE: _text,
            FieldType.JSON: _json,
            FieldType.KEY: _text,
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
            return _contains(cell, value)
        return bool(self.normalized(field, value, is_sent=True) == self.normalized(field, cell))

    def comparable(self, field: Field, value: Any) -> Any:
        """Return the form in which a value counts as changed: as it is sent, numbers without zeros at their end.

        A value that cannot be sent stays as it is.
        """
        if field.type is FieldType.JSON:
            return comparable_json(value)
        try:
            if field.type is FieldType.PHONE:  # sent as it came; parsing numbers is slow
                return _without_point(visible(_text(value)))
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
            return self._complete_number(value) or "".join(letter for letter in str(value) if letter.isdigit())
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
            FieldType.E164: self._comparable_phone,
        }
        return conversions[kind](value) if kind in conversions else _text(value)

    def _phone(self, value: Any) -> str:
        """Return a phone number unchanged, if it can be one."""
        number = _without_point(visible(_text(value)))
        if number and self._parse_number(number) is None:
            raise ConversionError
        return number

    def _e164(self, value: Any) -> str:
        """Return a phone number in E.164 form, unchanged if it has an extension: the form has no place for it."""
        number = self._phone(value)
        complete = self._complete_number(number)
        return number if complete is None or _EXTENSION in complete else complete

    def _comparable_phone(self, value: Any) -> str:
        return self._complete_number(value) or _text(value)

    def _complete_number(self, value: Any) -> str | None:
        """Return a phone number in E.164 form with its extension, None for one without an area code."""
        number = self._parse_number(_without_point(str(value)))
        if number is None or phonenumbers.is_possible_number_with_reason(number) != _COMPLETE:
            return None
        text = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
        return f"{text}{_EXTENSION}{number.extension}" if number.extension else text

    def _parse_number(self, text: str) -> phonenumbers.PhoneNumber | None:
        try:
            number = phonenumbers.parse(text, self._region)
        except phonenumbers.NumberParseException:
            return None
        return number if phonenumbers.is_possible_number_with_reason(number) in _POSSIBLE else None


def describe(value: Any) -> str:
    """Describe a value without showing it."""
    return f"text of {len(value)} characters" if isinstance(value, str) else f"of type {type(value).__name__}"


def canonical_json(value: Any) -> bytes:
    """Return the one JSON text of a value, for hashing."""
    return _JSON.encode(value)


def comparable_json(value: Any) -> Any:
    """Return JSON in which all spellings of a number or of a boolean are the same text."""
    if isinstance(value, Mapping):
        return {str(name): comparable_json(item) for name, item in value.items()}
    if isinstance(value, list):
        return [comparable_json(item) for item in value]
    if value is None or isinstance(value, bool):
        return value if value is None else str(int(value))
    try:
        text = _text(value)
    except ConversionError:
        return value
    return number_text(text) if _PLAIN_NUMBER.match(text) else _BOOLEAN_DIGITS.get(text.lower(), text)


def comparable_name(value: Any) -> Any:
    """Return the form in which two names, or lists of names, refer to the same rows."""
    if isinstance(value, list):
        return [comparable_name(item) for item in value]
    return " ".join(visible(value).casefold().split()) if isinstance(value, str) else comparable_json(value)


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


def _contains(cell: Any, value: Any) -> bool:
    """Return whether JSON of a row has everything that was sent: the API adds keys of its own."""
    if isinstance(value, Mapping):
        return isinstance(cell, Mapping) and all(_contains(cell.get(key), item) for key, item in value.items())
    if isinstance(value, list):
        cell = [] if cell is None else cell
        return isinstance(cell, list) and len(cell) == len(value) and all(map(_contains, cell, value))
    if isinstance(cell, Mapping):  # a tag is written by its id (API facts 4.22)
        return value in (cell.get("id"), cell.get("tag_id"))
    return bool(value == cell) or str(value) == str(cell) or _is_same_number(value, cell)


def _is_same_number(value: Any, cell: Any) -> bool:
    """Return whether two texts are the same number: prices read back with four decimals."""
    try:
        left, right = to_decimal_text(value), to_decimal_text(cell)
    except ConversionError:
        return False
    return left is not None and right is not None and Decimal(left) == Decimal(right)


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else number_text(value)


def _without_point(phone: str) -> str:
    """Return a phone number without the point that spreadsheets give to numbers: `2145550110.0`."""
    return phone[:-2] if _PHONE_AS_NUMBER.match(phone) else phone


def _email(value: Any) -> str:
    address = visible(_text(value))
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
