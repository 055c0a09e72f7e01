"""A server of a list of jobs as long as the address asks for; every page is made from the rows of a small sandbox.

`python -m benchmarks.scale.job_server` prints its address. `{address}/{n}/{day}` is an account with `n` jobs, a
multiple of 10,000, as it is on one of two days: on day 1, every hundredth row has changed, and every ten-thousandth is
deleted. Ids have gaps, as those of an account that shares its tables with others. All other lists are the sandbox's.
"""

from __future__ import annotations

import gzip
import sys
import threading
import traceback
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

import httpx
import msgspec
from typing_extensions import override

from benchmarks.processes import KEY
from fieldpulse_sandbox.sandbox import Sandbox

BLOCK = 10_000
"""Rows are in blocks that are alike: a length is a multiple of this."""
_CUSTOMERS = 1000
_DELETED = 5000  # of each block
CHANGED = range(37, BLOCK, 100)
_FIRST_ID, _ROWS_OF_OTHERS = 10_000_000, 6
_FIRST_UPDATE, _SECONDS_BETWEEN_UPDATES = datetime(2025, 1, 1), 10  # noqa: DTZ001  as the API sends times
_DAY_1 = timedelta(days=200)
_ID, _UPDATED_AT, _NOTES = "id", "updated_at", "notes"
_HTTP_NOT_FOUND = 404


class Position(NamedTuple):
    """Rows of a list in an order: the offsets in each block of those that come first, and of those that come then."""

    first: Sequence[int]
    then: Sequence[int] = ()

    def row_number(self, place: int, length: int) -> int:
        """Return the number of the row at a place of the list, both from 0."""
        blocks = length // BLOCK
        offsets = self.first
        if place >= blocks * len(self.first):
            place, offsets = place - blocks * len(self.first), self.then
        block, rest = divmod(place, len(offsets))
        return block * BLOCK + offsets[rest]

    def count(self, length: int) -> int:
        """Return the number of rows."""
        return length // BLOCK * (len(self.first) + len(self.then))


_EVERY_ROW = Position(range(BLOCK))
_LIVING = Position([offset for offset in range(BLOCK) if offset != _DELETED])
_BY_UPDATE = Position([offset for offset in _LIVING.first if offset not in CHANGED], CHANGED)


class Jobs:
    """The jobs of all accounts. `templates` are rows of the sandbox; each is encoded once, in parts between values."""

    def __init__(self, templates: list[dict[str, Any]]) -> None:
        self._templates = [_parts(row) for row in templates]

    def page(self, length: int, day: int, query: dict[str, str]) -> bytes:
        """Return the compressed body of a page."""
        order = _EVERY_ROW if day == 0 else _LIVING if _UPDATED_AT not in query.values() else _BY_UPDATE
        number, limit = int(query.get("page", "1")), int(query.get("limit", "100"))
        count = order.count(length)
        places = range(count)[:: -1 if "desc" in query.values() else 1][(number - 1) * limit : number * limit]
        rows = b",".join(self._row(order.row_number(place, length), day) for place in places)
        return gzip.compress(b'{"error":false,"response":[%b],"total_count":%d}' % (rows, count), 1)

    def _row(self, number: int, day: int) -> bytes:
        is_changed = day > 0 and number % BLOCK in CHANGED
        updated_at = _FIRST_UPDATE + timedelta(seconds=number * _SECONDS_BETWEEN_UPDATES) + is_changed * _DAY_1
        parts = self._templates[number % len(self._templates)]
        values = (b"%d" % row_id(number), str(updated_at).encode(), b"Bring %d ladders." % (1 + is_changed), b"")
        return b"".join(text for pair in zip(parts, values, strict=True) for text in pair)


def row_id(number: int) -> int:
    """Return the id of a row, by its number from 0; ids ascend."""
    return _FIRST_ID + number * (_ROWS_OF_OTHERS + 1) + number % _ROWS_OF_OTHERS


def is_deleted(job_id: int) -> bool:
    """Return whether a job is deleted on day 1."""
    return (job_id - _FIRST_ID) // (_ROWS_OF_OTHERS + 1) % BLOCK == _DELETED


def _parts(row: dict[str, Any]) -> list[bytes]:
    """Return an encoded row, cut at the values that differ between the rows of a template."""
    cut = {name: f"<{name}>" for name in (_ID, _UPDATED_AT, _NOTES)}
    rest = msgspec.json.encode({**cut, **{name: value for name, value in row.items() if name not in cut}})
    parts = []
    for name, mark in cut.items():
        quoted = f'"{mark}"' if name == _ID else mark
        before, _, rest = rest.partition(quoted.encode())
        parts.append(before)
    return [*parts, rest]


class Handler(BaseHTTPRequestHandler):
    """Answers `GET /{length}/{day}/{list}`."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    jobs: Jobs
    sandbox: httpx.Client

    def do_GET(self) -> None:
        """Send a page of jobs, or what the sandbox answers."""
        url = urlsplit(self.path)
        _, length, day, path = url.path.split("/", 3)
        if path == "jobs":
            self._send(200, self.jobs.page(int(length), int(day), dict(parse_qsl(url.query))))
        elif path.startswith("jobs/") and path.removeprefix("jobs/").isdecimal():
            is_gone = int(day) > 0 and is_deleted(int(path.removeprefix("jobs/")))
            self._send(_HTTP_NOT_FOUND if is_gone else 200, gzip.compress(b'{"error":true,"message":"not found"}'))
        else:
            self._send(*_of_sandbox(self.sandbox, f"/{path}?{url.query}"))

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        headers = {"content-type": "application/json", "content-encoding": "gzip", "content-length": str(len(body))}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    @override
    def log_message(self, *_: object) -> None:
        """Print nothing for a request."""


class Server(ThreadingHTTPServer):
    """A server that a reader may leave in the middle of its prefetched pages."""

    daemon_threads = True

    @override
    def handle_error(self, request: object, client_address: object) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):
            traceback.print_exc()


@cache
def _of_sandbox(sandbox: httpx.Client, path: str) -> tuple[int, bytes]:
    response = sandbox.get(path)
    return response.status_code, gzip.compress(response.content)


def main() -> None:
    """Print the address, and serve until the process is ended."""
    with (
        Sandbox(customers=_CUSTOMERS, api_key=KEY) as sandbox,
        httpx.Client(base_url=sandbox.url, headers={"x-api-key": KEY}) as client,
    ):
        query = {"limit": "100", "with_custom_fields": "true"}
        pages = [client.get("/jobs", params={**query, "page": str(number)}).json() for number in range(1, 11)]
        Handler.jobs, Handler.sandbox = Jobs([row for page in pages for row in page["response"]]), client
        server = Server(("127.0.0.1", 0), Handler)
        print(f"url=http://127.0.0.1:{server.server_address[1]}", flush=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        threading.Event().wait()


if __name__ == "__main__":
    main()
