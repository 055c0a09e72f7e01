"""The setting `rate_limit_store`: which store a URL names."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from fieldpulse_api.errors import ConfigError, allowed_and_similar
from fieldpulse_api.http.limits.monthly_quota import MonthlyQuota
from fieldpulse_api.http.limits.rate_limit_file import key_hash
from fieldpulse_api.http.limits.rate_limiter import RateLimiter
from fieldpulse_plugin.output import hide

from .limiter import SharedStoreRateLimiter
from .postgresql_store import PostgresqlStore
from .redis_store import RedisStore

_WHERE = "setting rate_limit_store"
_STORES: dict[str, tuple[str, Callable[[str, str, str], RedisStore | PostgresqlStore]]] = {
    "redis": ("redis", RedisStore),
    "rediss": ("redis", RedisStore),
    "postgresql": ("postgres", PostgresqlStore),
    "postgres": ("postgres", PostgresqlStore),
    "postgresql+psycopg": ("postgres", PostgresqlStore),
}
"""By the scheme of the URL: the extra that it needs, and the store."""
_ALLOWED = ("file", "memory", "redis://…", "rediss://…", "postgresql://…")


def shared_limiter(
    url: str, requests_per_second: float, without_store: float | None, quota: MonthlyQuota | None = None
) -> Callable[[str], RateLimiter]:
    """Return a function that opens the rate limiter of an API key. The URL's passwords are hidden from now on.

    Raises: ConfigError, also when the limiter is opened.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        parsed = None
    if parsed is None or parsed.drivername not in _STORES:
        what = f"Unknown rate limit store; {allowed_and_similar(url, _ALLOWED)}."
        raise ConfigError(what, where=_WHERE, hint="correct the setting") from None
    for name, value in (("password", parsed.password), *parsed.query.items()):
        if "password" in name:
            hide(str(value))
    return partial(_open, parsed, requests_per_second, without_store, quota)


def _open(
    url: URL, requests_per_second: float, without_store: float | None, quota: MonthlyQuota | None, api_key: str
) -> RateLimiter:
    extra, store_type = _STORES[url.drivername]
    address = url.set(query={}).render_as_string(hide_password=True)
    plain = url.set(drivername="postgresql") if extra == "postgres" else url
    try:
        store = store_type(plain.render_as_string(hide_password=False), key_hash(api_key), address)
    except ImportError:
        raise ConfigError(
            f"The rate limit store needs the extra `{extra}`.",
            where=f"{_WHERE} · {address}",
            hint=f"install singer-fieldpulse[{extra}]",
        ) from None
    except ValueError:
        raise ConfigError("The URL is not valid.", where=_WHERE, hint="correct the setting") from None
    return SharedStoreRateLimiter(requests_per_second, store, address=address, without_store=without_store, quota=quota)
