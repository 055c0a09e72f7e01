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

    def __init__(self, stream: str, requests_per_second: float, logger: logging.Logger) -> None:
        self._stream, self._budget, self._logger = stream, requests_per_second, logger
        self._began = self._said = time.monotonic()
        self._rows = 0
        self._total: int | None = None
        self._bar: tqdm[Any] | None = None
        if sys.stderr.isatty():
            size = shutil.get_terminal_size()  # never 0, as that of a container's terminal may be
            self._bar = tqdm(
                desc=f"{stream:24}",
                unit=" rows",
                file=sys.stderr,
                leave=False,
                ncols=size.columns,
                nrows=size.lines,
            )

    def __enter__(self) -> Progress:  # noqa: PYI034  `Self` is newer than Python 3.10
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.close()

    def advance(self, rows: int, requests: int, total: int | None) -> None:
        """Say that so many more rows were read, with `requests` in all, of `total` that the server counts."""
        self._rows += rows
        self._total = total
        now = time.monotonic()
        rate = requests / max(now - self._began, 0.001)
        used = f"{rate:.0f} of {self._budget:.0f} requests/s"
        if self._bar is not None:
            self._bar.total = total
            self._bar.set_postfix_str(used, refresh=False)
            self._bar.update(rows)
        elif now - self._said >= _SECONDS_BETWEEN:
            self._said = now
            self._logger.info("%s: %s, %s%s", self._stream, self._share(), used, self._left(now))

    def _share(self) -> str:
        if not self._total:
            return f"{self._rows:,} rows so far"
        return f"{self._rows:,} of {self._total:,} rows ({min(1.0, self._rows / self._total):.0%})"

    def _left(self, now: float) -> str:
        if not self._total or not self._rows:
            return ""
        seconds = (now - self._began) * max(0, self._total - self._rows) / self._rows
        return f", about {seconds:.0f} s left"
