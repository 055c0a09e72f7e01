"""Responses with rows, in the envelope and in the form that the behaviour asks for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fieldpulse_sandbox.behaviour.switches import Behaviour
from fieldpulse_sandbox.schema.table_shapes import Row

from .bodies import NO_KEYS, HttpResponse, page_response, row_response
from .row_format import row_format

EXTRA_KEYS: dict[str, Any] = {"updates": [], "db": "reader", "result_count": None}
"""Keys of envelopes that were observed in other sources (API facts 2.1)."""


class ResponseBuilder:
    """Responses in the envelope. Each response follows the behaviour as it is at that moment."""

    def __init__(self, behaviour: Behaviour) -> None:
        """Follow this behaviour."""
        self._behaviour = behaviour

    def row(self, name: str, row: Row, status: int = 200, extra: Mapping[str, Any] = NO_KEYS) -> HttpResponse:
        """Return a row of a resource, with extra keys beside it."""
        return self.value(row_format(self._behaviour)(name, row), status, extra)

    def value(self, value: Any, status: int = 200, extra: Mapping[str, Any] = NO_KEYS) -> HttpResponse:
        """Return a value that is not a row."""
        return row_response(value, status, {**extra, **(EXTRA_KEYS if self._behaviour.extra_envelope_keys else {})})

    def page(self, rows: list[bytes] | None, count: int | None) -> HttpResponse:
        """Return a page. A count that was not requested is null (verified), unless it is omitted."""
        key = self._behaviour.count_key
        is_omitted = key is None or (count is None and self._behaviour.omit_null_count)
        extra: dict[str, Any] = {} if is_omitted else {str(key): count}
        return page_response(rows, extra | EXTRA_KEYS if self._behaviour.extra_envelope_keys else extra)
