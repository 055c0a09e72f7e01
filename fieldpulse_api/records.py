"""Wire ⇄ record: one function per resource, compiled from its schema, that shapes a row for emission.

A value that does not fit its declared type is emitted as it came and counted; so is a field that
the schema does not know. What is never emitted (secrets, positions) is dropped at any depth.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime, timezone, tzinfo
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

import msgspec

Convert = Callable[[Any], Any]

_SECRET = re.compile(r"token|password|secret|api_?key", re.IGNORECASE)
_POSITION = "last_known_location"
_ZERO_DATES = ("0000-00-00", "-0001-11-30")
_WHOLE = re.compile(r"[+-]?\d{1,18}\Z", re.ASCII)
_LARGEST = 10**18
_MOST_DIGITS = 60
_ENCODER = msgspec.json.Encoder(decimal_format="number")
_TRUTH = {True: True, False: False, "true": True, "false": False, "1": True, "0": False, "": None}


class Unfit(ValueError):
    """A value does not fit its declared type."""


class Shaper:
    """Shape rows of one resource. `unfit` and `unknown` count fields by their paths.

    Shape: dict as the API sent it → dict of JSON values; money is exact text, times are
    `YYYY-MM-DDTHH:MM:SS.ffffffZ`.
    """

    def __init__(self, schema: Mapping[str, Any], *, never: tuple[str, ...] = (), zone: tzinfo = timezone.utc) -> None:
        self.unfit: Counter[str] = Counter()
        self.unknown: Counter[str] = Counter()
        self._never, self._zone = frozenset({_POSITION, *never}), zone
        self._shape = self._object(schema, "")

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """Return the record of a row."""
        record: dict[str, Any] = self._shape(row)
        return record

    def _compile(self, schema: Mapping[str, Any], path: str) -> Convert:
        kinds = schema.get("type", [])
        kind = next((one for one in ([kinds] if isinstance(kinds, str) else kinds) if one != "null"), "any")
        if kind == "object":
            return self._nested(self._object(schema, path))
        if kind == "array":
            return self._array(self._guard(self._compile(schema.get("items", {}), path), path))
        if kind == "string":
            return self._text(str(schema.get("format", "")))
        return {"integer": whole, "boolean": truth, "number": number}.get(kind, self._clean)

    def _text(self, form: str) -> Convert:
        if form == "date-time":
            return lambda value: stamp(value, self._zone)
        if form in _FORMS:
            return _FORMS[form]
        return lambda value: value if isinstance(value, str) else text(self._clean(value))

    def _object(self, schema: Mapping[str, Any], path: str) -> Convert:
        known = {
            name: self._guard(self._compile(one, f"{path}{name}."), f"{path}{name}")
            for name, one in schema.get("properties", {}).items()
        }
        is_open = schema.get("additionalProperties", True)

        def shape(row: dict[str, Any]) -> dict[str, Any]:
            record = {}
            for name, value in row.items():
                convert = known.get(name)
                if convert is not None:
                    record[name] = None if value is None else convert(value)
                elif is_open and not self._forbidden(name):
                    if not path:  # deeper ones stay inside their object, where no loader can drop them
                        self.unknown[name] += 1
                    record[name] = self._clean(value)
            return record

        return shape

    @staticmethod
    def _nested(shape: Convert) -> Convert:
        def nested(value: Any) -> Any:
            if isinstance(value, dict):
                return shape(value)
            if value in ("", []):  # an empty PHP array
                return None
            raise Unfit

        return nested

    @staticmethod
    def _array(convert: Convert) -> Convert:
        def array(value: Any) -> Any:
            if isinstance(value, list):
                return [None if one is None else convert(one) for one in value]
            if value in ("", {}):
                return None
            raise Unfit

        return array

    def _guard(self, convert: Convert, path: str) -> Convert:
        def guarded(value: Any) -> Any:
            try:
                return convert(value)
            except Unfit:
                self.unfit[path] += 1
                return self._clean(value)

        return guarded

    def _clean(self, value: Any) -> Any:
        """Return a value of unknown shape without what is never emitted."""
        if isinstance(value, dict):
            return {name: self._clean(one) for name, one in value.items() if not self._forbidden(name)}
        if isinstance(value, list):
            return [self._clean(one) for one in value]
        return value

    def _forbidden(self, name: str) -> bool:
        return name in self._never or _is_secret(name)


@lru_cache(maxsize=4096)
def _is_secret(name: str) -> bool:
    return bool(_SECRET.search(name))


@lru_cache(maxsize=2048)
def moment(value: str, zone: tzinfo) -> datetime | None:
    """Return the aware UTC time of any form the API sends; None for '' and zero dates.

    Raises: Unfit.
    """
    if not value or value.startswith(_ZERO_DATES):
        return None
    try:
        time = datetime.fromisoformat(value[:-1] + "+00:00" if value[-1] in "Zz" else value)
        return (time if time.tzinfo else time.replace(tzinfo=zone)).astimezone(timezone.utc)
    except (ValueError, OverflowError):
        raise Unfit from None


def iso(time: datetime) -> str:
    """Return the one fixed-width form in which times are emitted, so that they compare as text."""
    return time.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")


def instant(value: Any, zone: tzinfo) -> datetime | None:
    """Return the aware UTC time of a wire value: text, or UNIX seconds.

    Raises: Unfit.
    """
    if isinstance(value, str):
        return moment(value.strip(), zone)
    if isinstance(value, int) and not isinstance(value, bool):
        try:
            return datetime.fromtimestamp(value, timezone.utc)
        except (ValueError, OverflowError, OSError):
            raise Unfit from None
    raise Unfit


@lru_cache(maxsize=2048)
def _stamp(value: str, zone: tzinfo) -> str | None:
    time = moment(value.strip(), zone)
    return None if time is None else iso(time)


def stamp(value: Any, zone: tzinfo) -> str | None:
    """Return a time in the form of `iso`. Raises: Unfit."""
    if isinstance(value, str):
        return _stamp(value, zone)
    time = instant(value, zone)
    return None if time is None else iso(time)


def day(value: Any) -> str | None:
    """Return a plain date; midnight behind it is dropped. Raises: Unfit."""
    if not isinstance(value, str):
        raise Unfit
    date, _, rest = value.strip().replace("T", " ").partition(" ")
    if not date or date in _ZERO_DATES:
        return None
    try:
        datetime.strptime(date, "%Y-%m-%d")  # noqa: DTZ007  a date has no zone
    except ValueError:
        raise Unfit from None
    if rest.strip("0:.Z"):
        raise Unfit
    return date


def decimal_text(value: Any) -> str | None:
    """Return an exact decimal as plain text. Raises: Unfit."""
    if isinstance(value, str):
        value = value.strip()
        if not value:
            return None
    elif isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        raise Unfit
    try:
        exact = Decimal(str(value))
    except InvalidOperation:
        raise Unfit from None
    if not exact.is_finite() or abs(exact.adjusted()) > _MOST_DIGITS:
        raise Unfit
    return f"{exact:f}"


def whole(value: Any) -> int | None:
    """Return an integer. Raises: Unfit."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str):
        value = value.strip()
        if not value:
            return None
        if _WHOLE.match(value):
            return int(value)
    elif isinstance(value, (float, Decimal)) and -_LARGEST < value < _LARGEST and value == int(value):
        return int(value)
    raise Unfit


def number(value: Any) -> Any:
    """Return a number, exact where it came as text. Raises: Unfit."""
    if isinstance(value, (int, float, Decimal)) and not isinstance(value, bool):
        return value
    exact = decimal_text(value)
    return None if exact is None else Decimal(exact)


def truth(value: Any) -> bool | None:
    """Return a boolean. Raises: Unfit."""
    key = value.strip().lower() if isinstance(value, str) else value
    try:
        return _TRUTH[key]  # 1 == True and 0 == False, so the API's 0/1 are found too
    except (KeyError, TypeError):
        raise Unfit from None


def text(value: Any) -> str:
    """Return the JSON text of a value, so that nothing is lost where text is declared."""
    return _ENCODER.encode(value).decode()


_FORMS: dict[str, Convert] = {"date": day, "x-singer.decimal": decimal_text}
