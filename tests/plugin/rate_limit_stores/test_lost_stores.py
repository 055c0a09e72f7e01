"""Tests of stores of rate limits that are killed, stopped, emptied, or refuse the user."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner

from fieldpulse_api.errors import ConfigError, ConnectionFailed
from fieldpulse_api.http.limits.rate_limit_file import key_hash
from fieldpulse_cli.doctor.command import doctor
from fieldpulse_plugin.output import without_secrets
from fieldpulse_plugin.settings import client_settings
from fieldpulse_sandbox.sandbox import Sandbox
from tests.api.http.limits.test_rate_limiter import Clock
from tests.plugin.rate_limit_stores.conftest import open_limiter, use
from tests.plugin.rate_limit_stores.redis_server import RedisServer


class SkippingClock(Clock):
    """A clock of which each short sleep takes 20 seconds, so that a wait soon reaches its limit."""

    def sleep(self, seconds: float) -> None:
        self.now += max(20, seconds)


def test_a_killed_redis_that_comes_back_begins_again(
    own_redis: RedisServer, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The wait has a line. Reservations of before do not count, though the data of a moment ago are loaded again."""
    limiter = open_limiter(own_redis.url, key)
    limiter._reserve(0.1)
    with own_redis.client() as client:
        client.save()
    before = limiter._reserve(0.1)
    own_redis.kill()
    timer = threading.Timer(0.3, own_redis.start)
    timer.start()
    after = limiter._reserve(0.1)
    timer.join()
    assert [record.message for record in caplog.records] == [
        "Waiting for the rate limit store (no connection to it): connecting again."
    ]
    assert after.began_at > before.began_at
    assert after.slot - after.began_at == pytest.approx(1.0, abs=1e-6)


def test_a_stopped_redis_ends_the_run(own_redis: RedisServer, key: str) -> None:
    """Each wait is bounded. The error names the setting that goes on without it, and others fail at once."""
    limiter = use(open_limiter(own_redis.url, key), SkippingClock())
    limiter._reserve(0.1)
    own_redis.stop()
    began_at = time.monotonic()
    with pytest.raises(ConnectionFailed, match="lost") as caught:
        limiter.acquire()
    assert 5 < time.monotonic() - began_at < 40
    assert "requests_per_second_without_store" in caught.value.hint
    with pytest.raises(ConnectionFailed, match="it does not answer"):
        limiter.acquire()
    assert caught.value.exit_status == 1


def test_a_static_share_bridges_a_lost_store(
    own_redis: RedisServer, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The process goes on at its own rate, says so once, and returns to the store."""
    clock = Clock()
    limiter = use(open_limiter(own_redis.url, key, without_store=2), clock)
    limiter.acquire()
    own_redis.kill()
    starts = [(limiter.acquire(), clock.now)[1] for _ in range(5)]
    assert [round(after - starts[0], 3) for after in starts] == [0, 0.5, 1, 1.5, 2]
    limiter.pause(30)
    limiter.acquire()
    assert clock.now == pytest.approx(starts[-1] + 30)
    own_redis.start()
    clock.now += 5
    limiter.acquire()
    limiter.acquire()
    assert [record.message.split(":")[0] for record in caplog.records] == [
        "Waiting for the rate limit store (no connection to it)",
        "The rate limit store is lost (no connection to it)",
        "The rate limit store answers again",
    ]


def test_a_stopped_redis_is_tried_by_one_thread_at_a_time(own_redis: RedisServer, key: str) -> None:
    """The others go on with the share meanwhile, and do not wait for its time-outs."""
    clock = Clock()
    limiter = use(open_limiter(own_redis.url, key, without_store=10), clock)
    own_redis.stop()
    limiter.acquire()
    clock.now += 5
    probe = threading.Thread(target=limiter.acquire)
    probe.start()
    try:
        for _ in range(50):
            limiter.acquire()
        assert probe.is_alive()
    finally:
        own_redis.resume()
        probe.join()
    assert limiter._share is None


def test_an_emptied_store_begins_again(own_redis: RedisServer, key: str) -> None:
    """FLUSHALL, or an eviction: whoever sleeps until a slot looks again, and reserves another."""
    limiter = open_limiter(own_redis.url, key)
    before = limiter._reserve(0.1)
    with own_redis.client() as client:
        client.flushall()
    assert limiter._reserve(0.1).began_at > before.began_at


def test_a_dropped_table_and_a_killed_session_are_made_again(postgres: str, key: str) -> None:
    """The limiter connects again, and creates the table."""
    limiter = open_limiter(postgres, key)
    before = limiter._reserve(0.1)
    with psycopg.connect(postgres, autocommit=True) as admin:
        admin.execute("drop table fieldpulse_rate_limit")
        assert limiter._reserve(0.1).began_at > before.began_at
        admin.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where query like '%fieldpulse_rate_limit%' and pid <> pg_backend_pid()"
        )
        began_at = limiter._reserve(0.1).began_at
        assert limiter._reserve(0.1).began_at == began_at


def test_a_session_that_does_not_answer_is_replaced(postgres: str, key: str, caplog: pytest.LogCaptureFixture) -> None:
    """A server that is stopped ends no wait itself. What it got may still be carried out: then a slot is not used."""
    limiter = open_limiter(postgres, key)
    began_at = limiter._reserve(0.1).began_at
    session = limiter._store._connection.info.backend_pid
    os.kill(session, signal.SIGSTOP)
    try:
        assert limiter._reserve(0.1).began_at == began_at
    finally:
        os.kill(session, signal.SIGCONT)
    assert [record.message for record in caplog.records] == [
        "Waiting for the rate limit store (it does not answer): connecting again."
    ]


_STOP = """
import os, signal, sys
from fieldpulse_plugin.rate_limit_stores import postgresql_store
store = postgresql_store.PostgresqlStore(sys.argv[1], sys.argv[2], "")
store._connection = store._connect()
store._read(postgresql_store._LOCK + postgresql_store._READ)
os.kill(os.getpid(), signal.SIGSTOP)
"""


def test_a_process_that_is_stopped_with_the_lock_does_not_stop_others(postgres: str, key: str) -> None:
    """The server ends its transaction after two seconds."""
    limiter = open_limiter(postgres, key)
    began_at = limiter._reserve(0.1).began_at
    with subprocess.Popen([sys.executable, "-c", _STOP, postgres, key_hash(key)]) as process:
        try:
            os.waitpid(process.pid, os.WUNTRACED)
            assert limiter._reserve(0.1).began_at == began_at
        finally:
            process.kill()


def test_a_wrong_password_is_an_error_of_the_settings(tmp_path: Path, key: str) -> None:
    """It is not tried again, and no password is shown."""
    server = RedisServer(tmp_path, password="the-right-password")
    try:
        open_limiter(server.url, key)._reserve(0.1)
        with pytest.raises(ConfigError, match="refuses the user, the password") as caught:
            open_limiter(server.url.replace("right", "wrong"), key).acquire()
        assert "password" not in caught.value.where
        assert "***@127.0.0.1" in caught.value.where
        assert without_secrets("the-wrong-password") == "[…]"
    finally:
        server.kill()


def test_a_full_redis_is_a_lost_store(own_redis: RedisServer, key: str, caplog: pytest.LogCaptureFixture) -> None:
    """It answers, but takes no writes until somebody makes room. The share bridges that too."""
    with own_redis.client() as client:
        client.config_set("maxmemory", 1)
    use(open_limiter(own_redis.url, key, without_store=10), Clock()).acquire()
    assert "The rate limit store is lost (it answers OOM)" in caplog.text


@pytest.mark.parametrize(("commands", "is_enough"), [("+info +hmget +hset +expire", True), ("+hset +expire", False)])
def test_the_rights_that_the_docs_name_are_enough(
    own_redis: RedisServer, key: str, commands: str, is_enough: bool
) -> None:
    """A user of Redis may have these commands and no others."""
    rights = f"on >the-password ~fieldpulse:* -@all +evalsha +script|load +time {commands}"
    with own_redis.client() as client:
        client.execute_command(f"ACL SETUSER limited {rights}")
    limiter = open_limiter(own_redis.url.replace("redis://", "redis://limited:the-password@"), key)
    if is_enough:
        assert limiter._reserve(0.1).seconds == pytest.approx(1.0, abs=1e-6)
    else:
        with pytest.raises(ConfigError, match="refuses the user, the password or a command"):
            limiter.acquire()


def test_a_role_that_does_not_exist_is_an_error_of_the_settings(postgres: str, key: str) -> None:
    """PostgreSQL names it in an error without a code."""
    with pytest.raises(ConfigError, match="the user or the database does not exist"):
        open_limiter(postgres.replace("://postgres:", "://nobody:"), key).acquire()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("reddis", "allowed: file, memory, redis://…"),
        ("mysql://user:the-password@host/db", "allowed: file, memory, redis://…"),
        ("redis://host:port/0", "allowed: file, memory, redis://…"),
        ("redis://host/0?socket_timeout=soon", "The URL is not valid"),
    ],
)
def test_a_wrong_url_is_an_error_of_the_settings(url: str, message: str) -> None:
    """The error lists what is allowed, and does not repeat the URL."""
    with pytest.raises(ConfigError) as caught:
        client_settings({"api_key": "key", "rate_limit_store": url}).rate_limiter()
    assert message in caught.value.what
    assert "the-password" not in str(caught.value)


@pytest.mark.parametrize(("url", "extra"), [("redis://h/0", "redis"), ("postgresql://h/db", "postgres")])
def test_a_missing_extra_is_named(url: str, extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither driver is installed by default."""
    monkeypatch.setitem(sys.modules, "redis" if extra == "redis" else "psycopg", None)
    with pytest.raises(ConfigError, match=f"needs the extra `{extra}`"):
        client_settings({"api_key": "key", "rate_limit_store": url}).rate_limiter()


@pytest.mark.parametrize("password", ["the-right-password", "the-wrong-password"])
def test_doctor_says_which_store_and_for_whom(
    tmp_path: Path, shared: Sandbox, monkeypatch: pytest.MonkeyPatch, password: str
) -> None:
    """A store that refuses the user is a failure. The password is not shown."""
    server = RedisServer(tmp_path, password="the-right-password")
    values = {"KEY": shared.key, "URL": shared.url}
    for name, value in values.items():
        monkeypatch.setenv(f"TAP_FIELDPULSE_API_{name}", value)
    monkeypatch.setenv("TAP_FIELDPULSE_RATE_LIMIT_STORE", server.url.replace("the-right-password", password))
    monkeypatch.chdir(tmp_path)
    try:
        result = CliRunner().invoke(doctor, [])
    finally:
        server.kill()
    line = next(line for line in result.stdout.splitlines() if "rate limit " in line)
    assert "-password" not in result.output
    if "wrong" in password:
        assert line.startswith("FAIL")
        assert "refuses the user, the password" in line
    else:
        assert line.startswith("ok")
        assert "45 requests/s for all machines that use redis://:***@127.0.0.1" in line
