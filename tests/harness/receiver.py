"""Webhook deliveries as the vendor sends them, and the receiver as a real process."""

from __future__ import annotations

import http.client
import json
import os
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from fieldpulse_api.values.scalars import iso_timestamp
from tap_fieldpulse.webhooks.inbox import Inbox
from tap_fieldpulse.webhooks.payload import Delivery, read_delivery

TOKEN = "a-token-of-the-tests-0123456789-abcdef"
Json = dict[str, Any]


def created_delivery(number: int, *, noun: str = "Job", account: str = "1", **values: Any) -> Json:
    """Return the delivery that FieldPulse sends for a created row."""
    row = {"id": number, "updated_at": "2026-03-09 18:22:41", **values}
    plural = f"{noun.upper()}S"
    return {
        "trigger": f"{noun} Created",
        "message": f"CREATE ON {plural}",
        "data": row,
        "company": f"FieldPulse_Acme_Air_{account}",
    }


def status_delivery(number: int, new: Any, *, old: Any = 1, account: str = "1", **values: Any) -> Json:
    """Return the delivery that FieldPulse sends for a changed job status."""
    row = {"id": number, "status_id": new, "updated_at": "2026-03-09 18:22:41", **values}
    return {
        "trigger": "Job Workflow Custom Status Update",
        "message": "UPDATE ON JOBS FOR status_id",
        "data": {"old_value": old, "new_value": new, "object": row},
        "company": f"FieldPulse_Acme_Air_{account}",
    }


def parse_delivery(body: Json) -> Delivery:
    """Return the parsed delivery of a body."""
    return read_delivery(json.dumps(body).encode())


def store_deliveries(url: str, *bodies: Json) -> None:
    """Store deliveries as the receiver does."""
    inbox = Inbox(url)
    inbox.append([parse_delivery(body) for body in bodies])
    inbox.close()


def age_deliveries(file: Path, *, days: int, at_most: int = 1000) -> None:
    """Set the time of the first deliveries in a store to `days` ago."""
    then = iso_timestamp(datetime.now(timezone.utc) - timedelta(days=days))
    first = "select sequence from fieldpulse_deliveries_1 order by sequence limit ?"
    with closing(sqlite3.connect(file)) as store, store:
        store.execute(
            f"update fieldpulse_deliveries_1 set received_at = ? where sequence in ({first})",
            (then, at_most),
        )


def post_delivery(url: str, body: Json, headers: dict[str, str] | None = None) -> int:
    """Post a delivery and return the HTTP status. Raises: OSError, HTTPException."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=60)
    try:
        connection.request(
            "POST", parts.path, json.dumps(body), {"content-type": "application/json", **(headers or {})}
        )
        return connection.getresponse().status
    finally:
        connection.close()


@dataclass
class ReceiverProcess:
    """A running receiver. `address` does not contain the token."""

    process: subprocess.Popen[str]
    address: str
    _errors: IO[str]

    @property
    def url(self) -> str:
        """Return the URL for deliveries."""
        return f"{self.address}/{TOKEN}"

    def connect(self, *, buffer_bytes: int | None = None) -> socket.socket:
        """Return a connection to it that receives `buffer_bytes` before they are read, or as many as usual."""
        host, port = self.address.removeprefix("http://").split(":")
        connection = socket.socket()
        if buffer_bytes:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
        connection.settimeout(60)
        connection.connect((host, int(port)))
        return connection

    def count_sockets(self) -> int:
        """Return the number of its open sockets."""
        count = 0
        for file in Path(f"/proc/{self.process.pid}/fd").iterdir():
            with suppress(FileNotFoundError):  # closed since it was listed
                count += "socket:" in str(file.readlink())
        return count

    def stop(self, signal_number: int) -> int:
        """Send a signal and return the exit status."""
        self.process.send_signal(signal_number)
        return self.process.wait(timeout=60)

    def health(self) -> Json:
        """Return what `/health` tells."""
        with urllib.request.urlopen(f"{self.address}/health", timeout=60) as response:
            facts: Json = json.load(response)
        return facts

    def log(self) -> str:
        """Return the log so far."""
        self._errors.seek(0)
        return self._errors.read()


def environment(**settings: str) -> dict[str, str]:
    """Return an environment with these settings of the tap and no others."""
    other = {name: value for name, value in os.environ.items() if not name.startswith(("TAP_F", "TARGET_F"))}
    return other | {f"TAP_FIELDPULSE_{name.upper()}": value for name, value in settings.items()}


COMMAND = [sys.executable, "-m", "fieldpulse_cli", "webhooks", "--port", "0"]


@contextmanager
def run_receiver(url: str, *options: str, max_files: int | None = None, **settings: str) -> Iterator[ReceiverProcess]:
    """Run a receiver with its store at this URL, with a limit on open files; kill it at the end if it still runs."""
    variables = environment(webhook_token=TOKEN, snapshot_url=url, **settings)
    limit = ["prlimit", f"--nofile={max_files}:{max_files}"] if max_files else []
    with (
        tempfile.NamedTemporaryFile("w+") as errors,
        subprocess.Popen([*limit, *COMMAND, *options], env=variables, stderr=errors, text=True) as process,
    ):
        try:
            yield ReceiverProcess(process, _address(process, Path(errors.name)), errors)
        finally:
            process.kill()


def _address(process: subprocess.Popen[str], errors: Path) -> str:
    while "/<webhook_token>\n" not in (text := errors.read_text()):
        assert process.poll() is None, text
        time.sleep(0.01)  # let the receiver have the processor
    return text.split("listening at ")[1].split("/<")[0]
