"""A server of prepared pages, so that a benchmark measures the reader: rows of the sandbox, encoded once.

`python -m benchmarks.page_server ROWS [LATENCY_MS]` prints its address. `{address}/{n}/jobs` is a list that ends after
`n` rows. `{address}/arrivals` returns when requests arrived since it was last read, in seconds.
"""

from __future__ import annotations

import gzip
import sys
import time
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

import httpx
import msgspec
from typing_extensions import override

from fieldpulse_api.resources.catalogue import BY_NAME
from fieldpulse_sandbox.sandbox import Sandbox

from .processes import KEY

STREAMS = ("jobs", "customers", "invoices")
_PAGE_SIZE = 100
_HTTP_CLIENT_SECONDS = 60


class Lists:
    """The lists of an account, by ascending id, with at least `row_count` rows each."""

    def __init__(self, row_count: int) -> None:
        with (
            Sandbox(customers=row_count, api_key=KEY) as sandbox,
            httpx.Client(base_url=sandbox.url, headers={"x-api-key": KEY}, timeout=_HTTP_CLIENT_SECONDS) as client,
        ):
            self._rows = {name: _read_rows(client, name, row_count) for name in ("custom_fields", *STREAMS)}

    @cache  # noqa: B019  the lists live as long as the process
    def page(self, name: str, length: int, number: int, limit: int, *, is_descending: bool) -> bytes:
        """Return the compressed body of a page of the first `length` rows; `number` starts at 1."""
        rows = self._rows[name] if name == "custom_fields" else self._rows[name][:length]
        page = rows[:: -1 if is_descending else 1][(number - 1) * limit : number * limit]
        return gzip.compress(msgspec.json.encode({"error": False, "response": page, "total_count": len(rows)}), 6)


class Handler(BaseHTTPRequestHandler):
    """Answers `GET /{length}/{list}` with a page."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    lists: Lists
    latency_seconds = 0.0
    arrivals: ClassVar[list[float]] = []

    def do_GET(self) -> None:
        """Send a page after the latency."""
        if self.path == "/arrivals":
            body = msgspec.json.encode(self.arrivals)
            self.arrivals.clear()
            self._send(body, {})
            return
        arrived_at = time.monotonic()
        self.arrivals.append(arrived_at)
        url = urlsplit(self.path)
        _, length, path = url.path.split("/", 2)
        query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        number, limit = (int(query.get(name, default)) for name, default in (("page", "1"), ("limit", "100")))
        body = self.lists.page(
            path.replace("-", "_"), int(length), number, limit, is_descending="desc" in query.values()
        )
        time.sleep(max(0.0, arrived_at + self.latency_seconds - time.monotonic()))
        self._send(body, {"content-encoding": "gzip"})

    def _send(self, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(200)
        for name, value in {"content-type": "application/json", **headers, "content-length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    @override
    def log_message(self, *_: object) -> None:
        """Print nothing for a request."""


def _read_rows(client: httpx.Client, name: str, row_count: int) -> list[msgspec.Raw]:
    resource, rows = BY_NAME.get(name), list[msgspec.Raw]()
    query = {**dict(resource.with_custom_fields_params), **resource.sort_params("id", "asc")} if resource else {}
    while len(rows) < row_count:
        params = {**query, "page": str(len(rows) // _PAGE_SIZE + 1), "limit": str(_PAGE_SIZE)}
        content = client.get(resource.path if resource else "/custom-fields", params=params).content
        page = msgspec.json.decode(
            msgspec.json.decode(content, type=dict[str, msgspec.Raw])["response"], type=list[msgspec.Raw]
        )
        rows += [msgspec.Raw(bytes(row)) for row in page]
        if len(page) < _PAGE_SIZE:
            break
    return rows


def main() -> None:
    """Prepare the lists, print the address, and serve until the process is ended."""
    Handler.lists = Lists(int(sys.argv[1]))
    Handler.latency_seconds = int(sys.argv[2]) / 1000 if len(sys.argv) > 2 else 0  # noqa: PLR2004
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    print(f"url=http://127.0.0.1:{server.server_address[1]}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
