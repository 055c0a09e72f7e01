"""The report of a run: a table for people, and JSON for machines."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any

import msgspec

from fieldpulse_api.values.scalars import iso_timestamp
from fieldpulse_plugin.private_files import replace_file

from .outcomes import OUTCOMES

Counts = Mapping[str, Mapping[str, int]]
"""By stream: how many records were read, and how many had each outcome."""


class RunTimer:
    """The beginning and the duration of a run."""

    def __init__(self) -> None:
        self._started_at, self._start = datetime.now(timezone.utc), time.monotonic()

    def facts(self) -> dict[str, Any]:
        """Return the times and the version, as a report shows them."""
        return {
            "version": metadata.version("singer-fieldpulse"),
            "began": iso_timestamp(self._started_at),
            "seconds": round(time.monotonic() - self._start, 3),
        }


def totals(counts: Counts) -> dict[str, int]:
    """Return the sums over all streams."""
    return {name: sum(stream[name] for stream in counts.values()) for name in ("read", *OUTCOMES)}


def summary_table(counts: Counts) -> Iterator[str]:
    """Yield the lines of a table with a row for each stream."""
    names = ("read", *OUTCOMES)
    width = max([len("stream"), *map(len, counts)])
    yield f"{'stream':{width}}  " + "  ".join(f"{name:>{_width(name)}}" for name in names)
    for stream, numbers in counts.items():
        yield f"{stream:{width}}  " + "  ".join(f"{numbers[name]:>{_width(name)},}" for name in names)


def _width(name: str) -> int:
    return max(9, len(name))


def closing_line(counts: Counts) -> str:
    """Return the last line of a run, a sum that adds up."""
    sums = totals(counts)
    return f"read {sums['read']} = " + " + ".join(f"{sums[outcome]} {outcome}" for outcome in OUTCOMES)


def write_report(path: Path, report: Mapping[str, Any]) -> None:
    """Write a report as JSON, replacing the file atomically. Raises: OSError."""
    replace_file(path, msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
