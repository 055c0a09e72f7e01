"""Custom fields: their definitions, and the entries in which rows hold their values.

Entries arrive as text and without names (API facts 4.9); the definitions differ from account to account.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from .scalars import optional_int
from .text import object_type

CustomFieldType = Literal["text", "number", "date", "checkbox", "drop-down"]

CUSTOM_FIELDS_PROPERTY = "custom_fields"
"""The record property that holds the values by name."""
VALUE_COLUMNS = ("customfields", "customfields_with_related_data")
"""The row columns that may hold the entries; the second one only if the list was asked for it."""
_TYPE_BY_WIDGET: dict[int | None, CustomFieldType] = {2: "number", 3: "date", 4: "checkbox", 5: "drop-down"}
"""By `field_widget_id`. 1 (text) and 2 are documented, the others inferred: every value is checked against its type."""
_JSON_TYPES = {"number": ["number", "null"], "checkbox": ["boolean", "null"]}


@dataclass(frozen=True)
class CustomFieldDefinition:
    """One custom field of the account. Without `object_types` it may belong to any resource."""

    id: int
    name: str
    type: CustomFieldType
    object_types: tuple[str, ...]
    choices: tuple[str, ...] = ()

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> CustomFieldDefinition:
        """Read a row of the list. An unknown type is text; a field without an object belongs to all of them."""
        settings = row.get("settings")
        choices = settings.get("allowed_values") if isinstance(settings, dict) else None
        related = row.get("related_record_names")
        objects = [row.get("object"), *(related if isinstance(related, list) else [])]
        widget = optional_int(row.get("field_widget_id"))
        return cls(
            id=int(row["id"]),
            name=str(row.get("name") or ""),
            type="drop-down" if choices else _TYPE_BY_WIDGET.get(widget, "text"),
            object_types=tuple(sorted({object_type(name) for name in objects if name})),
            choices=tuple(map(str, choices)) if isinstance(choices, list) else (),
        )

    @property
    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the values."""
        choices = f", one of: {', '.join(self.choices)}" if self.choices else ""
        schema: dict[str, Any] = {
            "type": _JSON_TYPES.get(self.type, ["string", "null"]),
            "title": self.name,
            "description": f"{self.type.capitalize()}, custom field {self.id}{choices}",
        }
        return schema | {"format": "date"} if self.type == "date" else schema


def entries_of(entries: Any) -> Iterator[tuple[int, Any]]:
    """Yield (definition id, value) for each entry of a value column; entries without a definition id are skipped."""
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict):
            definition_id = optional_int(entry.get("field_instance_id") or entry.get("field_id"))
            if definition_id is not None:
                yield definition_id, entry.get("value")
