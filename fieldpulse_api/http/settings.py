"""The settings that both plugins share: declared once, read once, wrong ones refused with what to do."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timezone, tzinfo
from typing import Any, Literal, cast
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from fieldpulse_api.account_profile import AccountProfile
from fieldpulse_api.errors import ConfigError

from .api_key import ApiKey
from .rate_limiter import ProcessRateLimiter, RateLimiter, SharedFileRateLimiter, rate_limit_path

API_URL = "https://ywe3crmpll.execute-api.us-east-2.amazonaws.com/stage"

SHARED_SETTINGS: dict[str, dict[str, Any]] = {
    "api_key": {
        "type": "string",
        "secret": True,
        "minLength": 1,
        "title": "API key",
        "description": "The key that FieldPulse's support issues, sent as `x-api-key`. It is never logged.",
    },
    "api_key_file": {
        "type": "string",
        "minLength": 1,
        "title": "API key file",
        "description": "Instead of `api_key`: a file that holds the key and nothing else. It is read again when "
        "FieldPulse refuses the key, so that the key can be replaced while a run goes on.",
    },
    "api_url": {
        "type": "string",
        "default": API_URL,
        "title": "API address",
        "description": "Where the API is. Must be https, unless it is this machine (the sandbox).",
    },
    "profile_path": {
        "type": "string",
        "title": "Profile",
        "description": "A file that `fieldpulse doctor --profile` wrote: what it found not to work on this account is "
        "not tried in every run.",
    },
    "requests_per_second": {
        "type": "number",
        "exclusiveMinimum": 0,
        "maximum": 50,
        "default": 45,
        "title": "Requests per second",
        "description": "How many requests may start in any second, by everything that shares the budget. "
        "FieldPulse refuses more than 50 per key.",
    },
    "rate_limit_store": {
        "type": "string",
        "enum": ["file", "memory"],
        "default": "file",
        "title": "Budget store",
        "description": "`file`: all processes of this user and machine with this key share one budget. "
        "`memory`: this process alone.",
    },
    "timeout_seconds": {
        "type": "number",
        "exclusiveMinimum": 0,
        "maximum": 3600,
        "default": 60,
        "title": "Timeout",
        "description": "How long to wait for an answer, in seconds. FieldPulse's gateway gives up at about 29.",
    },
    "timezone": {
        "type": "string",
        "default": "UTC",
        "title": "Time zone",
        "description": "The zone of timestamps that come without one, as an IANA name. They are UTC on every "
        "account seen so far.",
    },
}


@dataclass(frozen=True)
class ClientSettings:
    """The shared settings, checked."""

    api_key: ApiKey
    api_url: str = API_URL
    requests_per_second: float = 45
    rate_limit_store: Literal["file", "memory"] = "file"
    timeout_seconds: float = 60
    zone: tzinfo = timezone.utc
    profile: AccountProfile = field(default_factory=AccountProfile)

    def __repr__(self) -> str:
        return f"ApiSettings(api_url={self.api_url!r})"  # never the key

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> ClientSettings:
        """Return the shared settings of a plugin's configuration.

        Raises: BadSetting.
        """
        given = {name: config.get(name, one.get("default")) for name, one in SHARED_SETTINGS.items()}
        return cls(
            api_key=ApiKey.from_config(config),
            api_url=_checked_url(str(given["api_url"])),
            requests_per_second=float(given["requests_per_second"]),
            rate_limit_store=cast("Literal['file', 'memory']", given["rate_limit_store"]),
            timeout_seconds=float(given["timeout_seconds"]),
            zone=zone_of(config),
            profile=profile_of(config),
        )

    def rate_limiter(self) -> RateLimiter:
        """Return the budget that these settings share."""
        if self.rate_limit_store == "memory":
            return ProcessRateLimiter(self.requests_per_second)
        return SharedFileRateLimiter(self.requests_per_second, rate_limit_path(self.api_url, self.api_key.value))


def _checked_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        host = ""
    is_plain = url.isprintable() and not set(url) & set(" ?#@")  # a password would be shown, what follows ? be lost
    if (
        all(host.split("."))
        and is_plain
        and (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host)))
    ):
        return url.rstrip("/")
    raise ConfigError(
        "The API's address would send the key in the clear, or is no plain address.",
        where="setting api_url",
        hint="give an https:// address without user, `?` or `#`; http:// is taken for this machine only",
    )


def is_loopback(host: str) -> bool:
    """Say whether an address is this machine's own."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def profile_of(config: Mapping[str, Any]) -> AccountProfile:
    """Return what is known of the account; it needs no other setting, so discovery can ask. Raises: BadSetting."""
    path = config.get("profile_path")
    return AccountProfile.read(str(path)) if path else AccountProfile()


def zone_of(config: Mapping[str, Any]) -> tzinfo:
    """Return the zone of times that come without one; it needs no other setting, so discovery can ask.

    Raises: BadSetting.
    """
    name = str(config.get("timezone", "UTC"))
    if name.upper() == "UTC":
        return timezone.utc
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        raise ConfigError(
            f"There is no time zone {name!r}.",
            where="setting timezone",
            hint="give an IANA name such as UTC or America/Chicago",
        ) from None
