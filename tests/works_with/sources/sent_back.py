"""What our own tap emits, sent back: nothing may be written."""

from __future__ import annotations

from fieldpulse_api.resources.catalogue import WRITABLE
from fieldpulse_sandbox.sandbox import Sandbox
from tests.harness.tap_runner import run_tap as run_own_tap

from .account import CUSTOMERS
from .source import Office, Source

STREAMS = [resource.name for resource in WRITABLE.values() if not resource.write_spec.target_resource]


def _emit(_: Office) -> str:
    with Sandbox(customers=CUSTOMERS) as sandbox:  # every account of this size has the same rows
        config = {"api_key": sandbox.key, "api_url": sandbox.url, "rate_limit_store": "memory"}
        return run_own_tap(config, *STREAMS).stdout


OWN = Source(
    name="tap-fieldpulse",
    about="what the tap emits of the account, sent back",
    packages=(),
    emit=_emit,
    block="",
    rows={},
)
