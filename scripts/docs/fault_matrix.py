"""The result of the last run of the whole fault matrix, as a table."""

from __future__ import annotations

from tests.fault_matrix.fault_scenarios import SCENARIOS
from tests.fault_matrix.points import Point
from tests.fault_matrix.results import read_result

from .tables import table


def result_table() -> str:
    """Return the number of points of each scenario and of those that failed, and when and how they were checked."""
    result = read_result()
    failed = [Point.parse(name).scenario for name in result.failed_points]
    rows = [
        (f"`{name}`", SCENARIOS[name].about, f"{count:,}", str(failed.count(name)))
        for name, count in result.points.items()
    ]
    total = ("**all**", "", f"{sum(result.points.values()):,}", str(len(failed)))
    return (
        f"{table(('scenario', 'what goes wrong', 'points', 'failed'), [*rows, total])}\n"
        f"Commit `{result.commit}`, seed {result.seed}, {result.date}: {result.seconds / 60:.0f} minutes on "
        f"{result.processors} processors.\n{_mended(result.failed_points)}"
    )


def _mended(names: list[str]) -> str:
    """Return the points that failed; a test holds that they do so no more."""
    points = "".join(f"- `{name}`\n" for name in names)
    return (
        f"\nThese points failed. They were mended since, and are now among the tests of `make test`:\n\n{points}"
        if names
        else ""
    )
