"""The simulated API on a port: a uvicorn server that can drop connections, and `Sandbox`, which tests start."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from fieldpulse_sandbox.behaviour.profiles import LIVE, profile_of
from fieldpulse_sandbox.behaviour.switches import Behaviour
from fieldpulse_sandbox.data.store import Clock, MaterialListLink, Store
from fieldpulse_sandbox.faults.fault import Fault
from fieldpulse_sandbox.faults.fault_queue import FaultQueue
from fieldpulse_sandbox.faults.random_faults import RandomFaults
from fieldpulse_sandbox.schema.table_shapes import Row
from fieldpulse_sandbox.server.app import create_app
from fieldpulse_sandbox.server.recorded_request import RecordedRequest
from fieldpulse_sandbox.server.uvicorn_server import UvicornServer, listen
from fieldpulse_sandbox.server.webhook_sender import WebhookSender

from .seed import build_account


class Sandbox:
    """An account with its API in a thread of this process, for as long as the `with` lasts.

    `requests` is everything that was asked, in the order of arrival. `behaviour` and `key` may be changed while it
    runs; the behaviour is the one named by `profile` unless a whole one is given.
    `watch`, if set, is called with each request on its arrival, before it is answered, in the server's thread: there a
    test can change the account in the middle of a walk, and nothing else happens meanwhile.
    `deliveries` are the webhooks that changes cause, also those made through the store, if there is a `webhook_url`.
    Units: `rate_limit` is in requests per second, None for no limit; `clock` gives UNIX seconds.
    """

    def __init__(
        self,
        *,
        customers: int = 50,
        seed: int = 1,
        api_key: str = "sandbox-key",
        rate_limit: int | None = None,
        latency_ms: float = 0,
        profile: str = LIVE,
        behaviour: Behaviour | None = None,
        random_faults: RandomFaults | None = None,
        webhook_url: str | None = None,
        clock: Clock = time.time,
    ) -> None:
        """Build the account; nothing listens before the `with`."""
        self.key = api_key
        self.behaviour = behaviour or profile_of(profile)
        self.store = Store(build_account(customers, seed), clock)
        self.requests: list[RecordedRequest] = []
        self.on_request: Callable[[RecordedRequest], None] | None = None
        self.url = ""
        self.webhook_sender = WebhookSender(self.store, self.behaviour, webhook_url) if webhook_url else None
        self._faults = FaultQueue(random_faults=random_faults)
        self._app = create_app(
            self.store,
            api_key=lambda: self.key,
            rate_limit=rate_limit,
            latency_ms=latency_ms,
            behaviour=self.behaviour,
            faults=self._faults,
            on_request=self._arrived,
        )

    def __enter__(self) -> Sandbox:  # noqa: PYI034  # `Self` is newer than Python 3.10
        """Start to listen on a free port of this machine."""
        sock = listen("127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{sock.getsockname()[1]}"
        ready = threading.Event()
        self._server = UvicornServer(self._app, sock, ready.set)
        self._thread = threading.Thread(target=self._server.serve_forever, name="fieldpulse-sandbox", daemon=True)
        self._thread.start()
        if self.webhook_sender:
            self.webhook_sender.start()
        if not ready.wait(timeout=10):
            msg = "the sandbox did not start within 10 s"
            raise RuntimeError(msg)
        return self

    def __exit__(self, *exc: object) -> None:
        """Stop, and wait until the port is closed."""
        self._server.stop()
        self._thread.join(timeout=10)
        if self.webhook_sender:
            self.webhook_sender.close()

    def _arrived(self, request: RecordedRequest) -> None:
        self.requests.append(request)
        if self.on_request:
            self.on_request(request)

    def add_fault(self, fault: Fault) -> None:
        """Queue a fault for the requests to come."""
        self._faults.add(fault)

    def links(self, number: int) -> list[MaterialListLink]:
        """Return what a material list is connected with, in the order of the requests, repetitions included."""
        return list(self.store.links.get(number, ()))

    def rows(self, name: str) -> list[Row]:
        """Return the live rows of a resource as its list shows them, ascending by id."""
        return self.store.rows(name)
