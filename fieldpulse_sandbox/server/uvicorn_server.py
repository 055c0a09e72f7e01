"""A uvicorn server that can abort a connection and stops at once.

It relies on private parts of uvicorn; the sandbox's tests run against the newest version that pyproject.toml allows.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from typing_extensions import override
from uvicorn.protocols.http.h11_impl import H11Protocol

from fieldpulse_sandbox.faults.injection import TRANSPORT


class DroppableConnection(H11Protocol):
    """A connection that puts its transport into the ASGI scope, so that a fault can abort it."""

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
    """A uvicorn server that reports when it listens, and that ends without raising the signal again."""

    def __init__(self, app: ASGIApp, sock: socket.socket, on_ready: Callable[[], None]) -> None:
        """Serve `app` on a bound socket; `on_ready` is called as soon as the server listens."""
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
        """Listen, then call `on_ready`."""
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        self._on_ready()

    @override
    async def main_loop(self) -> None:
        """Wait until `stop` is called, instead of polling every 0.1 s as uvicorn does."""
        await self._stopped.wait()

    @override
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close everything at once.

        uvicorn waits 0.1 s, and for responses that are not complete; in a test run that adds up.
        """
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
        """Stop the server; callable from any thread and from a signal handler."""
        self.should_exit = True
        if self._loop and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stopped.set)

    @override
    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # uvicorn calls it with both
        """Stop the server on a signal."""
        self.stop()

    @contextlib.contextmanager
    @override
    def capture_signals(self) -> Iterator[None]:
        """Stop at SIGINT and SIGTERM, with exit status 0."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        previous = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def serve_forever(self) -> None:
        """Serve until `stop` is called."""
        self.run(sockets=[self.sock])


def listen(host: str, port: int) -> socket.socket:
    """Return a bound socket; port 0 is any free port.

    Raises: OSError.
    """
    # Without the protocol number asyncio leaves Nagle's algorithm on, and each small response takes 40 ms.
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
    except OSError:
        sock.close()
        raise
    return sock
