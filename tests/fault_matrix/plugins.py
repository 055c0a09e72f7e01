"""The plugins in this process, with a client that waits on a clock of its own, and everything that they said."""

from __future__ import annotations

import io
import json
import logging
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field, fields
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from singer_sdk.plugin_base import _ConfigInput
from typing_extensions import override

from fieldpulse_api.http.client import Client, RetryPolicy
from fieldpulse_api.http.rate_limiter import ProcessRateLimiter, RateLimiter
from fieldpulse_api.http.settings import ClientSettings
from fieldpulse_plugin.settings import client_settings
from tap_fieldpulse.sync.context import Run as TapRun
from tap_fieldpulse.tap import TapFieldPulse
from target_fieldpulse.run.run import Run as TargetRun
from target_fieldpulse.target import TargetFieldPulse
from tests.harness.plugins import join_readers, selected

Config = Mapping[str, Any]
Message = dict[str, Any]

_SHORT = RetryPolicy(max_attempts=5, max_seconds=60, first_wait_seconds=0.001)
_LAST = re.compile(r"(?P<stream>\w+): records=\d+ .* (?P<verdict>complete|unproven|incomplete)$")
_BEYOND = 100_000.0  # requests per second


class Timeless(ClientSettings):
    """Settings whose rate limiter sleeps on a fake clock: throttled requests keep their order and cost no time."""

    @override
    def rate_limiter(self) -> RateLimiter:
        """Return a rate limiter that never really sleeps."""
        jumped = [0.0]

        def sleep(seconds: float) -> None:
            jumped[0] += seconds

        return ProcessRateLimiter(_BEYOND, clock=lambda: time.monotonic() + jumped[0], sleep=sleep)


def client_of(config: Config) -> Client:
    """Return a client that repeats as the real one does, sooner."""
    settings = client_settings(config)
    timeless = Timeless(**{field.name: getattr(settings, field.name) for field in fields(settings)})
    return Client(timeless, retry_policy=_SHORT)


class QuickTap(TapFieldPulse):
    """The tap with that client."""

    @cached_property
    def run(self) -> TapRun:
        """Return what the streams share."""
        run: TapRun = super().run
        run.client = client_of(self.config)
        return run


class QuickTarget(TargetFieldPulse):
    """The target with that client."""

    @cached_property
    def run(self) -> TargetRun:
        """Return the one run."""
        run: TargetRun = super().run
        run._parts.client = client_of(self.config)
        return run


@dataclass
class Told:
    """What a plugin wrote: messages, log lines, and the error or exit status that ended it."""

    messages: list[Message] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    errors: str = ""
    status: int = 0
    error: BaseException | None = None

    @property
    def verdicts(self) -> dict[str, str]:
        """Return what the last line of each stream says of it."""
        found = filter(None, map(_LAST.search, self.lines))
        return {one["stream"]: one["verdict"] for one in found}

    @property
    def states(self) -> list[Message]:
        """Return the states."""
        return [one["value"] for one in self.messages if one["type"] == "STATE"]


class _Listener(logging.Handler):
    def __init__(self, lines: list[str]) -> None:
        super().__init__(logging.INFO)
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(record.getMessage())


@contextmanager
def _heard(told: Told) -> Iterator[None]:
    """Hear what is logged, and keep it from the terminal."""
    root = logging.getLogger()
    before, level = root.handlers, root.level
    root.handlers = [_Listener(told.lines)]
    root.setLevel(logging.INFO)
    errors = io.StringIO()
    try:
        with redirect_stderr(errors):
            yield
    finally:
        root.handlers = before
        root.setLevel(level)
        told.errors = errors.getvalue()


@cache
def _entries() -> dict[str, Message]:
    catalog = selected(TapFieldPulse(config={}, validate_config=False), [])
    return {entry["tap_stream_id"]: entry for entry in catalog["streams"]}


def catalog_of(*streams: str) -> Message:
    """Return a catalog of these streams alone: the SDK's cost is by the stream."""
    catalog = {"streams": [json.loads(json.dumps(_entries()[name])) for name in streams]}
    for entry in catalog["streams"]:
        next(one for one in entry["metadata"] if not one["breadcrumb"])["metadata"]["selected"] = True
    return catalog


def run_tap(config: Config, *streams: str, state: Message | None = None) -> Told:
    """Run the tap on these streams."""
    told = Told()
    output = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    with redirect_stdout(output):
        tap: QuickTap | None = None
        with _heard(told):
            try:
                tap = QuickTap(config=dict(config), catalog=catalog_of(*streams), state=state)
                tap.sync_all()
            except Exception as error:  # noqa: BLE001  what it is, is judged later
                told.error, told.status = error, 1
            finally:
                join_readers()
                if tap:
                    tap.run.close()
    output.flush()
    output.seek(0)
    told.messages = [json.loads(line) for line in output]
    return told


def run_target(config: Config, text: str) -> Told:
    """Run the target on an input, as its command does."""
    told = Told()
    output = io.StringIO()
    with redirect_stdout(output), _heard(told):
        given = _ConfigInput(config=dict(config), parse_env=False)
        try:
            QuickTarget.invoke(config=given, file_input=io.StringIO(text))
        except SystemExit as ended:
            told.status = ended.code if isinstance(ended.code, int) else 1
        join_readers()
    told.messages = [{"type": "STATE", "value": json.loads(line)} for line in output.getvalue().splitlines()]
    return told


def report_of(path: Path) -> Message:
    """Return the report of a run of the target."""
    report: Message = json.loads(path.read_text("utf-8"))
    return report
