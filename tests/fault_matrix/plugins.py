"""The plugins in this process, with a client that never really sleeps."""

from __future__ import annotations

import io
import json
import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import fields
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from singer_sdk.plugin_base import _ConfigInput
from typing_extensions import override

from fieldpulse_api.http.client import Client
from fieldpulse_api.http.limits.rate_limiter import ProcessRateLimiter, RateLimiter
from fieldpulse_api.http.retry import RetryPolicy
from fieldpulse_api.http.settings import ClientSettings
from fieldpulse_plugin.settings import client_settings
from tap_fieldpulse.sync.context import SyncContext
from tap_fieldpulse.tap import TapFieldPulse
from target_fieldpulse.run.run import TargetRun
from target_fieldpulse.target import TargetFieldPulse
from tests.harness.results import RunResult
from tests.harness.tap_runner import join_prefetch_threads, select_streams

Config = Mapping[str, Any]
Message = dict[str, Any]

_SHORT_RETRIES = RetryPolicy(max_attempts=5, max_seconds=60, first_wait_seconds=0.001)
_UNLIMITED = 100_000.0  # requests per second


class UnsleepingSettings(ClientSettings):
    """Settings whose rate limiter sleeps on a fake clock: throttled requests keep their order and cost no time."""

    @override
    def rate_limiter(self) -> RateLimiter:
        """Return a rate limiter that never really sleeps."""
        jumped = [0.0]

        def sleep(seconds: float) -> None:
            jumped[0] += seconds

        return ProcessRateLimiter(_UNLIMITED, clock=lambda: time.monotonic() + jumped[0], sleep=sleep)


def fast_client(config: Config) -> Client:
    """Return a client that retries as the real one does, but sooner."""
    settings = client_settings(config)
    timeless = UnsleepingSettings(**{field.name: getattr(settings, field.name) for field in fields(settings)})
    return Client(timeless, retry_policy=_SHORT_RETRIES)


class QuickTap(TapFieldPulse):
    """The tap with that client."""

    @cached_property
    def context(self) -> SyncContext:
        """Return the shared objects of the run."""
        context: SyncContext = super().context
        context.client = fast_client(self.config)
        return context


class QuickTarget(TargetFieldPulse):
    """The target with that client."""

    @cached_property
    def run(self) -> TargetRun:
        """Return the run."""
        emit, streams = self._write_state_message, self.input_streams
        return TargetRun(self.settings, emit, streams, client_factory=lambda _: fast_client(self.config))


class _Listener(logging.Handler):
    """Collect log lines. The error that ended a run also goes to its stderr, with the place that it names."""

    def __init__(self, lines: list[str], stderr: io.StringIO) -> None:
        super().__init__(logging.INFO)
        self._lines, self._stderr = lines, stderr

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(record.getMessage())
        if record.levelno >= logging.ERROR:
            self._stderr.write(f"{record.getMessage()}\n  where: {getattr(record, 'where', '')}\n")


@contextmanager
def _captured() -> Iterator[tuple[list[str], io.StringIO]]:
    """Capture log lines and stderr, and keep both from the terminal."""
    lines: list[str] = []
    root = logging.getLogger()
    before, level = root.handlers, root.level
    stderr = io.StringIO()
    root.handlers = [_Listener(lines, stderr)]
    root.setLevel(logging.INFO)
    try:
        with redirect_stderr(stderr):
            yield lines, stderr
    finally:
        root.handlers = before
        root.setLevel(level)


@cache
def _catalog_entries() -> dict[str, Message]:
    catalog = select_streams(TapFieldPulse(config={}, validate_config=False), [])
    return {entry["tap_stream_id"]: entry for entry in catalog["streams"]}


def catalog_of(*streams: str) -> Message:
    """Return a catalog of these streams only: the SDK's set-up costs time per stream."""
    catalog = {"streams": [json.loads(json.dumps(_catalog_entries()[name])) for name in streams]}
    for entry in catalog["streams"]:
        next(metadata for metadata in entry["metadata"] if not metadata["breadcrumb"])["metadata"]["selected"] = True
    return catalog


def run_tap(config: Config, *streams: str, state: Message | None = None) -> RunResult:
    """Run the tap on these streams."""
    result = RunResult()
    output = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    with redirect_stdout(output), _captured() as (lines, stderr):
        tap: QuickTap | None = None
        try:
            tap = QuickTap(config=dict(config), catalog=catalog_of(*streams), state=state)
            tap.sync_all()
        except Exception as error:  # noqa: BLE001  the invariants judge it
            result.error, result.status = error, 1
        finally:
            join_prefetch_threads()
            if tap:
                tap.context.client.close()
    output.flush()
    output.seek(0)
    result.stdout, result.stderr, result.log_lines = output.read(), stderr.getvalue(), tuple(lines)
    return result


def run_target(config: Config, text: str) -> RunResult:
    """Run the target on an input, as its command does."""
    result = RunResult()
    output = io.StringIO()
    with redirect_stdout(output), _captured() as (lines, stderr):
        settings = _ConfigInput(config=dict(config), parse_env=False)
        try:
            QuickTarget.invoke(config=settings, file_input=io.StringIO(text))
        except SystemExit as ended:
            result.status = ended.code if isinstance(ended.code, int) else 1
        join_prefetch_threads()
    result.stdout, result.stderr, result.log_lines = output.getvalue(), stderr.getvalue(), tuple(lines)
    return result


def read_report(path: Path) -> Message:
    """Return the report of a run of the target."""
    report: Message = json.loads(path.read_text("utf-8"))
    return report
