"""The figures of `make bench`, as they were measured last."""

from __future__ import annotations

from pathlib import Path

_RESULTS = Path(__file__).parents[2] / "benchmarks" / "RESULTS.md"


def results() -> str:
    """Return what stands below the heading of the results."""
    return _RESULTS.read_text("utf-8").partition("\n\n")[2].replace("\n## ", "\n### ")
