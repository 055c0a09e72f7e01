"""Input that ends the run: broken lines and unsupported messages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.harness.messages import record_message, singer_lines, state_message
from tests.harness.target_runner import run_target
from tests.target.shared import CUSTOMERS

Config = dict[str, Any]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{nonsense with canary@example.com\n", "not JSON"),
        ('["canary@example.com"]\n', "not a Singer message"),
        ('{"type": "RECORD", "record": {"email": "canary@example.com"}}\n', "lacks stream"),
        ('{"type": "SURPRISE", "email": "canary@example.com"}\n', "unknown type"),
        (
            '{"type": "RECORD", "stream": "customers", "record": {"email": "canary@example.com"}}\n',
            "before the SCHEMA",
        ),
        ('{"type": "SCHEMA", "stream": "customers"}\n', "lacks schema"),
        ('{"type": "SCHEMA", "stream": "customers", "schema": "canary@example.com"}\n', "not an object"),
        ('{"type": "RECORD", "stream": "customers", "record": null}\n', "not an object"),
        ('{"type": "STATE", "value": null}\n', "The value of a message is not an object"),
        ('{"type": "STATE", "value": ["canary@example.com"]}\n', "The value of a message is not an object"),
        ('{"type": "STATE", "value": "canary@example.com"}\n', "The value of a message is not an object"),
        ('{"type": "RECORD", "stream": "customers", "record": ["canary@example.com"]}\n', "not an object"),
    ],
)
def test_a_broken_line_ends_the_run_and_is_never_logged(
    target_config: Config, tmp_path: Path, text: str, message: str
) -> None:
    """Records before it are written. The log does not show the line, because it may contain personal data."""
    before = singer_lines(
        CUSTOMERS, record_message("customers", external_id="b", first_name="Before"), state_message(4)
    )
    result = run_target(target_config, (before if "nonsense" in text else "") + text, tmp_path)
    assert result.status == 1
    assert message in result.stderr
    assert "canary@example.com" not in result.stderr
    if "nonsense" in text:
        assert result.counts == {"created": 1}
        assert result.states == [{"bookmarks": 4}]


def test_a_batch_is_refused(target_config: Config, tmp_path: Path) -> None:
    """The base class of the SDK would drop its records silently."""
    batch = {"type": "BATCH", "stream": "customers", "encoding": {"format": "jsonl"}, "manifest": []}
    assert "BATCH" in run_target(target_config, singer_lines(CUSTOMERS, batch), tmp_path).stderr
