"""The sender of webhooks: a thread, so that no response of the API waits for a receiver."""

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
"""The secret that signs webhooks: 64 hexadecimal digits, used as text."""
SIGNATURE = "X-Encrypted-Data"
ATTEMPTS = 4
"""The first attempt and up to three retries (inferred)."""
PAUSE_SECONDS = 1.0
TIMEOUT_SECONDS = 10.0
FIRST_FAILURE_STATUS = 400


@dataclass(frozen=True)
class DeliveryAttempt:
    """One attempt at a delivery. `status` is None if no response came."""

    event: Event
    status: int | None


class WebhookSender:
    """Posts the events of changed rows to one URL, in the order of the changes.

    `attempts` is every attempt so far. A failed delivery is retried, and so is one whose response was lost (inferred).
    """

    def __init__(self, store: Store, behaviour: Behaviour, url: str, *, pause_seconds: float = PAUSE_SECONDS) -> None:
        """Listen to every change of the store from now on. `pause_seconds` is the pause before a retry."""
        self.attempts: list[DeliveryAttempt] = []
        self._behaviour, self._url, self._pause_seconds = behaviour, url, pause_seconds
        company = next(iter(store.tables["company_profiles"].rows.values()))
        self._company = f"FieldPulse_{company['title']}_{company['id']}"
        self._waiting: Queue[Event | None] = Queue()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._post_all, name="fieldpulse-sandbox-webhooks", daemon=True)
        store.on_change = self._enqueue

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def flush(self) -> None:
        """Wait until every event so far is delivered or given up."""
        self._waiting.join()

    def close(self) -> None:
        """Stop; events that wait are lost."""
        self._stopped.set()
        self._waiting.put(None)
        self._thread.join(timeout=TIMEOUT_SECONDS + 1)

    def _enqueue(self, name: str, before: Row | None, after: Row) -> None:
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
        for attempt in range(ATTEMPTS):
            if attempt and self._stopped.wait(self._pause_seconds):
                return
            status = self._post(json.dumps(event).encode())
            self.attempts.append(DeliveryAttempt(event, status))
            if status is not None and status < FIRST_FAILURE_STATUS:
                return

    def _post(self, body: bytes) -> int | None:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self._behaviour.webhook_signature:
            digest = hmac.new(SECRET.encode(), body, hashlib.sha256).digest()
            headers[SIGNATURE] = base64.b64encode(digest).decode()
        try:
            url = urlsplit(self._url)
            connect = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
            with closing(connect(str(url.hostname), url.port, timeout=TIMEOUT_SECONDS)) as connection:
                path = f"{url.path or '/'}?{url.query}" if url.query else url.path or "/"
                connection.request("POST", path, body, headers)
                return connection.getresponse().status
        except Exception:  # noqa: BLE001  no failure may end the thread: more deliveries wait
            return None
