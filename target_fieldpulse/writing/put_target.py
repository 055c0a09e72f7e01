"""The target of a PUT."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fieldpulse_api.resources.model import WritableResource
from fieldpulse_api.resources.write_model import Field

EMPTY: tuple[Any, ...] = (None, "", [])


@dataclass(frozen=True)
class PutTarget:
    """The row that a PUT changes.

    `row_id` is its id. `resend` are the record's values of fields that a PUT may have to repeat; `row` is the row as it
    is now, if it was read already.
    """

    resource: WritableResource
    path: str
    row_id: int
    resend: Mapping[str, Any] = field(default_factory=dict)
    row: Mapping[str, Any] | None = None

    def field_of(self, name: str) -> Field:
        """Return the field of a body."""
        return self.resource.write_spec.by_name.get(name, Field(name))
