"""Phone numbers as they are sent and compared."""

from __future__ import annotations

import re
from typing import Any

import phonenumbers

from fieldpulse_api.errors import ConfigError
from fieldpulse_api.values.scalars import ConversionError
from fieldpulse_api.values.text import visible

from .json_values import to_text

_PHONE_AS_NUMBER = re.compile(r"\d{7,15}\.0\Z", re.ASCII)
_EXTENSION = ";ext="
_COMPLETE = phonenumbers.ValidationResult.IS_POSSIBLE
_POSSIBLE = (_COMPLETE, phonenumbers.ValidationResult.IS_POSSIBLE_LOCAL_ONLY)


class PhoneNumbers:
    """Checks and converts phone numbers. `region` is the country of those without a country code.

    Raises: ConfigError for an unknown region.
    """

    def __init__(self, region: str) -> None:
        region = region.strip().upper()
        if region not in phonenumbers.SUPPORTED_REGIONS:
            what = "`phone_region` is not a country code."
            raise ConfigError(what, where="setting phone_region", hint="use an ISO 3166 code, like US or CA")
        self._region = region

    def to_wire(self, value: Any) -> str:
        """Return a phone number unchanged, if it can be one. Raises: ConversionError."""
        number = phone_text(value)
        if number and self._parse(number) is None:
            raise ConversionError
        return number

    def to_e164(self, value: Any) -> str:
        """Return a phone number in E.164 form, unchanged if it has an extension: the form has no place for it.

        Raises: ConversionError.
        """
        number = self.to_wire(value)
        complete = self.complete(number)
        return number if complete is None or _EXTENSION in complete else complete

    def comparable(self, value: Any) -> str:
        """Return the form in which two numbers are compared. Raises: ConversionError."""
        return self.complete(value) or to_text(value)

    def complete(self, value: Any) -> str | None:
        """Return a phone number in E.164 form with its extension, None for one without an area code."""
        number = self._parse(_without_point(str(value)))
        if number is None or phonenumbers.is_possible_number_with_reason(number) != _COMPLETE:
            return None
        text = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
        return f"{text}{_EXTENSION}{number.extension}" if number.extension else text

    def _parse(self, text: str) -> phonenumbers.PhoneNumber | None:
        try:
            number = phonenumbers.parse(text, self._region)
        except phonenumbers.NumberParseException:
            return None
        return number if phonenumbers.is_possible_number_with_reason(number) in _POSSIBLE else None


def phone_text(value: Any) -> str:
    """Return a number as it came, without the point that spreadsheets give to it. Raises: ConversionError."""
    return _without_point(visible(to_text(value)))


def _without_point(phone: str) -> str:
    """Return a phone number without the end of `2145550110.0`."""
    return phone[:-2] if _PHONE_AS_NUMBER.match(phone) else phone
