"""Tests of requests counted in Redis and PostgreSQL: quotas that processes share, months, and stores that are lost."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

import psycopg
import pytest

from fieldpulse_api.errors import ConfigError, QuotaExceeded
from fieldpulse_api.http.limits.monthly_quota import MonthlyQuota, month_start
from fieldpulse_api.http.limits.rate_limit_file import key_hash
from fieldpulse_plugin.rate_limit_stores.opening import shared_limiter
from tests.api.http.limits.test_rate_limiter import Clock
from tests.harness.quota_spender import spend_in_three_processes
from tests.plugin.rate_limit_stores.conftest import open_limiter, use
from tests.plugin.rate_limit_stores.redis_server import RedisServer

DAY = 86400.0


def requests_of(limiter: Any) -> int | None:
    found = limiter.look_up_month()
    return found.requests if found else None


def set_since(url: str, key: str, since: float | None) -> None:
    """Change when counting began, or remove the count."""
    if url.startswith("redis"):
        name = f"fieldpulse:rate-limit:{key_hash(key)}:month"
        limiter = open_limiter(url, key)
        limiter._store._client.delete(name) if since is None else limiter._store._client.hset(name, "since", since)
        return
    with psycopg.connect(url, autocommit=True) as admin:
        if since is None:
            admin.execute("delete from fieldpulse_request_count where name = %s", [key_hash(key)])
        else:
            admin.execute("update fieldpulse_request_count set since = %s where name = %s", [since, key_hash(key)])


def test_three_processes_together_send_what_the_quota_allows(store_url: str, key: str) -> None:
    """None is sent above it, and none is left."""
    quota = MonthlyQuota(40, reserve=10)
    sent = spend_in_three_processes(partial(shared_limiter(store_url, 20, None, quota), key))
    assert sum(sent) == 30
    assert min(sent) > 0


def test_the_error_names_the_store_without_its_password(store_url: str, key: str) -> None:
    """And what was used of what."""
    limiter = open_limiter(store_url, key, quota=MonthlyQuota(1))
    limiter._reserve(0.1)
    with pytest.raises(QuotaExceeded, match="1 of 1 were counted") as caught:
        limiter._reserve(0.1)
    assert caught.value.where == f"setting monthly_quota · count in {limiter.month.place}"


def test_the_next_month_begins_at_0(store_url: str, key: str, caplog: pytest.LogCaptureFixture) -> None:
    """It was counted from its beginning, so there is no warning."""
    limiter = open_limiter(store_url, key, quota=MonthlyQuota(1))
    limiter._reserve(0.1)
    caplog.clear()
    now = limiter.month.use().at
    set_since(store_url, key, month_start(now) - 20 * DAY)
    slot = limiter._reserve(0.1).slot
    assert limiter.month.use().since == month_start(slot)
    assert requests_of(limiter) == 1
    assert not caplog.records


def test_a_lost_count_begins_at_0_and_it_is_logged(store_url: str, key: str, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever relies on the quota learns that it may end a run too late."""
    limiter = open_limiter(store_url, key, quota=MonthlyQuota(3))
    limiter._reserve(0.1)
    limiter._reserve(0.1)
    caplog.clear()
    set_since(store_url, key, None)
    limiter._reserve(0.1)
    limiter._reserve(0.1)
    assert requests_of(limiter) == 2
    (record,) = caplog.records
    assert (record.levelno, "begins at 0" in record.message) == (logging.WARNING, True)


def test_a_redis_that_saves_its_data_keeps_the_count(own_redis: RedisServer, key: str) -> None:
    """The slots begin again with the server, the count goes on."""
    limiter = open_limiter(own_redis.url, key)
    before = limiter._reserve(0.1)
    with own_redis.client() as client:
        client.save()
    own_redis.kill()
    own_redis.start()
    assert limiter._reserve(0.1).began_at > before.began_at
    assert requests_of(limiter) == 2


def test_a_crash_of_postgresql_keeps_the_count(postgres: str, key: str) -> None:
    """It empties unlogged tables only, which that of the slots is."""
    open_limiter(postgres, key)._reserve(0.1)
    with psycopg.connect(postgres) as admin:
        found = admin.execute(
            "select relname, relpersistence from pg_class where relname in "
            "('fieldpulse_rate_limit', 'fieldpulse_request_count')"
        ).fetchall()
    assert dict(found) == {"fieldpulse_rate_limit": "u", "fieldpulse_request_count": "p"}


def test_a_user_without_rights_learns_which_tables_it_needs(postgres: str, key: str) -> None:
    """An administrator may have created them."""
    open_limiter(postgres, key)._reserve(0.1)
    role = key.replace("-", "_")
    limiter = open_limiter(postgres.replace("://postgres:", f"://{role}:"), key)
    with psycopg.connect(postgres, autocommit=True) as admin:
        admin.execute(f"create role {role} login; grant all on fieldpulse_rate_limit to {role}")
        with pytest.raises(ConfigError, match="tables fieldpulse_rate_limit and fieldpulse_request_count"):
            limiter.acquire()
        admin.execute(f"grant select, insert, update on fieldpulse_request_count to {role}")
        limiter._reserve(0.1)
        limiter._store.close()
        admin.execute(f"drop owned by {role}; drop role {role}")


def test_what_is_sent_without_the_store_is_counted_when_it_returns(own_redis: RedisServer, key: str) -> None:
    """The data of the store are saved, and the process adds its own requests."""
    clock = Clock()
    limiter = use(open_limiter(own_redis.url, key, without_store=2), clock)
    limiter.acquire()
    with own_redis.client() as client:
        client.save()
    own_redis.kill()
    for _ in range(5):
        limiter.acquire()
    assert requests_of(limiter) is None
    own_redis.start()
    clock.now += 5
    limiter.acquire()
    assert requests_of(limiter) == 7


def test_without_the_store_a_process_sends_no_more_than_was_left(own_redis: RedisServer, key: str) -> None:
    """It goes on from the last count that it saw."""
    limiter = use(open_limiter(own_redis.url, key, without_store=2, quota=MonthlyQuota(4)), Clock())
    limiter.acquire()
    own_redis.kill()
    for _ in range(3):
        limiter.acquire()
    with pytest.raises(QuotaExceeded, match="4 of 4"):
        limiter.acquire()
