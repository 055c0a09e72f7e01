"""The report of a run: a table for people, JSON for machines."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any

import msgspec

from fieldpulse_api.values.scalars import iso_timestamp

from .outcomes import OUTCOMES

Counts = Mapping[str, Mapping[str, int]]
"""By stream: how many records were read, and what became of them."""


class RunTimer:
    """When a run began, and how long it took."""

    def __init__(self) -> None:
        self._began, self._tick = datetime.now(timezone.utc), time.monotonic()

    def facts(self) -> dict[str, Any]:
        """Return what a report says of it, and which version ran."""
        seconds = round(time.monotonic() - self._tick, 3)
        return {
            "version": metadata.version("singer-fieldpulse"),
            "began": iso_timestamp(self._began),
            "seconds": seconds,
        }


def totals(counts: Counts) -> dict[str, int]:
    """Return the sums of all streams."""
    return {name: sum(one[name] for one in counts.values()) for name in ("read", *OUTCOMES)}


def summary_table(counts: Counts) -> Iterator[str]:
    """Yield the lines of a table: a row for each stream."""
    names = ("read", *OUTCOMES)
    width = max([len("stream"), *map(len, counts)])
    yield f"{'stream':{width}}  " + "  ".join(f"{name:>9}" for name in names)
    for stream, one in counts.items():
        yield f"{stream:{width}}  " + "  ".join(f"{one[name]:>9,}" for name in names)


def closing_line(counts: Counts) -> str:
    """Return the run's last line, which adds up."""
    sums = totals(counts)
    return f"read {sums['read']} = " + " + ".join(f"{sums[one]} {one}" for one in OUTCOMES)


def write_report(path: Path, report: Mapping[str, Any]) -> None:
    """Write a report as JSON, whole or not at all. Raises: OSError."""
    number, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    with os.fdopen(number, "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
    Path(name).replace(path)
