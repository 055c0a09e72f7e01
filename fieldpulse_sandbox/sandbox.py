"""`Sandbox`: a FieldPulse account with its API, started and inspected by tests."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from .behaviour.profiles import LIVE, profile_of
from .behaviour.switches import Behaviour
from .data.store import Clock, MaterialListLink, Store
from .faults.fault import Fault
from .faults.fault_queue import FaultQueue
from .faults.random_faults import RandomFaults
from .schema.table_shapes import COMPANY_ID, Row
from .seed import build_account
from .seed.draft import Rows
from .server.app import create_app
from .server.recorded_request import RecordedRequest
from .server.uvicorn_server import UvicornServer, listen
from .server.webhook_sender import WebhookSender

START_TIMEOUT_SECONDS = 10


class Sandbox:
    """An account whose API runs in a thread of this process for the duration of a `with` block.

    `requests` is every request, in the order of arrival. `behaviour` and `key` may be changed while the server runs;
    `behaviour` is that of `profile` unless it is given.
    `on_request`, if set, is called in the server's thread with each request before it is carried out. A test can
    change the account there in the middle of a read, and no other request runs at the same time.
    `webhook_sender`, if there is a `webhook_url`, sends the events of all changes, also of those made by `store`.
    `app` is the ASGI application, for a server of several accounts.

    Units: `rate_limit` is in requests per second, None means no limit; `clock` gives UNIX seconds.
    """

    def __init__(
        self,
        *,
        customers: int = 50,
        users: int = 12,
        seed: int = 1,
        api_key: str = "sandbox-key",
        company_id: int = COMPANY_ID,
        rate_limit: int | None = None,
        latency_ms: float = 0,
        profile: str = LIVE,
        behaviour: Behaviour | None = None,
        random_faults: RandomFaults | None = None,
        webhook_url: str | None = None,
        office_names: Rows | None = None,
        clock: Clock = time.time,
    ) -> None:
        """Build the account. The server starts with the `with` block."""
        self.key = api_key
        self.behaviour = behaviour or profile_of(profile)
        self.store = Store(
            build_account(customers, seed, users, company_id=company_id, office_names=office_names), clock
        )
        self.requests: list[RecordedRequest] = []
        self.on_request: Callable[[RecordedRequest], None] | None = None
        self.url = ""
        self.webhook_sender = WebhookSender(self.store, self.behaviour, webhook_url) if webhook_url else None
        self._faults = FaultQueue(random_faults=random_faults)
        self.app = create_app(
            self.store,
            api_key=lambda: self.key,
            rate_limit=rate_limit,
            latency_ms=latency_ms,
            behaviour=self.behaviour,
            faults=self._faults,
            on_request=self._record,
        )

    def __enter__(self) -> Sandbox:  # noqa: PYI034  # `Self` is newer than Python 3.10
        """Listen on a free port of this machine."""
        sock = listen("127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{sock.getsockname()[1]}"
        ready = threading.Event()
        self._server = UvicornServer(self.app, sock, ready.set)
        self._thread = threading.Thread(target=self._server.serve_forever, name="fieldpulse-sandbox", daemon=True)
        self._thread.start()
        if self.webhook_sender:
            self.webhook_sender.start()
        if not ready.wait(timeout=START_TIMEOUT_SECONDS):
            raise RuntimeError(f"The sandbox did not start within {START_TIMEOUT_SECONDS} s.")
        return self

    def __exit__(self, *exc: object) -> None:
        """Stop, and wait until the port is closed."""
        self._server.stop()
        self._thread.join(timeout=START_TIMEOUT_SECONDS)
        if self.webhook_sender:
            self.webhook_sender.close()

    def _record(self, request: RecordedRequest) -> None:
        self.requests.append(request)
        if self.on_request:
            self.on_request(request)

    def add_fault(self, fault: Fault) -> None:
        """Queue a fault for the next matching requests."""
        self._faults.add(fault)

    def links(self, material_list_id: int) -> list[MaterialListLink]:
        """Return the links of a material list in the order of the requests, with repetitions."""
        return list(self.store.links.get(material_list_id, ()))

    def rows(self, name: str) -> list[Row]:
        """Return the rows of a resource as its list shows them, without deleted ones, ascending by id."""
        return self.store.rows(name)
