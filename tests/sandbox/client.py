"""A client built on the standard library; it shares no code with the product."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from fieldpulse_sandbox.sandbox import Sandbox


@dataclass(frozen=True)
class SandboxResponse:
    """A response as it was received."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """Return the decoded body."""
        return json.loads(self.body)

    @property
    def rows(self) -> Any:
        """Return what the envelope holds."""
        return self.json["response"]

    @property
    def ids(self) -> list[int]:
        """Return the ids of a page."""
        return [row["id"] for row in self.rows]


class SandboxClient:
    """Opens one connection per request, so that nothing stays open."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox

    def __call__(
        self, method: str, path: str, body: Any = None, *, key: str | None = None, **query: Any
    ) -> SandboxResponse:
        """Send a request. `raw` holds query parameters whose names are not identifiers; a list repeats its name."""
        names = {**query.pop("raw", {}), **query}
        address = urlsplit(self.sandbox.url)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=10)
        try:
            data = None if body is None else json.dumps(body)
            headers = {"x-api-key": self.sandbox.key if key is None else key}
            connection.request(method, f"{path}?{urlencode(names, doseq=True)}" if names else path, data, headers)
            response = connection.getresponse()
            return SandboxResponse(
                response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
            )
        finally:
            connection.close()

    def get(self, path: str, **query: Any) -> SandboxResponse:
        """GET."""
        return self("GET", path, **query)

    def all_ids(self, path: str, limit: int = 100, **query: Any) -> list[int]:
        """Return the ids of every page until an empty one, at most 200 pages."""
        ids: list[int] = []
        for page in range(1, 200):
            row_ids = self.get(path, page=page, limit=limit, **query).ids
            if not row_ids:
                break
            ids += row_ids
        return ids
