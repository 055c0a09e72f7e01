"""Single values: as FieldPulse wants them, and in the forms in which a value of ours is compared with one of a row."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import timezone, tzinfo
from decimal import Decimal
from typing import Any

import msgspec
import phonenumbers

from fieldpulse_api.errors import ConfigError, RecordInvalid, allowed_and_similar
from fieldpulse_api.resources.write_model import Field, FieldType
from fieldpulse_api.values.scalars import ConversionError, to_boolean, to_date, to_decimal_text, to_integer, to_utc
from fieldpulse_api.values.text import normalized, object_type

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\Z")
_JSON = msgspec.json.Encoder(order="deterministic", decimal_format="string")
_COMPLETE = phonenumbers.ValidationResult.IS_POSSIBLE
_POSSIBLE = (_COMPLETE, phonenumbers.ValidationResult.IS_POSSIBLE_LOCAL_ONLY)


def refuse(reason: str, field: str, do: str = "correct the record at its source") -> RecordInvalid:
    """Return the rejection of a record: `reason` never holds the value, only its type or length."""
    return RecordInvalid(reason, where=f"field {field}", hint=do)


class FieldCodec:
    """Put values on the wire, and compare them. `region` is the country of phone numbers without a code.

    Raises: BadSetting for a region that there is not.
    """

    def __init__(self, zone: tzinfo = timezone.utc, region: str = "US") -> None:
        region = region.strip().upper()
        if region not in phonenumbers.SUPPORTED_REGIONS:
            what = "There is no country of this code."
            raise ConfigError(what, where="setting phone_region", hint="give an ISO 3166 code, like US or CA")
        self._zone, self._region = zone, region
        self._to_wire: dict[FieldType, Callable[[Any], Any]] = {
            FieldType.TEXT: _text,
            FieldType.EMAIL: _email,
            FieldType.PHONE: self._phone,
            FieldType.E164: self._e164,
            FieldType.INTEGER: to_integer,
            FieldType.DECIMAL: to_decimal_text,
            FieldType.BOOLEAN: to_boolean,
            FieldType.TIME: _time,
            FieldType.DATE: self._day,
            FieldType.OBJECT_TYPE: _text,
            FieldType.JSON: _json,
            FieldType.KEY: _text,
        }

    def to_wire(self, field: Field, value: Any) -> Any:
        """Return a value as the API wants it. Raises: Invalid, naming the field and the rule, never the value."""
        value = _code(field, value)
        try:
            wire = self._to_wire[field.type](value)
        except ConversionError:
            raise refuse(f"{field.name} is {describe(value)}, and not {TYPE_NAMES[field.type]}", field.name) from None
        if field.type is FieldType.OBJECT_TYPE:
            wire = _short(field, wire)
        if field.max_length and isinstance(wire, str) and len(wire) > field.max_length:
            raise refuse(f"{field.name} has {len(wire)} characters; at most {field.max_length} are taken", field.name)
        if field.allowed_values and wire not in (None, "") and wire not in field.allowed_values:
            raise refuse(f"{field.name} is {describe(value)}; {_choice(field, value)}", field.name)
        return wire

    def equals(self, field: Field, value: Any, there: Any) -> bool:
        """Say whether a row's cell holds what was put on the wire."""
        if field.type is FieldType.JSON:
            return _contains(there, value)
        return bool(self.normalized(field, value) == self.normalized(field, there))

    def match_key(self, field: Field, value: Any) -> str:
        """Return the form in which values are matched: case, spaces and a phone's punctuation do not count."""
        if value in (None, "", []):
            return ""
        if field.type is FieldType.KEY:
            return str(value)
        if field.type in (FieldType.PHONE, FieldType.E164):
            return self._number(value) or "".join(letter for letter in str(value) if letter.isdigit())
        exact = self.normalized(field, value)
        return " ".join(str(exact).casefold().split())

    def normalized(self, field: Field, value: Any) -> Any:
        """Return the typed form in which two values of a field are compared; None for an empty one."""
        if value in (None, ""):
            return None
        try:
            return self._forms(field.type, value)
        except ConversionError:
            return str(value)

    def _forms(self, kind: FieldType, value: Any) -> Any:
        if kind is FieldType.TIME:
            time = to_utc(value, self._zone)
            return None if time is None else int(time.timestamp())
        if kind is FieldType.DECIMAL:
            exact = to_decimal_text(value)
            return None if exact is None else Decimal(exact).normalize()
        if kind is FieldType.OBJECT_TYPE:
            return object_type(value)
        plain: dict[FieldType, Callable[[Any], Any]] = {
            FieldType.INTEGER: to_integer,
            FieldType.BOOLEAN: to_boolean,
            FieldType.DATE: to_date,
            FieldType.EMAIL: _email,
            FieldType.E164: self._e164,
        }
        return plain.get(kind, str)(value)

    def _phone(self, value: Any) -> str:
        """Return a phone number as it came, if it can be one."""
        number = _text(value).strip()
        if number and self._parsed(number) is None:
            raise ConversionError
        return number

    def _e164(self, value: Any) -> str:
        number = self._phone(value)
        return (self._number(number) or number) if number else ""

    def _number(self, value: Any) -> str | None:
        """Return a complete number in the form of E.164; what has no area code is none."""
        number = self._parsed(str(value))
        if number is None or phonenumbers.is_possible_number_with_reason(number) != _COMPLETE:
            return None
        return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)

    def _parsed(self, text: str) -> phonenumbers.PhoneNumber | None:
        try:
            number = phonenumbers.parse(text, self._region)
        except phonenumbers.NumberParseException:
            return None
        return number if phonenumbers.is_possible_number_with_reason(number) in _POSSIBLE else None

    def _day(self, value: Any) -> str | None:
        """Return a plain date; of a time the day that it is in the account's zone."""
        try:
            return to_date(value)
        except ConversionError:
            time = to_utc(value, timezone.utc) if isinstance(value, str) else None
            if time is None:
                raise
            return time.astimezone(self._zone).strftime("%Y-%m-%d")


def describe(value: Any) -> str:
    """Describe a value without showing it."""
    return f"text of {len(value)} characters" if isinstance(value, str) else f"of type {type(value).__name__}"


def canonical_json(value: Any) -> bytes:
    """Return the one JSON text of a value, from which hashes are made."""
    return _JSON.encode(value)


def _code(field: Field, value: Any) -> Any:
    """Return the code that a label stands for."""
    if field.code_labels and isinstance(value, str):
        return next((code for code, label in field.code_labels.pairs if normalized(label) == normalized(value)), value)
    return value


def _choice(field: Field, value: Any) -> str:
    names = (
        [f"{one} {field.code_labels.by_code[one]}" for one in field.allowed_values]
        if field.code_labels
        else field.allowed_values
    )
    return allowed_and_similar(value, names)


def _short(field: Field, value: Any) -> str:
    """Return an object type as it is written: `customer` for FieldPulse's class of customers."""
    short = object_type(value)
    return next((str(one) for one in field.allowed_values if object_type(one) == short), short)


def _contains(there: Any, value: Any) -> bool:
    """Say whether JSON of a row has all that was written: rows add keys of their own to what they are given."""
    if isinstance(value, Mapping):
        return isinstance(there, Mapping) and all(_contains(there.get(key), one) for key, one in value.items())
    if isinstance(value, list):
        there = [] if there is None else there
        return isinstance(there, list) and len(there) == len(value) and all(map(_contains, there, value))
    if isinstance(there, Mapping):  # a tag is written by its id (contract 4.22)
        return value in (there.get("id"), there.get("tag_id"))
    return bool(value == there) or str(value) == str(there) or _is_number(value, there)


def _is_number(value: Any, there: Any) -> bool:
    """Say whether two texts are one number: prices read back with four decimals."""
    try:
        one, other = to_decimal_text(value), to_decimal_text(there)
    except ConversionError:
        return False
    return one is not None and other is not None and Decimal(one) == Decimal(other)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        raise ConversionError
    return to_decimal_text(value) or ""


def _email(value: Any) -> str:
    address = _text(value).strip()
    if address and not _EMAIL.match(address):
        raise ConversionError
    name, _, domain = address.rpartition("@")
    return f"{name}@{domain.lower()}" if domain else address  # FieldPulse refuses a domain in capitals


def _time(value: Any) -> int | None:
    time = to_utc(value, timezone.utc)
    return None if time is None else int(time.timestamp())


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
    FieldType.DECIMAL: "a number",
    FieldType.BOOLEAN: "true or false",
    FieldType.TIME: "a time in ISO 8601 form",
    FieldType.DATE: "a date in ISO 8601 form",
    FieldType.OBJECT_TYPE: "the name of an object type",
    FieldType.JSON: "a list or an object",
    FieldType.KEY: "text",
}
