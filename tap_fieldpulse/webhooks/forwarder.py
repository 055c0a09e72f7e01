"""Forwards stored deliveries to another receiver, beside the server that stores them.

A delivery counts as forwarded once the other receiver has acknowledged it. Until then it stays the first to be
forwarded, so deliveries arrive in order, and again after a killed process. What cannot be forwarded does not end the
server: FieldPulse would have nowhere to post to.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Any

from fieldpulse_api.errors import FieldPulseError
from fieldpulse_api.http.retry import RetryPolicy
from fieldpulse_api.values.scalars import iso_timestamp
from tap_fieldpulse.delivery.sender import Sender

from .forwarded_event import encoded, forwarded_event
from .inbox import UNREAD_DAYS, Inbox

AddNames = Callable[[dict[str, Any], Mapping[str, Any]], dict[str, Any]]
_FORWARDED = "forwarded"
_SECONDS_BETWEEN_READS = 1.0
_SECONDS_AFTER_FAILURE = 60.0
_SECONDS_TO_END = 2.0
_SECONDS_BETWEEN_PURGES = 86_400.0
FORWARDING_POLICY = RetryPolicy(max_attempts=5, max_seconds=10.0)
"""For a sender. What it gives up, the forwarder sends again in a minute, and for ever."""


class Forwarder:
    """A thread that forwards the deliveries of an inbox of its own.

    Raises: RunLocked while another process forwards the deliveries of this store; ConfigError.
    """

    def __init__(
        self,
        inbox: Inbox,
        sender: Sender,
        *,
        add_names: AddNames,
        log: Callable[[str], None],
        seconds_after_failure: float = _SECONDS_AFTER_FAILURE,
    ) -> None:
        self._inbox, self._sender, self._add_names = inbox, sender, add_names
        self._log, self._seconds_after_failure = log, seconds_after_failure
        self._counts = Counter[str]()
        self._last_forwarded_at: str | None = None
        self._waiting, self._purge_at = 0, 0.0
        self._is_ending = threading.Event()
        self._lock = inbox.lock_forwarding()
        self._thread = threading.Thread(target=self._run, name="forwarder", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def counts(self) -> Counter[str]:
        """Return the number of each outcome. The thread goes on counting."""
        return Counter(dict(self._counts))

    def facts(self) -> dict[str, Any]:
        """Return how many deliveries this process has forwarded, when the last, and how many wait."""
        forwarded = self._counts[_FORWARDED]
        return {"forwarded": forwarded, "last_forwarded_at": self._last_forwarded_at, "waiting": self._waiting}

    def close(self) -> None:
        """Stop. A delivery under way that takes longer than two seconds is forwarded again by the next process."""
        self._is_ending.set()
        if self._thread.ident:
            self._thread.join(_SECONDS_TO_END)
        if not self._thread.is_alive():
            self._lock.release()
            self._inbox.close()
            self._sender.close()

    def _run(self) -> None:
        while not self._is_ending.is_set():
            seconds = _SECONDS_BETWEEN_READS
            try:
                self._purge()
                self._forward_all()
            except FieldPulseError as error:
                self._counts["forwarding failed"] += 1
                self._log(f"{error.what} ({error.where}) Trying again in {self._seconds_after_failure:.0f} s.")
                seconds = self._seconds_after_failure
            except Exception as error:  # noqa: BLE001  a traceback could hold what was sent
                self._counts[f"forwarding failed (bug: {type(error).__name__})"] += 1
                seconds = self._seconds_after_failure
            self._is_ending.wait(seconds)

    def _purge(self) -> None:
        """Delete what is too old once a day: there may be no runs of the tap that do so."""
        if time.monotonic() >= self._purge_at:
            self._purge_at = time.monotonic() + _SECONDS_BETWEEN_PURGES
            if deleted := self._inbox.purge("", 0):
                self._counts[f"deleted after {UNREAD_DAYS} days"] += deleted

    def _forward_all(self) -> None:
        """Forward all deliveries that wait. Raises: what sending and the store raise."""
        while not self._is_ending.is_set() and (deliveries := self._inbox.read_to_forward()):
            self._waiting = self._inbox.count_to_forward()
            for delivery in deliveries:
                event = self._with_names(forwarded_event(delivery), delivery)
                outcome = self._sender.send(event["event_id"], encoded(event))
                self._inbox.mark_forwarded(delivery["sequence"])
                self._waiting = max(0, self._waiting - 1)
                self._counts[_FORWARDED if outcome == "delivered" else "refused by the other receiver"] += 1
                self._last_forwarded_at = iso_timestamp(datetime.now(timezone.utc))
                if self._is_ending.is_set():
                    return
        self._waiting = 0

    def _with_names(self, event: dict[str, Any], delivery: Mapping[str, Any]) -> dict[str, Any]:
        """Return an event with names. A row that was forged to make that fail is forwarded without: it is the first."""
        try:
            return self._add_names(event, delivery)
        except Exception as error:  # noqa: BLE001  a traceback could hold what was sent
            self._counts[f"without names (bug: {type(error).__name__})"] += 1
            return event
