"""The faults of one record, collected: the message about the record names all of them, not only the first."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from fieldpulse_api.errors import RecordInvalid, ReferenceNotFound

from .field_codec import CORRECT_IT

_MAX_LISTED = 5


class Faults:
    """Collects the faults of a record. Those of fields in `droppable` only leave the field out."""

    def __init__(self, droppable: frozenset[str] = frozenset()) -> None:
        self._droppable = droppable
        self._errors: list[RecordInvalid] = []
        self._fields: set[str] = set()
        self.dropped: dict[str, str] = {}
        """The fields that are left out, with the reason."""

    @contextmanager
    def collect(self, field: str = "") -> Iterator[None]:
        """Collect what is wrong in the block, about `field`."""
        try:
            yield
        except RecordInvalid as error:
            if field in self._droppable:
                self.dropped[field] = error.what
            else:
                self._fields.add(field)
                self._errors.append(error)

    def concerns(self, field: str) -> bool:
        """Return whether a fault about a field was collected, so that its value need not be looked at again."""
        return field in self._fields

    def raise_any(self) -> None:
        """Raise what was collected as one error. Raises: RecordInvalid; ReferenceNotFound if only rows are missing."""
        if self._errors:
            raise self._errors[0] if len(self._errors) == 1 else _joined(self._errors)


def _joined(errors: list[RecordInvalid]) -> RecordInvalid:
    listed = [
        f"({place}) {error.what}{f': {error.hint}' if error.hint != CORRECT_IT else ''}"
        for place, error in enumerate(errors[:_MAX_LISTED], start=1)
    ]
    if len(errors) > _MAX_LISTED:
        listed.append(f"and {len(errors) - _MAX_LISTED} more")
    what = f"{len(errors)} faults: {'; '.join(listed)}"
    fields = ", ".join(dict.fromkeys(error.where.removeprefix("field ") for error in errors))
    where = f"fields {fields}"
    missing = [error for error in errors if isinstance(error, ReferenceNotFound)]
    if len(missing) == len(errors):
        return ReferenceNotFound(what, where=where, hint=CORRECT_IT, row_key=missing[0].row_key)
    return RecordInvalid(what, where=where, hint=CORRECT_IT)
