"""What is around the rows of an answer, and the form in which they are in it."""

from __future__ import annotations

from typing import Any

from fieldpulse_sandbox.behaviour.switches import Behaviour
from fieldpulse_sandbox.schema.table_shapes import Row

from . import bodies as answers
from .bodies import HttpResponse
from .row_format import row_format

EXTRA: dict[str, Any] = {"updates": [], "db": "reader", "result_count": None}
"""Keys of envelopes that were seen elsewhere (contract 2.1)."""


class ResponseBuilder:
    """Answers in the envelope, as the behaviour has it now."""

    def __init__(self, behaviour: Behaviour) -> None:
        """Ask this behaviour anew for each answer."""
        self._behaviour = behaviour

    def row(self, name: str, row: Row, status: int = 200) -> HttpResponse:
        """Return a row of this resource."""
        return self.value(row_format(self._behaviour)(name, row), status)

    def value(self, value: Any, status: int = 200) -> HttpResponse:
        """Return what is no row of a resource."""
        return answers.row_response(value, status, EXTRA if self._behaviour.extra_envelope_keys else answers.NO_KEYS)

    def page(self, rows: list[bytes] | None, count: int | None) -> HttpResponse:
        """Return a page; a count that was not asked for is null (V), unless it is left out."""
        key = self._behaviour.count_key
        is_left_out = key is None or (count is None and self._behaviour.omit_null_count)
        more: dict[str, Any] = {} if is_left_out else {str(key): count}
        return answers.page_response(rows, more | EXTRA if self._behaviour.extra_envelope_keys else more)
