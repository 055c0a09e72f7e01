"""The HTTP transport of the client: it counts requests and bounds every response.

A transport is httpx's seam for this: the authenticator and the client above it see only complete, decompressed
responses, and tests can replace the server below it.
"""

from __future__ import annotations

import logging
import ssl
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import closing
from typing import Any, cast
from urllib.request import getproxies, proxy_bypass

import httpx
from typing_extensions import override

from fieldpulse_api.errors import ConfigError, RequestLimitReached

from .settings import ClientSettings, is_loopback
from .traffic import Traffic

_LOGGER = logging.getLogger(__name__)
# httpx logs every URL with its query at INFO, and httpcore every step of a connection at DEBUG.
logging.getLogger("httpx").setLevel(logging.WARNING)
logging.getLogger("httpcore").setLevel(logging.WARNING)

_MAX_RESPONSE_BYTES = 64 * 2**20  # decompressed; the gateway itself sends 10 MB at most
_DECOMPRESSED_CHUNK_BYTES = 2**20
_GZIP_WINDOW_BITS = 31  # zlib's value for the gzip format
_BODY_FRAMING = (b"content-encoding", b"content-length", b"transfer-encoding")


class BoundedTransport(httpx.BaseTransport):
    """Count and log the requests of a transport, and read each of its responses whole, within limits.

    A request that is sent again keeps its number of attempts in `extensions["attempt"]`.

    Limits: `max_requests` in all; for one response 64 MiB after decompression, and `timeout_seconds` between its
            headers and its end, which httpx's own time-out, one for each read, does not bound.
    Raises: RequestLimitReached, before a request is sent; httpx.ReadError, ReadTimeout or DecodingError for a response
            that exceeds a limit, or is not in the encoding that it declares.
    """

    def __init__(
        self, transport: httpx.BaseTransport, *, timeout_seconds: float, max_requests: int | None = None
    ) -> None:
        self.request_count, self.traffic = 0, Traffic()
        self._transport, self._timeout_seconds, self._max_requests = transport, timeout_seconds, max_requests
        self._count_lock, self._this_thread = threading.Lock(), threading.local()

    @property
    def requests_of_this_thread(self) -> int:
        """Return how many requests the calling thread has sent."""
        return cast("int", getattr(self._this_thread, "request_count", 0))

    @override
    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request and return its response, read whole and decompressed."""
        self._count_request()
        attempt = request.extensions["attempt"] = request.extensions.get("attempt", 0) + 1
        began, outcome = time.perf_counter(), "no response"
        status, body = None, b""
        try:
            with closing(self._transport.handle_request(request)) as response:
                body = b"".join(
                    _bounded_chunks(_decompressed_chunks(response), time.monotonic() + self._timeout_seconds)
                )
            status, outcome = response.status_code, str(response.status_code)
        except httpx.HTTPError as error:
            outcome = type(error).__name__
            raise
        finally:
            seconds = time.perf_counter() - began
            self.traffic.add(status=status, seconds=seconds, received_bytes=len(body), is_repeated=attempt > 1)
            # The path without its query, which may hold an e-mail address or a phone number.
            _LOGGER.debug(
                "%s %s: %s in %.0f ms (attempt %d)", request.method, request.url.path, outcome, seconds * 1000, attempt
            )
        headers = [(name, value) for name, value in response.headers.raw if name.lower() not in _BODY_FRAMING]
        extensions = {**response.extensions, "seconds": seconds}
        return httpx.Response(response.status_code, headers=headers, content=body, extensions=extensions)

    @override
    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def _count_request(self) -> None:
        with self._count_lock:
            if self.request_count == self._max_requests:
                raise RequestLimitReached(
                    f"The request limit of {self._max_requests} is reached.",
                    where="this command",
                    hint="run the command again; the limit is per run",
                )
            self.request_count += 1
        self._this_thread.request_count = self.requests_of_this_thread + 1


def open_transport(settings: ClientSettings, max_requests: int | None = None) -> BoundedTransport:
    """Return a transport to the API, with the proxy and the certificates that the environment names.

    Raises: ConfigError if the environment's proxy or certificates are not usable.
    """
    limits = httpx.Limits(max_connections=256, max_keepalive_connections=64)
    transport = environment_transport(httpx.URL(settings.api_url), limits=limits)
    return BoundedTransport(transport, timeout_seconds=settings.timeout_seconds, max_requests=max_requests)


def environment_transport(url: httpx.URL, **options: Any) -> httpx.HTTPTransport:
    """Return httpx's transport to a URL, with the proxy and the certificates that the environment names.

    Raises: ConfigError if they are not usable.
    """
    # Loading certificates takes 30 ms. Only a server on this machine may be asked without TLS.
    verify = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if url.scheme == "http" else True
    try:
        return httpx.HTTPTransport(verify=verify, proxy=_environment_proxy(url), **options)
    except (httpx.InvalidURL, ImportError, OSError, ValueError) as error:
        raise ConfigError(
            f"The proxy or the certificates of the environment are not usable ({type(error).__name__}).",
            where="environment · HTTPS_PROXY, ALL_PROXY, NO_PROXY, SSL_CERT_FILE, SSL_CERT_DIR",
            hint="correct them: a proxy is like http://proxy:3128, certificates are files or folders in PEM form",
        ) from None


def _environment_proxy(url: httpx.URL) -> str | None:
    """Return the proxy for a URL; httpx reads the environment only where it makes its transports itself."""
    # Requests to this machine are not encrypted: a proxy would see the key.
    if is_loopback(url.host) or proxy_bypass(url.host):
        return None
    proxies = getproxies()
    proxy = proxies.get(url.scheme) or proxies.get("all")
    return f"http://{proxy}" if proxy and "://" not in proxy else proxy


def _bounded_chunks(chunks: Iterator[bytes], deadline: float) -> Iterator[bytes]:
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > _MAX_RESPONSE_BYTES:
            raise httpx.ReadError("the response is too long")
        yield chunk
        if time.monotonic() > deadline:
            raise httpx.ReadTimeout("the response takes too long")


def _decompressed_chunks(response: httpx.Response) -> Iterator[bytes]:
    """Yield the body in chunks of 1 MiB at most; httpx would decompress whatever one read brought at once."""
    encoding = response.headers.get("content-encoding", "").strip().lower()
    if encoding in ("", "identity"):
        yield from response.iter_raw()
        return
    if encoding not in ("gzip", "x-gzip"):
        raise httpx.DecodingError("the response has an encoding that was not asked for")
    decompressor = zlib.decompressobj(wbits=_GZIP_WINDOW_BITS)
    try:
        for chunk in response.iter_raw():
            compressed = chunk
            while compressed:
                if decompressor.eof:  # gzip may have several members
                    decompressor = zlib.decompressobj(wbits=_GZIP_WINDOW_BITS)
                yield decompressor.decompress(compressed, _DECOMPRESSED_CHUNK_BYTES)
                compressed = decompressor.unconsumed_tail or decompressor.unused_data
    except zlib.error:
        raise httpx.DecodingError("the response is not in the encoding that it declares") from None
    if not decompressor.eof:
        raise httpx.DecodingError("the response ends too early")
