"""Records for which FieldPulse fails: with HTTP 5xx, either the record is the cause, or the server is down.

A refusal with an undocumented status shows that the server is up, and belongs to its record.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable

from fieldpulse_api.errors import ServerError

_RECENT_RECORDS = 100


class ServerFailures:
    """The server failures of a run. May be used by many threads.

    If another record was written since the server began to fail, the failure belongs to its record, and is settled:
    the record is put into the rejects file. Until then no STATE passes the record. If none is written until the end,
    the run ends with the error, and the next run gets the record again.

    The run also ends if of the last 100 records that were sent more than `max_failed` failed.
    """

    def __init__(self, max_failed: int) -> None:
        self._max_failed = max_failed
        self._recent: deque[bool] = deque(maxlen=_RECENT_RECORDS)
        self._written_at = -math.inf
        self._unsettled: list[Callable[[], None]] = []
        self._last_error: ServerError | None = None
        self._lock = threading.Lock()

    def append(self, error: ServerError, settle: Callable[[], None]) -> None:
        """Add a failure; `settle` is called once a record was written. Raises: ServerError at the limit."""
        with self._lock:
            is_refusal = error.http_status is not None and not error.is_retryable
            is_settled = is_refusal or error.failing_since < self._written_at
            if not is_settled:
                self._unsettled.append(settle)
            self._last_error = error
            self._recent.append(True)
            count = sum(self._recent)
        if count > self._max_failed:
            raise ServerError(
                f"FieldPulse failed for {count} of the last {len(self._recent)} records. The last: {error.what}",
                where=error.where,
                hint="run again later: the state is kept. If only these records fail, raise max_failed",
                http_status=error.http_status,
            )
        if is_settled:
            settle()

    def settle(self) -> None:
        """Settle all failures: a record was written."""
        with self._lock:
            self._written_at = time.monotonic()
            self._recent.append(False)
            unsettled, self._unsettled = self._unsettled, []
        for settle in unsettled:
            settle()

    def raise_if_unsettled(self) -> None:
        """Raise the last error at the end of a run, if no record was written after it."""
        if self._unsettled and self._last_error:
            raise self._last_error
