"""Progress of a stream or a run on stderr: a log line every 30 s and, on a terminal, a line updated in place."""

from __future__ import annotations

import logging
import shutil
import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Protocol

from tqdm import tqdm
from typing_extensions import Self

_SECONDS_BETWEEN_LOG_LINES = 30.0
_SECONDS_BETWEEN_FRAMES = 0.25
_MIN_COLUMNS_FOR_BAR = 100
_BAR = "{desc}: {percentage:3.0f}%|{bar:20}| {n:,}/{total:,}{unit} [{elapsed}<{remaining}{postfix}]"
_NO_BAR = "{desc}: {n:,}{unit} [{elapsed}{postfix}]"
tqdm.monitor_interval = 0  # tqdm needs no thread of its own


class ProgressSource(Protocol):
    """The source of the numbers of a progress line: `done` of `total` units, where the total is known."""

    @property
    def unit(self) -> str:
        """Return the name of what is counted, in the plural."""

    @property
    def done(self) -> int:
        """Return how many are done."""

    @property
    def total(self) -> int | None:
        """Return how many there are, if that is known."""


class Progress:
    """Show the progress of one stream, or of one run, while the `with` block lasts.

    A thread does it, so it also goes on while the server does not respond. `request_count` returns the requests so far;
    their rate is shown beside the limit `requests_per_second`.
    """

    def __init__(
        self,
        name: str,
        counted: ProgressSource,
        request_count: Callable[[], int],
        requests_per_second: float,
        logger: logging.Logger,
    ) -> None:
        self._name, self._counted, self._request_count = name, counted, request_count
        self._rate_limit, self._logger = requests_per_second, logger
        self._started_at = time.monotonic()
        self._bar: tqdm[Any] | None = None
        self._columns = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._show, name="fieldpulse_progress", daemon=True)

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            size = shutil.get_terminal_size()  # has a default, where a container's terminal reports 0
            self._columns = size.columns
            self._bar = tqdm(
                desc=self._name,
                unit=f" {self._counted.unit}",
                file=sys.stderr,
                leave=False,
                ncols=size.columns,
                nrows=size.lines,
                bar_format=_NO_BAR,
            )
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join()
        if self._bar is not None:
            self._bar.close()

    def _show(self) -> None:
        interval = _SECONDS_BETWEEN_LOG_LINES
        if self._bar is not None:
            interval = min(interval, _SECONDS_BETWEEN_FRAMES)
        logged_at = self._started_at
        while not self._ended.wait(interval):
            now = time.monotonic()
            seconds = max(now - self._started_at, 0.001)
            rate = f"{self._request_count() / seconds:.0f}/{self._rate_limit:.0f} requests/s"
            is_log_due = now - logged_at >= _SECONDS_BETWEEN_LOG_LINES
            if is_log_due:
                logged_at = now
            if self._bar is None:
                self._logger.info("%s: %s, %s", self._name, self._amount(seconds), rate)
                continue
            if is_log_due:
                self._bar.clear()  # the log line goes to the same terminal
                self._logger.info("%s: %s, %s", self._name, self._amount(seconds), rate)
            self._update(self._bar, rate)

    def _update(self, bar: tqdm[Any], rate: str) -> None:
        done, total = self._counted.done, self._counted.total
        bar.bar_format = _BAR if total and done <= total and self._columns >= _MIN_COLUMNS_FOR_BAR else _NO_BAR
        bar.total = total
        bar.set_postfix_str(rate, refresh=False)
        bar.update(done - bar.n)
        bar.refresh()

    def _amount(self, seconds: float) -> str:
        done, total, unit = self._counted.done, self._counted.total, self._counted.unit
        if not total or not done:
            return f"{done:,} {unit} so far"
        remaining = seconds * max(0, total - done) / done
        return f"{done:,} of {total:,} {unit} ({min(1.0, done / total):.0%}), about {remaining:.0f} s left"
