"""A source sent into a new account: twice, and again after the target was killed in the middle."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fieldpulse_sandbox.sandbox import Sandbox
from fieldpulse_sandbox.server.recorded_request import RecordedRequest
from tests.harness.processes import plugin_command, run_process

from .account import CUSTOMERS, Account, Comparison, compare
from .source import Source

Run = Callable[[Mapping[str, Any], str, Path], object]
"""Runs the target with a configuration, messages and a folder."""


@dataclass
class Trial:
    """What became of a source's records: the numbers of writes of a first and a second run, and the comparison."""

    writes: int
    repeated_writes: int
    comparison: Comparison


def send_twice(source: Source, messages: str, folder: Path, run: Run) -> Trial:
    """Send the messages, compare the account, and send them again."""
    with _account(source, folder) as (sandbox, config, before):
        run(config, messages, folder)
        comparison, writes = compare(source, before, Account(sandbox)), _writes(sandbox)
        comparison.differences += _rejections(source, folder)
        since = len(sandbox.requests)
        run(config, messages, folder)
        repeated = _writes(sandbox, since)
        comparison.differences += [f"sent again: {each.method} {each.path}" for each in repeated]
        if not source.rows:
            comparison.differences += [f"sent: {each.method} {each.path}" for each in writes]
        return Trial(len(writes), len(repeated), comparison)


def send_interrupted(source: Source, messages: str, folder: Path, writes: int) -> Comparison:
    """Kill the target in the middle of its `writes`, while the server carries out a write; send the messages again.

    The row of a write in flight may exist or not. Creates that stay uncertain are settled, and sent a third time.
    """
    with _account(source, folder) as (sandbox, config, before):
        process = subprocess.Popen(
            plugin_command("target_fieldpulse", config, folder),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
        )

        def kill(_: RecordedRequest) -> None:
            if len(_writes(sandbox)) == max(1, writes // 2):
                process.kill()

        sandbox.on_request = kill
        try:
            process.communicate(messages, timeout=120)
        except BrokenPipeError:
            process.wait(timeout=60)
        sandbox.on_request = None
        assert process.returncode < 0, "the target was not killed"
        run_target_process(config, messages, folder)
        if _settle_missing_creates(config):
            run_target_process(config, messages, folder)
        return compare(source, before, Account(sandbox))


def _settle_missing_creates(config: Mapping[str, Any]) -> int:
    """Tell the ledger that uncertain creates did not happen, as someone would who looked; return their number.

    The target never sends the create of a payment or invoice again that it cannot find: it stays uncertain, and the run
    ends with status 1. If it had happened after all, the next run would double the row.
    """
    command = [sys.executable, "-m", "fieldpulse_cli", "ledger", "--ledger-url", config["ledger_url"]]
    entries = [json.loads(line) for line in run_process([*command, "export"]).stdout.splitlines()]
    pending = [(entry["stream"], entry["external_id"]) for entry in entries if entry["status"] == "pending"]
    for stream, key in pending:
        settled = run_process([*command, "settle", "--stream", stream, "--key", key, "--not-created"])
        assert settled.returncode == 0, settled.stderr
    return len(pending)


def run_target_process(config: Mapping[str, Any], messages: str, folder: Path) -> None:
    """Run the target as a process of its own, and require that it ends without a traceback."""
    ended = run_process(plugin_command("target_fieldpulse", config, folder), messages)
    assert ended.returncode in (0, 1), ended.stderr
    assert "Traceback" not in ended.stderr, ended.stderr


@contextmanager
def _account(source: Source, folder: Path) -> Iterator[tuple[Sandbox, dict[str, Any], Account]]:
    folder.mkdir(parents=True, exist_ok=True)
    with Sandbox(customers=CUSTOMERS) as sandbox:
        config = {
            "api_key": sandbox.key,
            "api_url": sandbox.url,
            "rate_limit_store": "memory",
            "ledger_url": f"sqlite:///{folder}/ledger.db",
            "rejects_path": str(folder / "rejects.singer"),
            "uncertain_create_timeout_seconds": 2,
            **source.settings,
        }
        yield sandbox, config, Account(sandbox)


def _writes(sandbox: Sandbox, since: int = 0) -> list[RecordedRequest]:
    return [request for request in sandbox.requests[since:] if request.method != "GET"]


def _rejections(source: Source, folder: Path) -> Iterator[str]:
    """Yield rejections that the source does not expect, and those that are missing or have another reason."""
    path = folder / "rejects.singer"
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []
    reasons = {str(line["record"].get("external_id")): line["rejected"] for line in lines if "rejected" in line}
    for key in sorted(reasons.keys() | source.rejected.keys()):
        if key not in reasons:
            yield f"not rejected: {key}"
        elif key not in source.rejected:
            yield f"rejected: {key}: {reasons[key]}"
        elif source.rejected[key] not in reasons[key]:
            yield f"rejected for another reason: {key}: {reasons[key]}"
