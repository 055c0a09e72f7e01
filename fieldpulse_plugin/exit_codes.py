"""The end of a process: its exit status, and one log record that says what went wrong, where, and what to do."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from types import FrameType
from typing import IO, NoReturn

import click

from fieldpulse_api.errors import FieldPulseError, UserError, without_likely_keys, without_personal_data

from .console_log import configure_console
from .output import for_output, hide_environment_secrets
from .stores.database import close_databases
from .stores.waits import end_store_waits_within

EXIT_STATUSES: dict[int | str, str] = {
    0: "success",
    1: "something is incomplete, rejected or uncertain, or FieldPulse failed; completed work is kept",
    2: "settings, key, catalog or streams must change",
    3: "the month's requests are used up; state is kept",
    4: "a safety limit (`max_…`) stopped the run, or another run uses the store",
    "128+n": "ended by signal n (143: SIGTERM, 130: SIGINT); unfinished work is not in the state",
}
HINT_MARK = " → "
_LOGGER = logging.getLogger(__name__)
_REPEAT_SECONDS = 0.01
_SECONDS_FOR_STORES = 10.0
SECONDS_TO_CLOSE = 12.0
"""How long a run that is stopped waits for the records in flight: for requests, and for stores a little less."""
_SECONDS_TO_END = 18.0
_SECONDS_TO_FLUSH = 3.0
_SIGNALS_FROM = 128
_LAST_STANDARD_DESCRIPTOR = 2
_ENDING_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


def run(command: click.Command) -> NoReturn:
    """Run a command and end the process with its exit status.

    Worker threads are not waited for, because a request under way can take another minute.
    """
    _occupy_standard_descriptors()
    if sys.stderr is None:  # the process was started with it closed, as by `2>&-`
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  until the process ends
    configure_console()
    hide_environment_secrets()
    sys.unraisablehook = _repeat_lost_signal
    stdout = sys.stdout
    try:
        check_stream(stdout, "standard output")
        result = command.main(standalone_mode=False)
        status = result if isinstance(result, int) else 0
    except BaseException as error:  # noqa: BLE001  the last resort: no traceback reaches the user
        # Click ends silently where the reader of the output is gone, and replaces the stream.
        status = report_error(error if sys.stdout is stdout else BrokenPipeError())
    try:
        close_databases()
        if status <= _SIGNALS_FROM:
            _flush()
    except OSError as error:  # what was still in memory cannot be written
        status = status or report_error(error)
    except EndedBySignal as error:
        status = report_error(error)
    if status > _SIGNALS_FROM:
        # The thread may be stuck, as may another that holds the stream: nothing reads the pipe.
        flush = threading.Thread(target=lambda: _flush(ignores_errors=True), daemon=True)
        with suppress(RuntimeError):  # there is no thread left
            flush.start()
            flush.join(_SECONDS_TO_FLUSH)
    else:
        logging.shutdown()
    os._exit(status)


def _flush(*, ignores_errors: bool = False) -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError) if ignores_errors else nullcontext():
            if stream is not None:
                stream.flush()


def _occupy_standard_descriptors() -> None:
    """Open what was closed when the process started: what libraries print must not get into a store or a socket."""
    while True:
        descriptor = os.open(os.devnull, os.O_RDWR)
        if descriptor > _LAST_STANDARD_DESCRIPTOR:
            os.close(descriptor)
            return


def check_stream(stream: IO[str] | None, name: str) -> IO[str]:
    """Return a standard stream. Raises: UserError if the process was started with it closed."""
    if stream is None:
        raise UserError(
            f"The process was started without a {name}.",
            where=name,
            hint="connect it to a file or a pipe",
        )
    return stream


class EndedBySignal(SystemExit):
    """A signal ended the process; its exit status is what a shell reports, 128 + the signal's number."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(_SIGNALS_FROM + signal_number)
        self.signal_number = signal_number
        self.signal_name = signal.Signals(signal_number).name


def end_by_signal(signal_number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001  Python passes it
    """Raise EndedBySignal. A handler for `signal.signal`.

    From now on the waits of the process have limits. The last of them is an alarm, in case that something else waits.
    More signals are ignored: a second exception, raised while a lock is acquired again, would end the run as a bug.
    """
    for number in _ENDING_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    end_store_waits_within(_SECONDS_FOR_STORES)
    if hasattr(signal, "setitimer"):  # POSIX
        signal.signal(signal.SIGALRM, lambda *_: os._exit(_SIGNALS_FROM + signal_number))
        signal.setitimer(signal.ITIMER_REAL, _SECONDS_TO_END)
    raise EndedBySignal(signal_number)


@contextmanager
def signals_ignored() -> Iterator[None]:
    """Ignore signals while a run is closed, which takes a limited time: a second one would lose the audit.

    Only the main thread can do so, and only there do signals raise.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in _ENDING_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _repeat_lost_signal(unraisable: sys.UnraisableHookArgs) -> None:
    """Raise a signal again that came while Python collected garbage: it drops exceptions that are raised there."""
    error = unraisable.exc_value
    if isinstance(error, EndedBySignal):
        signal.signal(error.signal_number, end_by_signal)
        threading.Timer(_REPEAT_SECONDS, os.kill, (os.getpid(), error.signal_number)).start()
    else:
        sys.__unraisablehook__(unraisable)


def report_error(error: BaseException) -> int:
    """Log what ended a command, as one record, and return the exit status.

    The record's message is one line; `what`, `where` and `hint` are also in its `extra`, for structured logs. A signal
    is logged as a warning, because it is not an error. A SystemExit is not logged: what raised it has explained it.
    """
    described = _described(error)
    if isinstance(described, EndedBySignal):
        _LOGGER.warning("Stopped by %s.", described.signal_name)
    if isinstance(described, SystemExit):
        return exit_status_of(error)
    extra = {"what": described.what, "where": described.where, "hint": described.hint}
    _LOGGER.error("%s", described.one_line, extra=extra)
    _LOGGER.debug("%s", _traceback(error), extra={"is_traceback": True})
    return described.exit_status


def exit_status_of(error: BaseException | None) -> int:
    """Return the exit status of a command that an error ended; 0 without one."""
    if error is None:
        return 0
    described = _described(error)
    if isinstance(described, FieldPulseError):
        return described.exit_status
    return described.code if isinstance(described.code, int) else int(bool(described.code))


def reason_of(error: BaseException | None) -> str | None:
    """Return what ended a command, where, and behind `HINT_MARK` what to do; None for an end without an error."""
    described = None if error is None else _described(error)
    if isinstance(described, EndedBySignal):
        return f"Stopped by {described.signal_name}."
    if isinstance(described, FieldPulseError):
        return f"{described.what} ({described.where}){HINT_MARK}{described.hint}"
    return None


def _described(error: BaseException) -> FieldPulseError | SystemExit:
    """Return an error in three parts, or what ends a process without one."""
    if isinstance(error, (KeyboardInterrupt, click.Abort)):
        return EndedBySignal(signal.SIGINT)
    if isinstance(error, SystemExit):
        return error
    described = error if isinstance(error, FieldPulseError) else _as_fieldpulse_error(error)
    if isinstance(described, UserError):  # the key may have been typed in the wrong place
        described.what, described.where = map(without_likely_keys, (described.what, described.where))
    return described


def _as_fieldpulse_error(error: BaseException) -> FieldPulseError:
    if isinstance(error, click.ClickException):
        return UserError(error.format_message().rstrip(".") + ".", where="the command line", hint="see --help")
    if isinstance(error, BrokenPipeError):
        return FieldPulseError(
            "The process that reads this output has ended.",
            where="standard output",
            hint="look for the error of that process",
        )
    if isinstance(error, OSError):
        what = f"{error.strerror or type(error).__name__}."
        if error.filename or isinstance(error, FileNotFoundError):
            where = str(error.filename or "the command line")
            return UserError(what, where=where, hint="check the path: --config, --catalog or --state")
        return FieldPulseError(what, where="input or output", hint="check the disk, or the process behind the pipe")
    if isinstance(error, MemoryError) or "can't start new thread" in str(error):
        return FieldPulseError(
            "The process has no memory left." if isinstance(error, MemoryError) else "The process has no threads left.",
            where="limits of this process",
            hint="raise them (ulimit, TasksMax and MemoryMax of systemd, limits of the container), or lower "
            "requests_per_second: it bounds the threads of a run",
        )
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return FieldPulseError(
        f"Unexpected error: {type(error).__name__}. This is a bug in singer-fieldpulse.",
        where=f"{Path(frame.filename).name}:{frame.lineno} in {frame.name}",
        hint="rerun with LOGLEVEL=DEBUG for the traceback, and report it",
    )


def _traceback(error: BaseException) -> str:
    """Return the traceback, of causes too, without personal data that an error's text may quote."""
    parts = []
    cause: BaseException | None = error
    while cause is not None:
        frames = "".join(traceback.format_tb(cause.__traceback__))
        text = for_output(without_personal_data(without_likely_keys(str(cause))))
        parts.append(f"Traceback:\n{frames}{type(cause).__name__}: {text}")
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return "\ncaused by: ".join(parts)
