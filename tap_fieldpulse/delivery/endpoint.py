"""Where events are pushed to, and how they are signed: in the form of Standard Webhooks (standardwebhooks.com)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from fieldpulse_api.errors import ConfigError
from fieldpulse_api.http.settings import is_loopback
from fieldpulse_plugin.output import hide

_PREFIX = "whsec_"
_KEY_BYTES = range(24, 65)
_MAKE_SECRET = "python3 -c 'import base64, os; print(\"whsec_\" + base64.b64encode(os.urandom(32)).decode())'"  # noqa: S105


@dataclass(frozen=True)
class Endpoint:
    """A URL and the key that its receiver shares. Neither is ever logged: the URL of a hook is a secret too."""

    url: str = field(repr=False)
    key: bytes = field(repr=False)

    @classmethod
    def from_config(cls, url: str, config: Mapping[str, Any], *, option: str) -> Endpoint:
        """Return the endpoint of a command. Raises: ConfigError for an address or a secret that is not usable."""
        return cls(_valid_url(url, option), _key(config.get("push_secret")))

    @property
    def host(self) -> str:
        """Return the part of the URL that may be logged."""
        url = httpx.URL(self.url)
        return f"{url.scheme}://{url.netloc.decode()}"

    def headers(self, event_id: str, body: bytes, timestamp: int) -> dict[str, str]:
        """Return the headers that identify and sign a body. `timestamp` is in seconds since 1970."""
        signed = f"{event_id}.{timestamp}.".encode() + body
        signature = base64.b64encode(hmac.new(self.key, signed, hashlib.sha256).digest()).decode()
        return {
            "webhook-id": event_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": f"v1,{signature}",
        }


def _valid_url(url: str, option: str) -> str:
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, UnicodeError):
        parsed = httpx.URL("")
    is_encrypted = parsed.scheme == "https" or (parsed.scheme == "http" and is_loopback(parsed.host))
    if is_encrypted and parsed.host and not parsed.userinfo and not parsed.fragment and url.isprintable():
        return url
    raise ConfigError(
        "The address of the receiver must be an https:// URL without credentials and fragment.",
        where=f"option {option}",
        hint="correct the URL; http:// is allowed for localhost only",
    )


def _key(secret: object) -> bytes:
    try:
        key = base64.b64decode(str(secret or "").removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if not isinstance(secret, str) or not secret.startswith(_PREFIX) or len(key) not in _KEY_BYTES:
        raise ConfigError(
            "There is no push_secret, or it is not `whsec_` and 24 to 64 bytes in base64.",
            where="setting push_secret · TAP_FIELDPULSE_PUSH_SECRET",
            hint=f"make a secret, and give it to the receiver too: {_MAKE_SECRET}",
        )
    hide(secret)
    return key
