"""A warning of a new ledger: nothing else notices that the earlier one was not found, and rows would come twice."""

from __future__ import annotations

import logging
import threading

_LOGGER = logging.getLogger(__name__)


class NewLedger:
    """Whether the ledger had no entry of the account when the run began. May be used by many threads."""

    def __init__(self, *, is_new: bool) -> None:
        self._is_new = is_new
        self._streams: set[str] = set()
        self._lock = threading.Lock()

    def wants_rows(self, stream: str) -> bool:
        """Return whether it matters if FieldPulse has rows of a stream; for each stream only once."""
        with self._lock:
            wants = self._is_new and stream not in self._streams
            self._streams.add(stream)
            return wants

    def warn_of_rows(self, stream: str, *, has_rows: bool) -> None:
        """Warn if FieldPulse has rows before the first create of a stream; in a run only once."""
        with self._lock:
            warns, self._is_new = self._is_new and has_rows, self._is_new and not has_rows
        if warns:
            _LOGGER.warning(
                "The ledger is new, and FieldPulse has rows of %s: a record that matches none is created. If an "
                "earlier run had another ledger, set ledger_url to that one before you go on",
                stream,
            )
