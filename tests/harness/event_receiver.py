"""A receiver of pushed events, as a real HTTP server that responds as a test tells it."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from typing_extensions import override

from fieldpulse_plugin.settings import SHARED_SETTINGS
from tap_fieldpulse.delivery.refused_file import RefusedFile
from tap_fieldpulse.settings import TAP_SETTINGS, TapSettings

SECRET = "whsec_" + base64.b64encode(b"a key of the tests of 32 bytes !").decode()
HANG = 0
"""In place of a status: no response until the receiver ends."""


@dataclass(frozen=True)
class Push:
    """One request: its headers, its body and the status that it got."""

    headers: dict[str, str]
    body: bytes
    status: int

    @property
    def event(self) -> dict[str, Any]:
        """Return the event."""
        event: dict[str, Any] = json.loads(self.body)
        return event


@dataclass
class EventReceiver:
    """A running receiver. `respond` returns the status for the number of a request, from 0."""

    url: str
    respond: Callable[[int], int] = lambda _: 204
    pushes: list[Push] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)
    ends: threading.Event = field(default_factory=threading.Event)

    def add(self, headers: dict[str, str], body: bytes) -> int:
        """Note a request, and return the status of its response."""
        with self.changed:
            status = self.respond(len(self.pushes))
            self.pushes.append(Push(headers, body, status))
            self.changed.notify_all()
        return status

    def wait_for(self, count: int) -> None:
        """Wait until so many requests have come."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.pushes) >= count, timeout=60), self.pushes

    @property
    def accepted(self) -> list[dict[str, Any]]:
        """Return the events that got a status of success, in the order of their requests."""
        return [push.event for push in self.pushes if 200 <= push.status < 300]


def refused_file(path: Path, snapshot_url: str) -> RefusedFile:
    """Return a file of refused events beside the stores at a URL."""
    properties = {**SHARED_SETTINGS, **TAP_SETTINGS}
    defaults = {name: schema["default"] for name, schema in properties.items() if "default" in schema}
    return RefusedFile(path, TapSettings.from_config(defaults | {"snapshot_url": snapshot_url}))


@contextmanager
def run_event_receiver() -> Iterator[EventReceiver]:
    """Run a receiver on a free port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            status = receiver.add({name.lower(): value for name, value in self.headers.items()}, body)
            if status == HANG:
                receiver.ends.wait(60)
                self.close_connection = True
                return
            self.send_response(status)
            self.send_header("location", receiver.url)
            self.send_header("content-length", "0")
            self.end_headers()

        @override
        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver = EventReceiver(f"http://127.0.0.1:{server.server_port}/hook?sig=canary-of-the-url")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield receiver
    finally:
        receiver.ends.set()
        server.shutdown()
        server.server_close()
        thread.join()
