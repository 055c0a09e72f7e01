"""Single values: as FieldPulse wants them, and in the forms in which a value of ours is compared with one of a row."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import timezone, tzinfo
from decimal import Decimal
from typing import Any

import msgspec
import phonenumbers

from fieldpulse_api.errors import BadSetting, Invalid, allowed_instead
from fieldpulse_api.resources.write_model import Field, Kind
from fieldpulse_api.values.scalars import Unfit, day, decimal_text, instant, truth, whole
from fieldpulse_api.values.text import normal, object_type

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\Z")
_JSON = msgspec.json.Encoder(order="deterministic", decimal_format="string")
_COMPLETE = phonenumbers.ValidationResult.IS_POSSIBLE
_POSSIBLE = (_COMPLETE, phonenumbers.ValidationResult.IS_POSSIBLE_LOCAL_ONLY)


def refuse(reason: str, field: str, do: str = "correct the record at its source") -> Invalid:
    """Return the rejection of a record: `reason` never holds the value, only its type or length."""
    return Invalid(reason, where=f"field {field}", do=do)


class Wire:
    """Put values on the wire, and compare them. `region` is the country of phone numbers without a code.

    Raises: BadSetting for a region that there is not.
    """

    def __init__(self, zone: tzinfo = timezone.utc, region: str = "US") -> None:
        region = region.strip().upper()
        if region not in phonenumbers.SUPPORTED_REGIONS:
            what = "There is no country of this code."
            raise BadSetting(what, where="setting phone_region", do="give an ISO 3166 code, like US or CA")
        self._zone, self._region = zone, region
        self._to_wire: dict[Kind, Callable[[Any], Any]] = {
            Kind.TEXT: _text,
            Kind.EMAIL: _email,
            Kind.PHONE: self._phone,
            Kind.E164: self._e164,
            Kind.INTEGER: whole,
            Kind.DECIMAL: decimal_text,
            Kind.BOOLEAN: truth,
            Kind.TIME: _time,
            Kind.DATE: self._day,
            Kind.OBJECT_TYPE: _text,
            Kind.JSON: _json,
            Kind.KEY: _text,
        }

    def to_wire(self, field: Field, value: Any) -> Any:
        """Return a value as the API wants it. Raises: Invalid, naming the field and the rule, never the value."""
        value = _code(field, value)
        try:
            wire = self._to_wire[field.kind](value)
        except Unfit:
            raise refuse(f"{field.name} is {shape(value)}, and not {WANTED[field.kind]}", field.name) from None
        if field.kind is Kind.OBJECT_TYPE:
            wire = _short(field, wire)
        if field.limit and isinstance(wire, str) and len(wire) > field.limit:
            raise refuse(f"{field.name} has {len(wire)} characters; at most {field.limit} are taken", field.name)
        if field.allowed and wire not in (None, "") and wire not in field.allowed:
            raise refuse(f"{field.name} is {shape(value)}; {_choice(field, value)}", field.name)
        return wire

    def is_same(self, field: Field, value: Any, there: Any) -> bool:
        """Say whether a row's cell holds what was put on the wire."""
        if field.kind is Kind.JSON:
            return _holds(there, value)
        return bool(self._exact(field, value) == self._exact(field, there))

    def loose(self, field: Field, value: Any) -> str:
        """Return the form in which values are matched: case, spaces and a phone's punctuation do not count."""
        if value in (None, "", []):
            return ""
        if field.kind is Kind.KEY:
            return str(value)
        if field.kind in (Kind.PHONE, Kind.E164):
            return self._number(value) or "".join(letter for letter in str(value) if letter.isdigit())
        exact = self._exact(field, value)
        return " ".join(str(exact).casefold().split())

    def _exact(self, field: Field, value: Any) -> Any:
        if value in (None, ""):
            return None
        try:
            return self._forms(field.kind, value)
        except Unfit:
            return str(value)

    def _forms(self, kind: Kind, value: Any) -> Any:
        if kind is Kind.TIME:
            time = instant(value, self._zone)
            return None if time is None else int(time.timestamp())
        if kind is Kind.DECIMAL:
            exact = decimal_text(value)
            return None if exact is None else Decimal(exact).normalize()
        if kind is Kind.OBJECT_TYPE:
            return object_type(value)
        plain: dict[Kind, Callable[[Any], Any]] = {
            Kind.INTEGER: whole,
            Kind.BOOLEAN: truth,
            Kind.DATE: day,
            Kind.EMAIL: _email,
            Kind.E164: self._e164,
        }
        return plain.get(kind, str)(value)

    def _phone(self, value: Any) -> str:
        """Return a phone number as it came, if it can be one."""
        number = _text(value).strip()
        if number and self._parsed(number) is None:
            raise Unfit
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
            return day(value)
        except Unfit:
            time = instant(value, timezone.utc) if isinstance(value, str) else None
            if time is None:
                raise
            return time.astimezone(self._zone).strftime("%Y-%m-%d")


def shape(value: Any) -> str:
    """Describe a value without showing it."""
    return f"text of {len(value)} characters" if isinstance(value, str) else f"of type {type(value).__name__}"


def encoded(value: Any) -> bytes:
    """Return the one JSON text of a value, from which hashes are made."""
    return _JSON.encode(value)


def _code(field: Field, value: Any) -> Any:
    """Return the code that a label stands for."""
    if field.labels and isinstance(value, str):
        return next((code for code, label in field.labels.pairs if normal(label) == normal(value)), value)
    return value


def _choice(field: Field, value: Any) -> str:
    names = [f"{one} {field.labels.by_code[one]}" for one in field.allowed] if field.labels else field.allowed
    return allowed_instead(value, names)


def _short(field: Field, value: Any) -> str:
    """Return an object type as it is written: `customer` for FieldPulse's class of customers."""
    short = object_type(value)
    return next((str(one) for one in field.allowed if object_type(one) == short), short)


def _holds(there: Any, value: Any) -> bool:
    """Say whether JSON of a row has all that was written: rows add keys of their own to what they are given."""
    if isinstance(value, Mapping):
        return isinstance(there, Mapping) and all(_holds(there.get(key), one) for key, one in value.items())
    if isinstance(value, list):
        there = [] if there is None else there
        return isinstance(there, list) and len(there) == len(value) and all(map(_holds, there, value))
    if isinstance(there, Mapping):  # a tag is written by its id (contract 4.22)
        return value in (there.get("id"), there.get("tag_id"))
    return bool(value == there) or str(value) == str(there) or _is_number(value, there)


def _is_number(value: Any, there: Any) -> bool:
    """Say whether two texts are one number: prices read back with four decimals."""
    try:
        one, other = decimal_text(value), decimal_text(there)
    except Unfit:
        return False
    return one is not None and other is not None and Decimal(one) == Decimal(other)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        raise Unfit
    return decimal_text(value) or ""


def _email(value: Any) -> str:
    address = _text(value).strip()
    if address and not _EMAIL.match(address):
        raise Unfit
    name, _, domain = address.rpartition("@")
    return f"{name}@{domain.lower()}" if domain else address  # FieldPulse refuses a domain in capitals


def _time(value: Any) -> int | None:
    time = instant(value, timezone.utc)
    return None if time is None else int(time.timestamp())


def _json(value: Any) -> Any:
    if isinstance(value, (list, dict)):
        return value
    raise Unfit


WANTED: dict[Kind, str] = {
    Kind.TEXT: "text",
    Kind.EMAIL: "an e-mail address",
    Kind.PHONE: "a phone number",
    Kind.E164: "a phone number",
    Kind.INTEGER: "a whole number",
    Kind.DECIMAL: "a number",
    Kind.BOOLEAN: "true or false",
    Kind.TIME: "a time in ISO 8601 form",
    Kind.DATE: "a date in ISO 8601 form",
    Kind.OBJECT_TYPE: "the name of an object type",
    Kind.JSON: "a list or an object",
    Kind.KEY: "text",
}
