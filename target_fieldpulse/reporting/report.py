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
from fieldpulse_plugin.stores.private_files import replace_file

from .outcomes import OUTCOMES

Counts = Mapping[str, Mapping[str, int]]
"""By stream: how many records were read, and how many had each outcome."""
_DRY_TITLES = {"created": "would create", "updated": "would update", "deleted": "would delete"}


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


def summary_table(counts: Counts, *, is_dry: bool) -> Iterator[str]:
    """Yield the lines of a table with a row for each stream, and a column for each outcome that a record had."""
    sums = totals(counts)
    titles = {name: _title(name, is_dry=is_dry) for name in ("read", *OUTCOMES) if name == "read" or sums[name]}
    widths = {name: max(9, len(title)) for name, title in titles.items()}
    width = max([len("stream"), *map(len, counts)])
    yield f"{'stream':{width}}  " + "  ".join(f"{title:>{widths[name]}}" for name, title in titles.items())
    for stream, numbers in counts.items():
        yield f"{stream:{width}}  " + "  ".join(f"{numbers[name]:>{widths[name]},}" for name in titles)


def closing_line(counts: Counts, *, is_dry: bool) -> str:
    """Return the last line of a run, a sum that adds up."""
    sums = totals(counts)
    parts = " + ".join(f"{sums[outcome]} {_title(outcome, is_dry=is_dry)}" for outcome in OUTCOMES)
    return f"{'dry run: ' if is_dry else ''}read {sums['read']} = {parts}"


def _title(name: str, *, is_dry: bool) -> str:
    return _DRY_TITLES.get(name, name) if is_dry else name


def dry_rejects_hint(count: int, path: Path) -> str:
    """Return the line that says how many records a real run would not write, and where they are."""
    return f"A real run would reject {count} records. They are in {path}, each with its reason"


def write_report(path: Path, report: Mapping[str, Any]) -> None:
    """Write a report as JSON, replacing the file atomically. Raises: OSError."""
    replace_file(path, msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
