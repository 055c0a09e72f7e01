"""How far a stream is: a line that moves on a terminal, a log line every 30 s elsewhere. Never on stdout."""

from __future__ import annotations

import logging
import shutil
import sys
import time
from types import TracebackType
from typing import Any

from tqdm import tqdm

_SECONDS_BETWEEN = 30.0
tqdm.monitor_interval = 0  # no thread of its own


class Progress:
    """The progress of one stream. `requests_per_second` is the budget that the rate is compared with."""

    def __init__(self, stream: str, unit: str, requests_per_second: float, logger: logging.Logger) -> None:
        self._stream, self._unit, self._budget, self._logger = stream, unit, requests_per_second, logger
        self._began = self._said = time.monotonic()
        self._bar: tqdm[Any] | None = None
        if sys.stderr.isatty():
            size = shutil.get_terminal_size()  # never 0, as that of a container's terminal may be
            lines, columns = size.lines, size.columns
            self._bar = tqdm(desc=stream, unit=f" {unit}", file=sys.stderr, leave=False, ncols=columns, nrows=lines)

    def __enter__(self) -> Progress:  # noqa: PYI034  `Self` is newer than Python 3.10
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.close()

    def show(self, done: int, total: int | None, requests: int) -> None:
        """Say how much is done, of how much where that is known, and with how many requests so far."""
        now = time.monotonic()
        seconds = max(now - self._began, 0.001)
        used = f"{requests / seconds:.0f}/{self._budget:.0f} requests/s"
        if self._bar is not None:
            self._bar.total = total
            self._bar.set_postfix_str(used, refresh=False)
            self._bar.update(done - self._bar.n)
        elif now - self._said >= _SECONDS_BETWEEN:
            self._said = now
            self._logger.info("%s: %s, %s", self._stream, self._share(done, total, seconds), used)

    def _share(self, done: int, total: int | None, seconds: float) -> str:
        if not total or not done:
            return f"{done:,} {self._unit} so far"
        left = seconds * max(0, total - done) / done
        return f"{done:,} of {total:,} {self._unit} ({min(1.0, done / total):.0%}), about {left:.0f} s left"
