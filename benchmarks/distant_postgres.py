"""A PostgreSQL server at a distance: each way takes half of the latency, as between two data centres."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from queue import Queue

from sqlalchemy.engine import make_url

from tests.harness.postgres_server import postgres_server

_BYTES = 1 << 16


@contextmanager
def distant_postgres(latency_ms: float) -> Iterator[str]:
    """Run a PostgreSQL server, and yield the URL of a port that leads to it."""
    with postgres_server() as url, socket.create_server(("127.0.0.1", 0)) as listener:
        parsed = make_url(url)
        path = f"{parsed.query['host']}/.s.PGSQL.{parsed.port or 5432}"
        threading.Thread(target=_accept, args=(listener, path, latency_ms / 2000), daemon=True).start()
        port = listener.getsockname()[1]
        yield parsed.set(host="127.0.0.1", port=port, query={}).render_as_string(hide_password=False)


def _accept(listener: socket.socket, path: str, one_way_seconds: float) -> None:
    with suppress(OSError):  # the listener is closed
        while True:
            client, _ = listener.accept()
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            server = socket.socket(socket.AF_UNIX)
            server.connect(path)
            for source, destination in ((client, server), (server, client)):
                on_the_way: Queue[tuple[float, bytes]] = Queue()
                threading.Thread(target=_receive, args=(source, on_the_way, one_way_seconds), daemon=True).start()
                threading.Thread(target=_deliver, args=(destination, on_the_way), daemon=True).start()


def _receive(source: socket.socket, on_the_way: Queue[tuple[float, bytes]], one_way_seconds: float) -> None:
    content = b"-"
    while content:
        try:
            content = source.recv(_BYTES)
        except OSError:
            content = b""
        on_the_way.put((time.monotonic() + one_way_seconds, content))


def _deliver(destination: socket.socket, on_the_way: Queue[tuple[float, bytes]]) -> None:
    with suppress(OSError):  # the other side is gone
        while True:
            due_at, content = on_the_way.get()
            time.sleep(max(0.0, due_at - time.monotonic()))
            if not content:
                destination.shutdown(socket.SHUT_WR)
                return
            destination.sendall(content)
