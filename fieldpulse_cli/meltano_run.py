"""`fieldpulse meltano`: Meltano, with the exit status of the plugin that failed.

Meltano ends with status 1 whatever made a run fail, so a scheduler cannot tell what must not be tried again from what
may. Its log in JSON has the statuses of extractor and loader, and two failures before a plugin runs have their texts.
"""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from itertools import pairwise
from types import FrameType
from typing import Any

import click

from fieldpulse_api.errors import ConfigError

_LOGGER = logging.getLogger(__name__)
_LOG_FORMAT = "MELTANO_CLI_LOG_FORMAT"
_SUFFIX_OPTION, _SUFFIX_VARIABLE = "--state-id-suffix", "MELTANO_RUN_STATE_ID_SUFFIX"
_POLL_SECONDS = 0.05
_SECONDS_TO_END = 20.0
"""How long plugins have to end. Those of this package need less."""
_SIGNALS_FROM = 128
_USER_ERROR, _QUOTA, _STOPPED = 2, 3, 4
_MOST_TELLING = (_USER_ERROR, _STOPPED, _QUOTA)
"""Where both plugins fail, the status that forbids a retry for the longest time counts."""
_IS_RUNNING = re.compile(r"^Another .* pipeline is already running")
_DISCOVERY_STATUS = re.compile(r"Catalog discovery failed: command .* returned (-?\d+) with stderr", re.DOTALL)
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("arguments", nargs=-1, required=True, type=click.UNPROCESSED, metavar="ARGUMENTS...")
def meltano(arguments: tuple[str, ...]) -> int:
    """Run Meltano, and end with the exit status of the plugin that failed.

    ARGUMENTS are those of `meltano`, such as `run tap-fieldpulse target-postgres`. Meltano itself ends with status 1
    whatever the plugin's status was. Both plugins failed: 2 counts before 4, 4 before 3, 3 before others. A run that
    Meltano refuses because its state id is in use ends with 4. A signal goes to Meltano and to its plugins.

    The log is text; Meltano's JSON, if MELTANO_CLI_LOG_FORMAT is `json`.
    """
    path = shutil.which("meltano")
    if path is None:
        raise ConfigError("The command `meltano` is not found.", where="PATH", hint="add its folder to PATH")
    is_json = os.environ.get(_LOG_FORMAT) == "json"
    # Meltano takes either. Its plugins see the variable alone, and the history tells accounts apart by it.
    for argument, following in pairwise((*arguments, "")):
        option, equals, value = argument.partition("=")
        if option == _SUFFIX_OPTION:
            os.environ[_SUFFIX_VARIABLE] = value if equals else following
    with _ProcessGroup([path, "--log-format", "json", *arguments]).running() as group:
        statuses, has_records = [], False
        for line in group.lines():
            record = _record(line)
            has_records = has_records or bool(record)
            sys.stderr.write(line if is_json or not record else f"{_text(record)}\n")
            sys.stderr.flush()
            statuses += _statuses(record)
        status = group.wait()
    if group.signal_number:
        return _SIGNALS_FROM + group.signal_number
    if status and not has_records:
        _LOGGER.warning(
            "The status of the plugin is unknown: the log of Meltano is not JSON (logging.yaml, --log-config)."
        )
    return worst(statuses) if status == 1 and statuses else status


def worst(statuses: list[int]) -> int:
    """Return the status that says most about whether the run may be tried again."""
    return next((status for status in _MOST_TELLING if status in statuses), max(statuses))


def _record(line: str) -> Mapping[str, Any]:
    """Return a record of Meltano's log; an empty one for any other line."""
    try:
        record = json.loads(line)
    except ValueError:
        return {}
    return record if isinstance(record, dict) and isinstance(record.get("event"), str) else {}


def _text(record: Mapping[str, Any]) -> str:
    moment = str(record.get("timestamp", ""))[:19]
    return f"{moment}Z {record.get('level', ''):8} {record.get('string_id', 'meltano')}: {record['event']}"


def _statuses(record: Mapping[str, Any]) -> list[int]:
    """Return the statuses of plugins, and of what Meltano found before it ran one, that a record names."""
    codes = record.get("exit_codes")
    reason = record.get("err")
    if codes is None or not isinstance(reason, str):
        return []
    if _IS_RUNNING.match(reason):
        return [_STOPPED]
    if discovery := _DISCOVERY_STATUS.search(reason):
        return [_as_shell(int(discovery[1]))]
    # Of mappers there is a list, with an object for each.
    objects = codes if isinstance(codes, list) else [codes]
    return [_as_shell(code) for each in objects if isinstance(each, dict) for code in each.values() if code]


def _as_shell(code: int) -> int:
    """Return a status as a shell has it: Python has the negative number of the signal that killed a process."""
    return code if code > 0 else _SIGNALS_FROM - code


class _ProcessGroup:
    """A command and the processes that it starts; a signal to this process goes to all of them."""

    def __init__(self, command: list[str]) -> None:
        self._command = command
        self.signal_number = 0

    @contextmanager
    def running(self) -> Iterator[_ProcessGroup]:
        """Start the command. At the end of the block none of its processes is left."""
        before = {number: signal.signal(number, self._pass_on) for number in (*_SIGNALS, signal.SIGALRM)}
        self._process = subprocess.Popen(  # noqa: S603  what the user wants to run
            self._command,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        try:
            if self.signal_number:  # it came before there was a process
                self._kill(self.signal_number)
            yield self
        finally:
            if self._kill(signal.SIGTERM):  # an error ended the block
                self._wait_for_all()
            self._kill(signal.SIGKILL)
            signal.setitimer(signal.ITIMER_REAL, 0)
            for number, handler in before.items():
                signal.signal(number, handler)

    def lines(self) -> Iterator[str]:
        """Yield the lines of the log, until the command closes it."""
        with self._process.stderr or nullcontext(()) as log:
            yield from log

    def wait(self) -> int:
        """Wait for the command, then a limited time for what it started. Return the command's exit status.

        Meltano does not always wait for its plugins, and a container ends with its first process.
        """
        status = self._process.wait()
        self._wait_for_all()
        return _as_shell(status) if status else 0

    def _wait_for_all(self) -> None:
        ends_at = time.monotonic() + _SECONDS_TO_END
        while self._kill(0) and time.monotonic() < ends_at:
            self._process.poll()
            with suppress(ChildProcessError):  # as process 1 of a container, this one inherits orphans
                os.waitpid(-self._process.pid, os.WNOHANG)
            time.sleep(_POLL_SECONDS)

    def _pass_on(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002  Python passes it
        if number == signal.SIGALRM:
            self._kill(signal.SIGKILL)
            return
        self.signal_number = self.signal_number or number
        signal.setitimer(signal.ITIMER_REAL, _SECONDS_TO_END)
        if hasattr(self, "_process"):
            self._kill(number)

    def _kill(self, number: int) -> bool:
        """Send a signal to all processes. Return whether there is any."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)
            return True
        return False
