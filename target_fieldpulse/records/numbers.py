"""Numbers and amounts of records, in the forms that databases and spreadsheets write."""

from __future__ import annotations

import re
from decimal import Context, Decimal
from typing import Any

from fieldpulse_api.values import scalars
from fieldpulse_api.values.scalars import ConversionError

_GROUPED = re.compile(r"(?P<sign>[+-]?)(?P<currency>\$?)(?P<number>\d{1,3}(?:,\d{3})+\.\d\d|[\d.]+)\Z", re.ASCII)
_FLOAT = Context(prec=15)  # all digits that a 64-bit float holds for certain; more are noise


def to_integer(value: Any) -> int | None:
    """Return a whole number, also of text with a point or an exponent: `1.0`, `1e3`. Raises: ConversionError."""
    text = scalars.to_decimal_text(value)
    return None if text is None else scalars.to_integer(Decimal(text))


def to_decimal_text(value: Any, places: int | None = None) -> str | None:
    """Return a number as text; with `places`, an amount of money with at most so many decimal places.

    Text may have commas between thousands if it has two decimal places, and an amount a dollar sign: `$1,234.50`, as
    PostgreSQL writes its type money. An amount is never rounded, but for the noise of floats: a number of more than 15
    digits, like 0.30000000000000004, is the float that its first 15 digits are. Raises: ConversionError.
    """
    match = _GROUPED.match(value.strip()) if isinstance(value, str) else None
    if match and (places is not None or not match["currency"]):
        value = match["sign"] + match["number"].replace(",", "")
    text = scalars.to_decimal_text(value)
    if text is None or places is None:
        return text
    number = Decimal(text)
    candidates = (number, _FLOAT.plus(number))
    exact = next((each for each in candidates if _has_places(each, places)), None)
    if exact is None:
        raise ConversionError(f"it has more than {places} decimal places, which FieldPulse would round")
    return text if _decimals(text) <= places else f"{exact:.{places}f}"


def _has_places(number: Decimal, places: int) -> bool:
    return not _decimals(f"{number:f}".rstrip("0")) > places


def _decimals(text: str) -> int:
    return len(text.partition(".")[2])
