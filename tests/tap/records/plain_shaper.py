"""A shaper that is plain rather than fast: it looks up the schema for every value. `Shaper` must do the same."""

from __future__ import annotations

from collections import Counter
from datetime import timezone, tzinfo
from decimal import Decimal
from typing import Any

from fieldpulse_api.values import scalars
from fieldpulse_api.values.scalars import ConversionError
from tap_fieldpulse.records.shaper import UNEXPECTED, is_secret_name


class PlainShaper:
    """Convert rows of one resource to records."""

    def __init__(
        self,
        schema: dict[str, Any],
        *,
        excluded: tuple[str, ...] = (),
        flags_property: str | None = None,
        zone: tzinfo = timezone.utc,
    ) -> None:
        self._schema, self._flags_property, self._zone = schema, flags_property, zone
        self._never = {"last_known_location", *excluded}
        self.misfits: Counter[str] = Counter()

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        self._unexpected: dict[str, Any] = {}
        record: dict[str, Any] = {self._flags_property: {}} if self._flags_property else {}
        properties, is_open = self._schema["properties"], self._schema.get("additionalProperties", True)
        for name, value in row.items():
            if name in properties:
                record[name] = self._value(value, properties[name], (name,))
            elif self._is_forbidden(name):
                continue
            elif is_open:
                self._unexpected[name] = self._clean(value)
            elif self._flags_property and isinstance(value, bool):
                record[self._flags_property][name] = value
        return {**record, UNEXPECTED: self._unexpected or None}

    def _value(self, value: Any, schema: dict[str, Any], path: tuple[str | int, ...]) -> Any:
        try:
            return None if value is None else self._converted(value, schema, path)
        except ConversionError:
            self.misfits[".".join(part for part in path if isinstance(part, str))] += 1
            self._unexpected[".".join(map(str, path))] = self._clean(value)
            return None

    def _converted(self, value: Any, schema: dict[str, Any], path: tuple[str | int, ...]) -> Any:  # noqa: PLR0911
        kinds = schema.get("type", [])
        kind = next((name for name in ([kinds] if isinstance(kinds, str) else kinds) if name != "null"), "any")
        form = schema.get("format")
        if kind == "object":
            return self._object(value, schema, path)
        if kind == "array":
            return self._array(value, schema, path)
        if form == "date-time":
            return self._time(value)
        if form == "date":
            return scalars.to_date(value)
        if form == "x-singer.decimal":
            return self._decimal(value)
        if kind == "string":
            return value if isinstance(value, str) else scalars.to_text(self._clean(value))
        if kind == "integer":
            number = scalars.to_integer(value)
            if number is not None and not -(2**63) <= number < 2**63:
                raise ConversionError
            return number
        conversions = {"boolean": scalars.to_boolean, "number": scalars.to_number}
        return conversions.get(kind, self._clean)(value)

    def _object(self, value: Any, schema: dict[str, Any], path: tuple[str | int, ...]) -> Any:
        if not isinstance(value, dict):
            return _null_for(value, "", [])
        properties, rest = schema.get("properties", {}), schema.get("additionalProperties", True)
        result = {}
        for name, element in value.items():
            if name in properties:
                result[name] = self._value(element, properties[name], (*path, name))
            elif rest is not False and not self._is_forbidden(name):
                result[name] = self._value(element, rest if isinstance(rest, dict) else {}, (*path, name))
        return result

    def _array(self, value: Any, schema: dict[str, Any], path: tuple[str | int, ...]) -> Any:
        if not isinstance(value, list):
            return _null_for(value, "", {})
        items = schema.get("items", {})
        return [self._value(element, items, (*path, number)) for number, element in enumerate(value)]

    def _time(self, value: Any) -> str | None:
        time = scalars.to_utc(value, self._zone)
        return time and time.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")

    def _decimal(self, value: Any) -> str | None:
        text = scalars.to_decimal_text(value)
        if text is None:
            return None
        whole, _, fraction = text.removeprefix("-").partition(".")
        if len(fraction.rstrip("0")) > 9 or (len(whole) > 29):
            raise ConversionError
        return f"{Decimal(text):f}"

    def _clean(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: self._clean(each) for name, each in value.items() if not self._is_forbidden(name)}
        return [self._clean(each) for each in value] if isinstance(value, list) else value

    def _is_forbidden(self, name: str) -> bool:
        return name in self._never or is_secret_name(name)


def _null_for(value: Any, *empty: Any) -> None:
    if value not in empty:
        raise ConversionError
