"""Fields that FieldPulse accepted and did not write: a value that is nowhere must not count as written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fieldpulse_api.errors import FieldPulseError
from fieldpulse_api.reading.single_rows import read_row
from fieldpulse_api.resources.model import Operation, WritableResource
from fieldpulse_api.resources.write_model import Field, FieldType
from target_fieldpulse.planning.plan import Body

from .put_target import EMPTY
from .services import WriteServices

_NOT_CHECKED = (FieldType.JSON, FieldType.BOOLEAN, FieldType.OBJECT_TYPE)


class IgnoredFields:
    """Find ignored fields by the row in the response to a write. May be used by many threads.

    That FieldPulse knows the name of a field which differs from its column is not verified: there, an empty column is
    enough. Any other field is looked for in the row itself, because a response may not show all columns. A column that
    only the row shows is not looked for again.

    A field that keeps an old value is not found: FieldPulse may have written the new one in another form.
    """

    def __init__(self, services: WriteServices) -> None:
        self._services = services
        self._hidden: set[tuple[str, str]] = set()

    def of(
        self, resource: WritableResource, path: str, body: Body, row: Any, *, may_read_row: bool = True
    ) -> list[str]:
        """Return the fields of a body that had no effect. `path` is that of the row, `row` what the response had."""
        if not isinstance(row, Mapping):
            return []
        sent = [resource.write_spec.by_name.get(name, Field(name)) for name, value in body.items() if value]
        empty = [field for field in sent if _lacks(row, field)]
        ignored = [field for field in empty if field.row_column]
        doubtful = [
            field
            for field in empty
            if not field.row_column
            and field.type not in _NOT_CHECKED
            and (resource.name, field.name) not in self._hidden
        ]
        if doubtful and may_read_row and Operation.GET in resource.operations:
            ignored += self._confirmed(resource, path, doubtful)
        return [field.name for field in ignored]

    def _confirmed(self, resource: WritableResource, path: str, fields: list[Field]) -> list[Field]:
        """Return the fields that the row lacks too; none if it cannot be read."""
        try:
            row = read_row(self._services.client, resource, path)
        except FieldPulseError:
            return []
        confirmed = [field for field in fields if _lacks(row, field)]
        self._hidden |= {(resource.name, field.name) for field in fields if field not in confirmed}
        return confirmed


def _lacks(row: Mapping[str, Any], field: Field) -> bool:
    """Return whether a row shows the column of a field, and it is empty."""
    return field.column in row and row[field.column] in EMPTY
