"""What requests go through: proxies and CAs as the environment has them, no redirects, answers that end."""

from __future__ import annotations

import logging
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from typing import cast

import httpx

from fieldpulse_api.errors import ConfigError

from .auth import ThrottledAuthenticator
from .settings import ClientSettings, is_loopback

logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs every URL at INFO

_MOST_BYTES = 64 * 2**20  # the gateway sends 10 MB at most (AWS)
_AT_ONCE = 2**20
_GZIP = 31  # zlib's number for it


def make_http_client(settings: ClientSettings, sending: Callable[[], None]) -> httpx.Client:
    """Return the connections to an account, every request in a slot of the budget and with the key.

    `sending` is called before each request, also one that is sent again because it was throttled.

    Raises: BadSetting where the address, or the environment's proxy or certificates, are wrong.
    """

    def bound(answer: httpx.Response) -> None:
        answer.stream = _BoundedStream(answer, settings.timeout_seconds)

    try:
        host = httpx.URL(settings.api_url).host
    except (httpx.InvalidURL, UnicodeError):
        raise ConfigError(
            "The API's address is none.", where="setting api_url", hint="correct the host's name"
        ) from None
    try:
        return httpx.Client(
            auth=ThrottledAuthenticator(settings.api_key, settings.rate_limiter),
            timeout=settings.timeout_seconds,
            limits=httpx.Limits(max_connections=256, max_keepalive_connections=64),
            headers={"accept": "application/json", "accept-encoding": "gzip"},
            event_hooks={"request": [lambda _: sending()], "response": [bound]},
            max_redirects=sys.maxsize,  # none is followed, but httpx counts what is sent again after a 429
            # This machine is never behind a proxy: it would see the key in the clear.
            mounts={f"all://{f'[{host}]' if ':' in host else host}": None} if is_loopback(host) else None,
        )
    except (httpx.InvalidURL, ImportError, OSError, ValueError) as error:
        raise ConfigError(
            f"The network cannot be set up as the environment says ({type(error).__name__}).",
            where="environment · HTTPS_PROXY, ALL_PROXY, NO_PROXY, SSL_CERT_FILE, SSL_CERT_DIR",
            hint="correct them: a proxy is like http://proxy:3128, a file or folder of certificates is in PEM form",
        ) from None


class _BoundedStream(httpx.SyncByteStream):
    """The bytes of an answer, unpacked, where they come in good time and are not more than any page has."""

    def __init__(self, answer: httpx.Response, seconds: float) -> None:
        self._stream = cast("httpx.SyncByteStream", answer.stream)
        self._packed = answer.headers.pop("content-encoding", "identity").strip().lower()
        self._until = time.monotonic() + seconds

    def __iter__(self) -> Iterator[bytes]:
        size = 0
        for chunk in self._unpacked():
            size += len(chunk)
            if size > _MOST_BYTES:
                raise httpx.ReadError("the answer is too long")
            yield chunk
            if time.monotonic() > self._until:
                raise httpx.ReadTimeout("the answer takes too long")

    def _unpacked(self) -> Iterator[bytes]:
        """Yield the bytes by the megabyte: httpx unpacks as much at once as came, whatever becomes of it."""
        if self._packed == "identity":
            yield from self._stream
            return
        if self._packed != "gzip":
            raise httpx.DecodingError("the answer is packed as nobody asked")
        unpacking = zlib.decompressobj(wbits=_GZIP)
        try:
            for chunk in self._stream:
                while chunk and not unpacking.eof:
                    yield unpacking.decompress(chunk, _AT_ONCE)
                    chunk = unpacking.unconsumed_tail  # noqa: PLW2901  what is left of it
        except zlib.error:
            raise httpx.DecodingError("the answer is not packed as it says") from None
        if not unpacking.eof:
            raise httpx.DecodingError("the answer ends in the middle")

    def close(self) -> None:
        self._stream.close()
