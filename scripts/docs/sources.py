"""Sources that were sent into the target: results as a table."""

from __future__ import annotations

from tests.works_with.sources.catalogue import SOURCES
from tests.works_with.sources.results import Result, read_results

from .tables import table


def results_table() -> str:
    """Return what each source sends and what became of it, and every difference that was seen."""
    results = read_results()
    head = ("source", "what it reads", "records", "rows, fields", "sent by a second run", "after a kill")
    rows = [(_packages(name), SOURCES[name].about, *_cells(result)) for name, result in results.items()]
    differences = [f"- {name}: {each}\n" for name, result in results.items() for each in result.differences]
    seen = sorted({result.seen_on for result in results.values()})
    period = " to ".join(dict.fromkeys((seen[0], seen[-1]))) if seen else "never"
    return "\n".join([table(head, rows), "".join(differences), f"Seen on the sandbox: {period}.\n"]).replace(
        "\n\n\n", "\n\n"
    )


def _cells(result: Result) -> tuple[str, ...]:
    killed = f"equal (killed at write {result.killed_at} of {result.writes})" if result.killed_at else "nothing to kill"
    rows = f"{result.rows}, {result.fields}" if result.rows else "nothing was sent"
    is_wrong = any(each.startswith("after a kill") for each in result.differences)
    return f"{result.records:,}", rows, str(result.repeated_writes or "nothing"), "**differs**" if is_wrong else killed


def _packages(name: str) -> str:
    return ", ".join(f"`{package}`" for package in SOURCES[name].packages) or f"{name} of this project"
