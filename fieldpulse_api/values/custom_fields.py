"""Custom fields: their definitions, a stable name and a type for each, and the values of a row under those names.

Values arrive nameless and as text (contract 4.9); the definitions differ from account to account.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from fieldpulse_api.http.client import Client
from fieldpulse_api.reading.full_scan import FullScan
from fieldpulse_api.reading.pages import Pages, ReadOptions, Row, Verdict
from fieldpulse_api.resources.catalogue import BY_NAME

from .scalars import ConversionError, to_boolean, to_date, to_integer, to_number, to_text
from .text import object_type, property_name

_LOGGER = logging.getLogger(__name__)

CustomFieldType = Literal["text", "number", "date", "checkbox", "drop-down"]

PROPERTY = "custom_fields"
"""Under which name a record has its values by name."""
RAW = ("customfields", "customfields_with_related_data")
"""Where a row may have its values; the second only where it was asked for."""
_KINDS: dict[int | None, CustomFieldType] = {2: "number", 3: "date", 4: "checkbox", 5: "drop-down"}
"""By `field_widget_id`: 1 and 2 are documented, the rest is assumed, so every value is checked against its kind."""
_WORDS = {"yes": True, "on": True, "no": False, "off": False}
_NAMELESS = re.compile(r"field_\d+\Z")
_ID_IN_DESCRIPTION = re.compile(r"\bcustom field (\d+)\b")  # catalogs keep no keyword that Singer does not know


@dataclass(frozen=True)
class Definition:
    """One custom field of the account. `objects` are the object types that have it."""

    id: int
    name: str
    kind: CustomFieldType
    objects: tuple[str, ...]
    allowed: tuple[str, ...] = ()

    @classmethod
    def from_row(cls, row: Row) -> Definition:
        """Read a row of the list; what a row does not say is taken as text, and as anybody's."""
        settings = row.get("settings") if isinstance(row.get("settings"), dict) else {}
        allowed = settings.get("allowed_values") or [] if settings else []
        related = row.get("related_record_names")
        objects = [row.get("object"), *(related if isinstance(related, list) else [])]
        try:
            widget = to_integer(row.get("field_widget_id"))
        except ConversionError:
            widget = None
        return cls(
            id=int(row["id"]),
            name=str(row.get("name") or ""),
            kind="drop-down" if allowed else _KINDS.get(widget, "text"),
            objects=tuple(sorted({object_type(one) for one in objects if one})),
            allowed=tuple(map(str, allowed)) if isinstance(allowed, list) else (),
        )

    @property
    def schema(self) -> dict[str, Any]:
        """Return the schema of its values. It takes text, since a value that does not fit stays text."""
        kinds = {"number": ["number", "string", "null"], "checkbox": ["boolean", "string", "null"]}
        choice = f", one of: {', '.join(self.allowed)}" if self.allowed else ""
        schema: dict[str, Any] = {
            "type": kinds.get(self.kind, ["string", "null"]),
            "title": self.name,
            "description": f"{self.kind.capitalize()}, custom field {self.id}{choice}",
        }
        return schema | {"format": "date"} if self.kind == "date" else schema


def read_definitions(client: Client, reading: ReadOptions) -> list[Definition]:
    """Return the account's definitions, the oldest first: one request where the list counts, and is short.

    Raises: what `Client.get` raises.
    """
    rows, verdict = _read(client, replace(reading, check_completeness=False))
    if len(rows) >= reading.page_size:  # of several pages: only then can one have been missed
        rows, verdict = _read(client, reading)
        if verdict != "complete":
            _LOGGER.warning("The list of custom fields is %s: values of those that lack have no names", verdict)
    return sorted(map(Definition.from_row, rows), key=lambda one: one.id)


def _read(client: Client, reading: ReadOptions) -> tuple[list[Row], Verdict]:
    pages = Pages(client, BY_NAME["custom_fields"], reading)
    rows = [row for rows in FullScan(pages, ends_by_count=True).rows() for row in rows]
    return rows, pages.tally.verdict


class CustomFields:
    """The custom fields of one stream: the schema of `custom_fields`, and the values of a row.

    `known` are the properties of the catalog that the user has: their names and types stay, and what
    has changed since is in `changes`. With `is_flat` no format is announced: where the object is flattened,
    a loader would break at a date that is none. `unfit` counts values that are not of their type, `nameless`
    those of no known definition.
    """

    def __init__(
        self, definitions: Iterable[Definition], object_type: str, known: Mapping[str, Any], *, is_flat: bool = False
    ) -> None:
        self.changes: list[str] = []
        self.unfit: Counter[str] = Counter()
        self.nameless: Counter[str] = Counter()
        self._is_flat = is_flat
        self._properties = dict(known)
        self._names = dict(_ids_of(known))
        self._converts: dict[int, Callable[[Any], Any]] = {}
        for definition in definitions:
            is_ours = not definition.objects or object_type in definition.objects
            if definition.id in self._names:
                self._compare(definition)
            elif is_ours:
                self._add(definition, is_news=bool(known))
        for number_, name in self._names.items():
            self._converts[number_] = _converter(self._properties[name])
        self._empty = dict.fromkeys(self._properties)

    @property
    def schema(self) -> dict[str, Any]:
        """Return the schema of the object."""
        return {
            "type": ["object", "null"],
            "description": "Custom field values by the names of their fields; a value that does not fit its type is "
            "text, and the values as they came stand beside it",
            "properties": {
                name: {key: one for key, one in schema.items() if key != "format" or not self._is_flat}
                for name, schema in self._properties.items()
            },
        }

    def values(self, row: Row) -> dict[str, Any] | None:
        """Return the values of a row by name, None where the row does not show any. Of several for a field the last."""
        shown = [row[name] for name in RAW if isinstance(row.get(name), list)]
        if not shown:
            return None
        found = dict(self._empty)
        for entries in shown:
            for number_, value in entries_of(entries):
                name = self._names.get(number_)
                if name is None:
                    name = f"field_{number_}"
                    self.nameless[name] += 1
                found[name] = self._convert(name, self._converts.get(number_, _as_text), value)
        return found

    def _convert(self, name: str, convert: Callable[[Any], Any], value: Any) -> Any:
        try:
            return None if value in (None, "") else convert(value)
        except ConversionError:
            self.unfit[f"{PROPERTY}.{name}"] += 1
            return _as_text(value)

    def _add(self, definition: Definition, *, is_news: bool) -> None:
        name = property_name(definition.name) or f"field_{definition.id}"
        while name in self._properties or (_NAMELESS.match(name) and name != f"field_{definition.id}"):
            name = f"{name}_{definition.id}"
        self._names[definition.id] = name
        self._properties[name] = definition.schema
        if is_news:
            self.changes.append(f"field {definition.id} is new, and is carried as {name}")

    def _compare(self, definition: Definition) -> None:
        name = self._names[definition.id]
        before = self._properties[name]
        if before.get("title") not in (None, definition.name):
            self.changes.append(f"field {definition.id} was renamed, and is still carried as {name}")
        if _form(before) != _form(definition.schema):
            self.changes.append(
                f"field {definition.id} ({name}) was retyped to {definition.kind}, and keeps the catalog's type"
            )


def entries_of(entries: Any) -> Iterator[tuple[int, Any]]:
    """Yield (definition, value) of each entry of a row's values; one without a definition stays in the raw list."""
    for entry in entries if isinstance(entries, list) else ():
        if not isinstance(entry, dict):
            continue
        try:
            definition = to_integer(entry.get("field_instance_id") or entry.get("field_id"))
        except ConversionError:
            continue
        if definition is not None:
            yield definition, entry.get("value")


def _ids_of(properties: Mapping[str, Any]) -> Iterator[tuple[int, str]]:
    for name, schema in properties.items():
        found = _ID_IN_DESCRIPTION.search(str(schema.get("description", "")))
        if found:
            yield int(found[1]), name


def _form(schema: Mapping[str, Any]) -> tuple[Any, ...]:
    kinds = schema.get("type", [])
    return (*sorted({kinds} if isinstance(kinds, str) else kinds), schema.get("format"))


def _converter(schema: Mapping[str, Any]) -> Callable[[Any], Any]:
    kinds = schema.get("type", [])
    if "number" in kinds:
        return to_number
    if "boolean" in kinds:
        return _checked
    return to_date if schema.get("format") == "date" else _as_text


def _checked(value: Any) -> bool | None:
    word = value.strip().lower() if isinstance(value, str) else value
    return _WORDS[word] if isinstance(word, str) and word in _WORDS else to_boolean(value)


def _as_text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else to_text(value)
