"""Shared fixtures: sandboxes, clients and configurations of the plugins."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from fieldpulse_api.http.api_key import ApiKey
from fieldpulse_api.http.client import Client
from fieldpulse_api.http.retry import RetryPolicy
from fieldpulse_api.http.settings import ClientSettings
from fieldpulse_sandbox.sandbox import Sandbox
from tests.harness.postgres_server import postgres_server
from tests.harness.tap_runner import join_prefetch_threads

# No test claims a speed: a busy machine must not fail it. The same code is tried with the same values, so that CI fails
# only for what was changed; `pytest --hypothesis-profile hunt` looks for more.
settings.register_profile("calm", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
settings.register_profile("hunt", settings.get_profile("calm"), derandomize=False)
settings.load_profile("calm")


@pytest.fixture(autouse=True)
def _keep_signals() -> Iterator[None]:
    """Restore the signal handlers, which the SDK replaces whenever a plugin is made."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Start an account for one test."""
    with Sandbox(customers=30) as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def shared() -> Iterator[Sandbox]:
    """Start an account that tests only read."""
    with Sandbox(customers=130) as sandbox:
        yield sandbox


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[Client]:
    """Return a client of the test's account that retries soon."""
    account = ClientSettings(
        api_key=ApiKey(sandbox.key), api_url=sandbox.url, requests_per_second=5000, rate_limit_store="memory"
    )
    client = Client(account, retry_policy=RetryPolicy(max_attempts=3, max_seconds=5, first_wait_seconds=0.01))
    yield client
    join_prefetch_threads()
    client.close()


@pytest.fixture
def config(sandbox: Sandbox, tmp_path: Path) -> dict[str, object]:
    """Return the configuration of a plugin for the test's account."""
    return {
        "api_key": sandbox.key,
        "api_url": sandbox.url,
        "requests_per_second": 50,
        "rate_limit_store": "memory",
        "history_days": 0,
    }


@pytest.fixture
def target_config(config: dict[str, object], tmp_path: Path) -> dict[str, object]:
    """Return the configuration of the target for the test's account."""
    return config | {
        "ledger_url": f"sqlite:///{tmp_path}/ledger.db",
        "rejects_path": str(tmp_path / "rejects.singer"),
        "uncertain_create_timeout_seconds": 0.3,
    }


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """Start a PostgreSQL server for the tests and return its URL."""
    with postgres_server() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of a store, in SQLite and in PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/folder/store.db"
    return str(request.getfixturevalue("postgres"))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option of `make snap`."""
    parser.addoption("--snap", action="store_true", help="rewrite the catalog snapshots")
