"""Settings of the API client: which account to talk to, and how fast."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timezone, tzinfo
from typing import Literal

import httpx
from typing_extensions import override

from fieldpulse_api.account_profile import AccountProfile
from fieldpulse_api.errors import ConfigError

from .api_key import ApiKey
from .limits.monthly_quota import MonthlyQuota
from .limits.rate_limit_file import SharedFileRateLimiter, key_hash, rate_limit_path
from .limits.rate_limiter import ProcessRateLimiter, RateLimiter
from .limits.request_count_file import request_count_path

API_URL = "https://ywe3crmpll.execute-api.us-east-2.amazonaws.com/stage"
_MAX_LABEL_BYTES, _MAX_HOST_BYTES = 63, 253  # RFC 1035


@dataclass(frozen=True)
class ClientSettings:
    """Settings of one client. `zone` is the time zone of API timestamps that carry none.

    `open_rate_limiter` returns the rate limiter of an API key. With it, `rate_limit_store` does not count.

    Raises: ConfigError if `api_url` could send the key unencrypted or is not a valid URL, or if nothing would count the
            requests of a `monthly_quota`.
    """

    api_key: ApiKey
    api_url: str = API_URL
    requests_per_second: float = 45
    rate_limit_store: Literal["file", "memory"] = "file"
    open_rate_limiter: Callable[[str], RateLimiter] | None = None
    monthly_quota: MonthlyQuota | None = None
    timeout_seconds: float = 60
    zone: tzinfo = timezone.utc
    profile: AccountProfile = field(default_factory=AccountProfile)

    def __post_init__(self) -> None:
        object.__setattr__(self, "api_url", _valid_url(self.api_url))
        if self.monthly_quota and self.rate_limit_store == "memory" and not self.open_rate_limiter:
            raise ConfigError(
                "A monthly quota needs a store that counts the requests of all runs.",
                where="settings monthly_quota and rate_limit_store",
                hint="set rate_limit_store: file, or the URL of a store; `memory` forgets the count with the process",
            )

    @override
    def __repr__(self) -> str:
        return f"ClientSettings(api_url={self.api_url!r})"  # never the key

    def rate_limiter(self) -> RateLimiter:
        """Return a rate limiter for the current API key."""
        if self.open_rate_limiter:
            return self.open_rate_limiter(self.api_key.value)
        if self.rate_limit_store == "memory":
            return ProcessRateLimiter(self.requests_per_second)
        return SharedFileRateLimiter(
            self.requests_per_second,
            rate_limit_path(self.api_key.value),
            counts=request_count_path(key_hash(self.api_key.value)),
            quota=self.monthly_quota,
        )


def is_loopback(host: str) -> bool:
    """Return whether a host name or IP address is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _valid_url(url: str) -> str:
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, UnicodeError):
        parsed = httpx.URL("")
    # The URL appears in logs, so it must hold no password; a query or fragment would swallow the path.
    has_only_path = url.isprintable() and not set(url) & set(" ?#@")
    is_encrypted = parsed.scheme == "https" or (parsed.scheme == "http" and is_loopback(parsed.host))
    labels = parsed.raw_host.split(b".")  # of a domain in its ASCII form, as it is looked up
    is_host = all(0 < len(label) <= _MAX_LABEL_BYTES for label in labels) and len(parsed.raw_host) <= _MAX_HOST_BYTES
    if is_host and has_only_path and is_encrypted:
        return url.rstrip("/")
    raise ConfigError(
        "`api_url` must be an https:// URL without credentials, query or fragment.",
        where="setting api_url",
        hint="correct the URL; http:// is allowed for localhost only",
    )
