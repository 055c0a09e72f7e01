"""The SDK's own suite for taps. It cannot fail for unique keys and the final state, which `test_streams` asserts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from singer_sdk.testing import SuiteConfig, get_tap_test_class

from fieldpulse_sandbox.sandbox import Sandbox
from tap_fieldpulse.tap import TapFieldPulse
from tests.harness.tap_runner import join_prefetch_threads

pytestmark = [
    # The suite warns of properties that no sample record has, and the sandbox has no live account's variety.
    pytest.mark.filterwarnings("ignore:Fields in transformed catalog but not in records:UserWarning"),
    pytest.mark.filterwarnings("ignore:No records were available to test:UserWarning"),  # of unexpected_fields
]

# The suite makes a tap when it is imported, before anything listens: the address is filled in by `_account`.
_CONFIG: dict[str, Any] = {
    "api_key": "sandbox-key",
    "api_url": "http://127.0.0.1:1",
    "rate_limit_store": "memory",
    "requests_per_second": 50,
    "custom_fields": "raw",  # a catalog with typed fields reads the account, and no account exists yet
}


@pytest.fixture(scope="module", autouse=True)
def _account() -> Iterator[None]:
    with Sandbox(customers=60, api_key=_CONFIG["api_key"]) as sandbox:
        _CONFIG["api_url"] = sandbox.url
        yield
        join_prefetch_threads()


TestTap = get_tap_test_class(
    TapFieldPulse,
    config=_CONFIG,
    suite_config=SuiteConfig(
        max_records_limit=40, ignore_no_records_for_streams=["change_events", "deleted_rows", "webhook_events"]
    ),
    parse_env_config=False,
)
