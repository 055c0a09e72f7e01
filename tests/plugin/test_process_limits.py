"""A process that gets no more threads or memory from its machine ends with an error that says so."""

from __future__ import annotations

import os
import shlex
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fieldpulse_sandbox.sandbox import Sandbox
from tests.harness.messages import record_message, schema_message, singer_lines, state_message
from tests.harness.processes import plugin_command, run_process

# Limits do not hold for root: the process takes another user's id, and keeps the right to read files.
_AS_USER = ["setpriv", "--reuid=54321", "--clear-groups", "--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
_TAG = record_message("tags", external_id="limit", title="Warranty", type="job")
_INPUT = singer_lines(schema_message("tags", *_TAG["record"]), _TAG, state_message(1))


@pytest.fixture
def folder() -> Iterator[Path]:
    """Return a folder in which that user may write: pytest's own is closed to it."""
    with tempfile.TemporaryDirectory(prefix="fieldpulse-limits-") as name:
        Path(name).chmod(0o777)
        yield Path(name)


@pytest.mark.skipif(os.geteuid() == 0 and not shutil.which("setpriv"), reason="root has no limits, setpriv is missing")
@pytest.mark.parametrize("module", ["tap_fieldpulse", "target_fieldpulse"])
def test_a_process_without_threads_says_so(sandbox: Sandbox, folder: Path, module: str) -> None:
    """In three parts, and the target does not emit the STATE of a record that it did not write."""
    config: dict[str, Any] = {"api_key": sandbox.key, "api_url": sandbox.url, "rate_limit_store": "memory"}
    if module == "target_fieldpulse":
        config |= {"ledger_url": f"sqlite:///{folder}/ledger.db", "rejects_path": f"{folder}/rejects.singer"}
    limited = ["bash", "-c", f"ulimit -u 1; exec {shlex.join(plugin_command(module, config, folder))}"]
    ended = run_process([*_AS_USER, *limited] if os.geteuid() == 0 else limited, _INPUT)
    assert ended.returncode == 1, ended.stderr
    assert "The process has no threads left.\n  where: limits of this process\n  do: " in ended.stderr
    assert "Traceback" not in ended.stderr
    assert '{"bookmarks":1}' not in ended.stdout
