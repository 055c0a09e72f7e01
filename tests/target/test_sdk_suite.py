"""The complete test suite of the SDK for targets. Its streams `test_…` are unknown, and therefore discarded."""

from __future__ import annotations

import tempfile

from singer_sdk.testing import get_target_test_class

from target_fieldpulse.target import TargetFieldPulse

_FOLDER = tempfile.mkdtemp()

TestTarget = get_target_test_class(
    TargetFieldPulse,
    config={
        "api_key": "never-used",
        "api_url": "http://127.0.0.1:1",
        "rate_limit_store": "memory",
        "unknown_streams": "discard",
        "ledger_url": f"sqlite:///{_FOLDER}/ledger.db",
        "rejects_path": f"{_FOLDER}/rejects.singer",
    },
    parse_env_config=False,
)
