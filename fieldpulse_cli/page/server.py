"""The page as a small web application: it reads the histories, and tells browsers when they have changed."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from fieldpulse_api.errors import FieldPulseError
from fieldpulse_plugin.output import for_output

from .page import STYLE

_SCRIPT = (Path(__file__).parent / "live.js").read_text("utf-8")
_LOOPBACK_NAMES = ["127.0.0.1", "localhost", "[::1]"]
_COOKIE = "fieldpulse_token"
_SECONDS_BETWEEN_READS = 3.0
_STYLE_HASH = base64.b64encode(hashlib.sha256(f"\n{STYLE}".encode()).digest()).decode()
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; connect-src 'self'; base-uri 'none'; "
    f"form-action 'none'; frame-ancestors 'none'; style-src 'sha256-{_STYLE_HASH}'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class LivePage:
    """Serve what `render` returns, and the event `changed` when it has become another.

    `token` is None on loopback: then only requests to a name of loopback are answered, so that no web page can read it
    through a name of its own (DNS rebinding). Elsewhere a request needs the token, in `?token=` or in the cookie that
    the first such request gets.
    """

    def __init__(self, render: Callable[[], str], *, token: str | None) -> None:
        self._render, self._token = render, token
        self._page, self._lock, self._read_at = "", asyncio.Lock(), float("-inf")

    def application(self) -> Starlette:
        """Return the ASGI application."""
        routes = [Route("/", self._index), Route("/live.js", self._script), Route("/events", self._events)]
        is_loopback = self._token is None
        hosts = [Middleware(TrustedHostMiddleware, allowed_hosts=_LOOPBACK_NAMES)] if is_loopback else []
        return Starlette(routes=routes, middleware=hosts, exception_handlers={FieldPulseError: _failed})

    async def _index(self, request: Request) -> Response:
        text = request.query_params.get("token")
        if self._token and text is not None and self._is_token(text):
            response = RedirectResponse("/", status_code=303, headers=_HEADERS)
            response.set_cookie(_COOKIE, self._token, httponly=True, samesite="strict")
            return response
        if not self._is_allowed(request):
            return _refused()
        return HTMLResponse(await self._current_page(), headers=_HEADERS)

    async def _script(self, request: Request) -> Response:  # noqa: ARG002  Starlette passes it
        return Response(_SCRIPT, media_type="text/javascript", headers=_HEADERS)

    async def _events(self, request: Request) -> Response:
        if not self._is_allowed(request):
            return _refused()
        return StreamingResponse(self._changes(), media_type="text/event-stream", headers=_HEADERS)

    async def _changes(self) -> AsyncIterator[str]:
        yield "retry: 3000\n\n"
        before = await self._current_page()
        while True:
            await asyncio.sleep(_SECONDS_BETWEEN_READS)
            try:
                page = await self._current_page()
            except FieldPulseError as error:
                page = error.what
            yield "event: changed\ndata:\n\n" if page != before else ":\n\n"  # a comment finds closed connections
            before = page

    async def _current_page(self) -> str:
        """Return the page, at most three seconds old: all browsers share it."""
        async with self._lock:
            now = asyncio.get_running_loop().time()
            if now - self._read_at >= _SECONDS_BETWEEN_READS:
                self._page = await run_in_threadpool(self._render)
                self._read_at = asyncio.get_running_loop().time()
            return self._page

    def _is_allowed(self, request: Request) -> bool:
        return self._token is None or self._is_token(request.cookies.get(_COOKIE, ""))

    def _is_token(self, text: str) -> bool:
        return hmac.compare_digest(text.encode("utf-8", "replace"), (self._token or "").encode())


def _failed(request: Request, error: Exception) -> Response:  # noqa: ARG001  Starlette passes it
    text = error.one_line if isinstance(error, FieldPulseError) else type(error).__name__
    return PlainTextResponse(f"{for_output(text)}\n", 503, _HEADERS)


def _refused() -> Response:
    return PlainTextResponse("Open the address that `fieldpulse serve` has printed: it has the token.\n", 403, _HEADERS)
