"""The test suite of the SDK for targets. Its streams `test_…` are unknown, and therefore discarded.

Two of its tests want an exception where this target judges records, and not schemas: for a schema without properties,
and for a record without a property of `key_properties`.
"""

from __future__ import annotations

import tempfile

from singer_sdk.testing import get_target_test_class
from singer_sdk.testing.suites import SingerTestSuite, target_tests
from singer_sdk.testing.target_tests import TargetInvalidSchemaTest, TargetRecordMissingKeyProperty

from target_fieldpulse.target import TargetFieldPulse

_FOLDER = tempfile.mkdtemp()
_JUDGE_SCHEMAS = (TargetInvalidSchemaTest, TargetRecordMissingKeyProperty)

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
    include_target_tests=False,
    custom_suites=[SingerTestSuite("target", [each for each in target_tests.tests if each not in _JUDGE_SCHEMAS])],
)
