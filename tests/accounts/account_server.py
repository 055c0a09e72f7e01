"""One server for many accounts: the API key of a request says whose it is, as at FieldPulse."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping

from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from fieldpulse_sandbox.sandbox import Sandbox
from fieldpulse_sandbox.server.uvicorn_server import UvicornServer, listen
from tests.harness.arrivals import most_in_a_second

_SLOW_SECONDS = 20.0


class AccountServer:
    """The accounts of this process at one URL.

    Requests of the accounts in `down` get HTTP 503, those of the accounts in `slow` take seconds; `waiting` has the
    accounts of which such a request has arrived.
    """

    def __init__(self, accounts: Mapping[str, Sandbox]) -> None:
        """Listen on a free port of this machine. An account may be added later."""
        self.accounts = dict(accounts)
        self.down: set[str] = set()
        self.slow: set[str] = set()
        self.waiting: set[str] = set()
        sock = listen("127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{sock.getsockname()[1]}"
        ready = threading.Event()
        self._server = UvicornServer(self, sock, ready.set)
        threading.Thread(target=self._server.serve_forever, name="accounts", daemon=True).start()
        ready.wait()

    def close(self) -> None:
        """Stop to listen."""
        self._server.stop()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the account of the key does, or as any account answers a wrong key."""
        keys = [value.decode() for name, value in scope["headers"] if name == b"x-api-key"]
        name = next((name for name, account in self.accounts.items() if account.key in keys), None)
        if name and name in self.slow:
            self.waiting.add(name)
            await asyncio.sleep(_SLOW_SECONDS)
        if name in self.down:
            await JSONResponse({"message": "Service Unavailable"}, 503)(scope, receive, send)
        else:
            await self.accounts[name or next(iter(self.accounts))].app(scope, receive, send)


def new_account(name: str, number: int, *, customers: int, users: int = 12) -> Sandbox:
    """Return an account of a company of its own: stores and locks go by the company."""
    return Sandbox(
        customers=customers,
        users=users,
        seed=number,
        rate_limit=50,
        company_id=300_000 + number,
        api_key=f"fp-secret-{number:04}-{name}",
    )


def most_requests_in_a_second(account: Sandbox) -> int:
    """Return the most requests of an account that arrived within any second."""
    return most_in_a_second(request.arrived_at for request in account.requests)
