"""How a command ends: its exit status, and an error as three lines instead of a traceback."""

from __future__ import annotations

import json
import logging
import os
import sys
import traceback
from pathlib import Path
from typing import NoReturn

import click

from .errors import FieldPulseError

EXIT_STATUSES: dict[int | str, str] = {
    0: "all well",
    1: "something is incomplete, rejected or uncertain, or FieldPulse failed; what was done is kept",
    2: "settings, key, catalog or streams must change",
    3: "the month's requests are spent; state is kept",
    4: "a guard stopped the run",
    "128+n": "ended by signal n (143: SIGTERM, 130: SIGINT); what was not finished is not in the state",
}


def run(command: click.Command) -> NoReturn:
    """Run a command and end the process, at once: requests still under way are not waited for."""
    status = _status(command)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        status = status or 1
    sys.stderr.flush()
    logging.shutdown()
    os._exit(status)


def _status(command: click.Command) -> int:
    try:
        returned = command.main(standalone_mode=False)
    except FieldPulseError as error:
        click.echo(str(error), err=True)
        return error.exit_status
    except click.ClickException as error:
        error.show()
        return 2
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(bool(ended.code))
    except (KeyboardInterrupt, click.Abort):
        return 130
    except Exception as error:  # noqa: BLE001  the last resort: one place, no traceback
        click.echo(_explain(error), err=True)
        return 2 if isinstance(error, (OSError, json.JSONDecodeError)) and not isinstance(error, BrokenPipeError) else 1
    return returned if isinstance(returned, int) else 0


def _explain(error: Exception) -> str:
    if isinstance(error, BrokenPipeError):
        return _lines("The process that reads this output has ended.", "standard output", "look at its messages")
    if isinstance(error, json.JSONDecodeError):
        place = f"line {error.lineno}, column {error.colno}"
        return _lines(f"A file is not JSON ({error.msg}).", place, "correct the file given on the command line")
    if isinstance(error, OSError):
        return _lines(f"{error.strerror or type(error).__name__}.", str(error.filename), "check the path")
    frame = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(frame.filename).name}:{frame.lineno} in {frame.name}"
    return _lines(f"An error that nobody foresaw: {type(error).__name__}.", where, "report it with these lines")


def _lines(what: str, where: str, do: str) -> str:
    return str(FieldPulseError(what, where=where, do=do))
