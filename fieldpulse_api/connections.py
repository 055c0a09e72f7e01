"""What requests go through: proxies and CAs as the environment has them, no redirects, answers that end."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from typing import cast
from urllib.parse import urlsplit

import httpx

from .auth import ThrottledAuthenticator
from .errors import BadSetting
from .settings import ApiSettings, is_loopback

logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs every URL at INFO

_MOST_BYTES = 64 * 2**20  # the gateway sends 10 MB at most (AWS)


def connections(settings: ApiSettings) -> httpx.Client:
    """Return the connections to an account, every request in a slot of the budget and with the key.

    Raises: BadSetting where the environment's proxy or certificates are wrong.
    """

    def bound(answer: httpx.Response) -> None:
        answer.stream = _Bounded(cast("httpx.SyncByteStream", answer.stream), settings.timeout_seconds)

    host = urlsplit(settings.api_url).hostname or ""
    try:
        return httpx.Client(
            auth=ThrottledAuthenticator(settings.api_key, settings.budget()),
            timeout=settings.timeout_seconds,
            limits=httpx.Limits(max_connections=256, max_keepalive_connections=64),
            headers={"accept": "application/json"},
            event_hooks={"response": [bound]},
            # This machine is never behind a proxy: it would see the key in the clear.
            mounts={f"all://{f'[{host}]' if ':' in host else host}": None} if is_loopback(host) else None,
        )
    except (httpx.InvalidURL, ImportError, OSError, ValueError) as error:
        raise BadSetting(
            f"The network cannot be set up as the environment says ({type(error).__name__}).",
            where="environment · HTTPS_PROXY, ALL_PROXY, NO_PROXY, SSL_CERT_FILE, SSL_CERT_DIR",
            do="correct them: a proxy is like http://proxy:3128, a file or folder of certificates is in PEM form",
        ) from None


class _Bounded(httpx.SyncByteStream):
    """The bytes of an answer, where they come in good time and are not more than any page has."""

    def __init__(self, stream: httpx.SyncByteStream, seconds: float) -> None:
        self._stream, self._until = stream, time.monotonic() + seconds

    def __iter__(self) -> Iterator[bytes]:
        size = 0
        for chunk in self._stream:
            size += len(chunk)
            if size > _MOST_BYTES:
                raise httpx.ReadError("the answer is too long")
            yield chunk
            if time.monotonic() > self._until:
                raise httpx.ReadTimeout("the answer takes too long")

    def close(self) -> None:
        self._stream.close()
