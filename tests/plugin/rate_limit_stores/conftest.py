"""Real stores of rate limits."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fieldpulse_api.http.limits.monthly_quota import MonthlyQuota
from fieldpulse_api.http.limits.rate_limit_file import key_hash
from fieldpulse_api.http.limits.rate_limiter import RateLimiter
from fieldpulse_api.http.limits.request_count_file import request_count_path
from fieldpulse_plugin.rate_limit_stores.opening import shared_limiter
from tests.api.http.limits.test_rate_limiter import Clock
from tests.plugin.rate_limit_stores.redis_server import RedisServer

OpenLimiter = Callable[..., RateLimiter]


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start a Redis that no test stops, and return its URL."""
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    yield server.url
    server.kill()


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[RedisServer]:
    """Start a Redis for one test."""
    server = RedisServer(tmp_path)
    yield server
    server.kill()


@pytest.fixture(params=["redis", "postgresql"])
def store_url(request: pytest.FixtureRequest) -> str:
    """Return the URL of a store, of both kinds."""
    return str(request.getfixturevalue("redis_url" if request.param == "redis" else "postgres"))


@pytest.fixture
def key() -> Iterator[str]:
    """Yield an API key that no other test has used, and remove the count of its requests."""
    key = f"key-{uuid.uuid4()}"
    yield key
    request_count_path(key_hash(key)).unlink(missing_ok=True)


def open_limiter(
    url: str,
    key: str,
    rate: float = 10,
    without_store: float | None = None,
    quota: MonthlyQuota | None = None,
) -> RateLimiter:
    """Return the rate limiter of a key."""
    return shared_limiter(url, rate, without_store, quota)(key)


def use(limiter, clock: Clock):
    """Replace the clock of a limiter, and its sleep."""
    limiter._clock, limiter._sleep = clock, clock.sleep
    return limiter
