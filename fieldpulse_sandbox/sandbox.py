"""The simulated API on a port: a uvicorn server that can drop connections, and `Sandbox`, which tests start."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import uvicorn
from typing_extensions import override
from uvicorn.protocols.http.h11_impl import H11Protocol

from fieldpulse_sandbox.behaviour.profiles import LIVE, profile_of
from fieldpulse_sandbox.behaviour.switches import Behaviour
from fieldpulse_sandbox.data.store import Clock, MaterialListLink, Store
from fieldpulse_sandbox.faults.fault import Fault
from fieldpulse_sandbox.faults.fault_queue import FaultQueue
from fieldpulse_sandbox.faults.injection import TRANSPORT
from fieldpulse_sandbox.faults.random_faults import RandomFaults
from fieldpulse_sandbox.server.app import create_app
from fieldpulse_sandbox.server.gateway import RecordedRequest
from fieldpulse_sandbox.server.webhook_sender import WebhookSender

from .seed import Row, build_account

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    from starlette.types import ASGIApp, Receive, Scope, Send


class DroppableConnection(H11Protocol):
    """A connection that tells the application its transport, so that a fault can close it."""

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Wrap the application once per connection."""
        super().connection_made(transport)
        app: Any = self.app

        async def with_transport(scope: Scope, receive: Receive, send: Send) -> None:
            scope[TRANSPORT] = transport
            await app(scope, receive, send)

        self.app = with_transport


class UvicornServer(uvicorn.Server):
    """A uvicorn server that says when it is ready and ends without raising the signal again."""

    def __init__(self, app: ASGIApp, sock: socket.socket, on_ready: Callable[[], None]) -> None:
        """Serve `app` on a socket that is bound already; `on_ready` is called when it listens."""
        super().__init__(
            uvicorn.Config(
                app,
                http=DroppableConnection,
                ws="none",
                lifespan="off",
                log_level="warning",
                access_log=False,
                date_header=False,
                server_header=False,
                timeout_keep_alive=75,
                timeout_graceful_shutdown=1,
            )
        )
        self.sock = sock
        self._on_ready = on_ready
        self._stopped = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    @override
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then say so."""
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        self._on_ready()

    @override
    async def main_loop(self) -> None:
        """Wait for the end, without uvicorn's ticks of 0.1 s."""
        await self._stopped.wait()

    @override
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close everything at once; uvicorn waits 0.1 s, and for slow answers, which adds up in a test run."""
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await asyncio.sleep(0)
        for task in list(self.server_state.tasks):
            task.cancel()
        for sock in sockets or []:
            sock.close()

    def stop(self) -> None:
        """End the server, from any thread or signal."""
        self.should_exit = True
        if self._loop and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stopped.set)

    @override
    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # uvicorn calls it with both
        """Take a signal as the wish to stop."""
        self.stop()

    @contextlib.contextmanager
    @override
    def capture_signals(self) -> Iterator[None]:
        """Stop at SIGINT and SIGTERM, with exit status 0."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def serve_forever(self) -> None:
        """Serve until told to stop."""
        self.run(sockets=[self.sock])


def listen(host: str, port: int) -> socket.socket:
    """Return a bound socket; port 0 is any free one."""
    # Without the protocol's number asyncio leaves Nagle's algorithm on, and each small answer takes 40 ms.
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
    except OSError:
        sock.close()
        raise
    return sock


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
