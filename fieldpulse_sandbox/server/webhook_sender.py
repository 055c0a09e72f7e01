"""Deliveries of webhooks: a thread that posts them, so that no answer of the API waits for a receiver."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import threading
from contextlib import closing
from dataclasses import dataclass
from queue import Queue
from urllib.parse import urlsplit

from fieldpulse_sandbox.behaviour.switches import Behaviour
from fieldpulse_sandbox.data.store import Store
from fieldpulse_sandbox.schema.table_shapes import Row

from .webhook_events import Event, webhook_events

SECRET = "5a" * 32
"""The secret of the webhook, with which deliveries may be signed: 64 hexadecimal digits, used as text."""
SIGNATURE = "X-Encrypted-Data"
ATTEMPTS = 4
"""The first try and up to three more (I)."""
PAUSE_SECONDS = 1.0
TIMEOUT_SECONDS = 10.0
FIRST_FAILURE = 400


@dataclass(frozen=True)
class DeliveryAttempt:
    """One attempt at a delivery. `status` is None where no answer came."""

    event: Event
    status: int | None


class WebhookSender:
    """What changes of rows cause, posted to one address in the order of the changes.

    `tries` is every attempt so far. A delivery that failed comes again, and so may one whose answer was lost (I).
    """

    def __init__(self, store: Store, behaviour: Behaviour, url: str, *, pause_seconds: float = PAUSE_SECONDS) -> None:
        """Look at every change of this store from now on. Units: `pause_seconds` lies between two tries."""
        self.attempts: list[DeliveryAttempt] = []
        self._behaviour, self._url, self._pause_seconds = behaviour, url, pause_seconds
        row = next(iter(store.tables["company_profiles"].rows.values()))
        self._company = f"FieldPulse_{row['title']}_{row['id']}"
        self._waiting: Queue[Event | None] = Queue()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._post_all, name="fieldpulse-sandbox-webhooks", daemon=True)
        store.on_change = self._changed

    def start(self) -> None:
        """Begin to post."""
        self._thread.start()

    def flush(self) -> None:
        """Return when everything that happened so far was delivered, or given up."""
        self._waiting.join()

    def close(self) -> None:
        """Post nothing more; what waits is lost."""
        self._stopped.set()
        self._waiting.put(None)
        self._thread.join(timeout=TIMEOUT_SECONDS + 1)

    def _changed(self, name: str, before: Row | None, after: Row) -> None:
        for event in webhook_events(name, before, after, self._company, self._behaviour):
            for _ in range(2 if self._behaviour.webhook_duplicates else 1):
                self._waiting.put(event)

    def _post_all(self) -> None:
        while True:
            event = self._waiting.get()
            try:
                if event is None or self._stopped.is_set():
                    return
                self._deliver(event)
            finally:
                self._waiting.task_done()

    def _deliver(self, event: Event) -> None:
        for number in range(ATTEMPTS):
            if number and self._stopped.wait(self._pause_seconds):
                return
            status = self._post(json.dumps(event).encode())
            self.attempts.append(DeliveryAttempt(event, status))
            if status is not None and status < FIRST_FAILURE:
                return

    def _post(self, body: bytes) -> int | None:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self._behaviour.webhook_signature:
            digest = hmac.new(SECRET.encode(), body, hashlib.sha256).digest()
            headers[SIGNATURE] = base64.b64encode(digest).decode()
        try:
            parts = urlsplit(self._url)
            kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
            with closing(kind(str(parts.hostname), parts.port, timeout=TIMEOUT_SECONDS)) as connection:
                path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
                connection.request("POST", path, body, headers)
                return connection.getresponse().status
        except Exception:  # noqa: BLE001  whatever it is, what waits behind this delivery is posted too
            return None
