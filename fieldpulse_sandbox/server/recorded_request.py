"""The record of one request, which tests and the command's log line read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass
class RecordedRequest:
    """One request as it arrived.

    `status` is None until the response starts, and stays None if the connection was dropped. `fault` is the kind of
    the injected fault.

    Units: `arrived_at` is `time.monotonic()`; `seconds` is the time until the response was complete.
    """

    method: str
    path: str
    query: dict[str, str]
    query_string: str
    body: dict[str, Any] | None
    has_valid_key: bool
    arrived_at: float
    status: int | None = None
    fault: str | None = None
    seconds: float = 0.0
