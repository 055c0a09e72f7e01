"""How a command ends: its exit status, and an error as three lines instead of a traceback."""

from __future__ import annotations

import logging
import os
import sys
import traceback
from pathlib import Path
from types import FrameType
from typing import NoReturn

import click

from fieldpulse_api.errors import FieldPulseError, UserError

EXIT_STATUSES: dict[int | str, str] = {
    0: "all well",
    1: "something is incomplete, rejected or uncertain, or FieldPulse failed; what was done is kept",
    2: "settings, key, catalog or streams must change",
    3: "the month's requests are spent; state is kept",
    4: "a safety limit (`max_…`) stopped the run, or another run uses the store",
    "128+n": "ended by signal n (143: SIGTERM, 130: SIGINT); what was not finished is not in the state",
}


def run(command: click.Command) -> NoReturn:
    """Run a command and end the process, at once: requests still under way are not waited for."""
    status = _status(command)
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:  # it may be closed from the start
                stream.flush()
    except OSError:
        status = status or 1
    logging.shutdown()
    os._exit(status)


def end_by_signal(signal_number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001  Python passes it
    """End the process like a shell reports a signal: with 128 + its number. For `signal.signal`."""
    raise SystemExit(128 + signal_number)


def report_error(error: BaseException) -> int:
    """Say what ended a command, in three lines, and return its exit status."""
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else int(bool(error.code))
    if isinstance(error, (KeyboardInterrupt, click.Abort)):
        return 130
    if isinstance(error, click.ClickException):
        error = UserError(error.format_message(), where="the command line", hint="see --help")
    if not isinstance(error, FieldPulseError):
        error = _as_fieldpulse_error(error)
    click.echo(str(error), err=True)
    return error.exit_status


def _status(command: click.Command) -> int:
    try:
        returned = command.main(standalone_mode=False)
    except BaseException as error:  # noqa: BLE001  the last resort: one place, no traceback
        return report_error(error)
    return returned if isinstance(returned, int) else 0


def _as_fieldpulse_error(error: BaseException) -> FieldPulseError:
    if isinstance(error, BrokenPipeError):
        what, where = "The process that reads this output has ended.", "standard output"
        return FieldPulseError(what, where=where, hint="look at its messages")
    if isinstance(error, OSError):
        what = f"{error.strerror or type(error).__name__}."
        if error.filename or isinstance(error, FileNotFoundError):
            where = str(error.filename or "the command line")
            return UserError(what, where=where, hint="check the path: --config, --catalog or --state")
        return FieldPulseError(
            what, where="input or output", hint="look at the disk, or at the process behind the pipe"
        )
    frame = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(frame.filename).name}:{frame.lineno} in {frame.name}"
    what = f"An error that nobody foresaw: {type(error).__name__}."
    return FieldPulseError(what, where=where, hint="report it with these lines")
