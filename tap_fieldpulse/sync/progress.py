"""How far a stream is: a line that moves on a terminal, a log line every 30 s elsewhere. Never on stdout."""

from __future__ import annotations

import logging
import shutil
import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

from tqdm import tqdm

from tap_fieldpulse.reading.list_reader import ListReader

_SECONDS_BETWEEN = 30.0
_SECONDS_BETWEEN_FRAMES = 0.25
tqdm.monitor_interval = 0  # no thread of its own


class Progress:
    """The progress of one stream while the `with` lasts, shown by a thread: also while nothing comes.

    `requests` says how many there were; `requests_per_second` is the budget that they are compared with.
    """

    def __init__(
        self,
        stream: str,
        list_reader: ListReader,
        requests: Callable[[], int],
        requests_per_second: float,
        logger: logging.Logger,
    ) -> None:
        self._stream, self._list, self._requests = stream, list_reader, requests
        self._budget, self._logger = requests_per_second, logger
        self._began = time.monotonic()
        self._bar: tqdm[Any] | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._show, name="fieldpulse_progress", daemon=True)

    def __enter__(self) -> Progress:  # noqa: PYI034  `Self` is newer than Python 3.10
        if sys.stderr.isatty():
            size = shutil.get_terminal_size()  # never 0, as that of a container's terminal may be
            lines, columns = size.lines, size.columns
            unit = f" {self._list.unit}"
            self._bar = tqdm(desc=self._stream, unit=unit, file=sys.stderr, leave=False, ncols=columns, nrows=lines)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join()
        if self._bar is not None:
            self._bar.close()

    def _show(self) -> None:
        while not self._ended.wait(_SECONDS_BETWEEN if self._bar is None else _SECONDS_BETWEEN_FRAMES):
            done, total = self._list.done, self._list.total
            seconds = max(time.monotonic() - self._began, 0.001)
            used = f"{self._requests() / seconds:.0f}/{self._budget:.0f} requests/s"
            if self._bar is None:
                self._logger.info("%s: %s, %s", self._stream, self._share(done, total, seconds), used)
            else:
                self._bar.total = total
                self._bar.set_postfix_str(used, refresh=False)
                self._bar.update(done - self._bar.n)
                self._bar.refresh()

    def _share(self, done: int, total: int | None, seconds: float) -> str:
        if not total or not done:
            return f"{done:,} {self._list.unit} so far"
        left = seconds * max(0, total - done) / done
        share = f"{done:,} of {total:,} {self._list.unit} ({min(1.0, done / total):.0%})"
        return f"{share}, about {left:.0f} s left"
