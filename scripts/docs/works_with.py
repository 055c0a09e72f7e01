"""Loaders that were run with the tap's output: results, and what each needs, as tables."""

from __future__ import annotations

from collections.abc import Iterable

from tests.works_with.loaders import LOADERS
from tests.works_with.results import Result, read_results
from tests.works_with.scenarios import SCENARIOS

from .tables import table


def results_table() -> str:
    """Return the number of equal cells for each scenario and loader, or what was wrong."""
    results = read_results()
    head = ("", *(f"{name} {_version(name)}" for name in results))
    rows = [
        (f"`{name}`", *(found[name].summary if name in found else "not run" for found in results.values()))
        for name in SCENARIOS
    ]
    seen = sorted({result.seen_on for found in results.values() for result in found.values()})
    period = " to ".join(dict.fromkeys((seen[0], seen[-1]))) if seen else "never"
    return f"{table(head, rows)}\nSeen on the sandbox: {period}.\n"


def scenarios_table() -> str:
    """Return the scenarios as a table."""
    return table(("scenario", "what the tap reads"), [(f"`{name}`", each.about) for name, each in SCENARIOS.items()])


def requirements_table() -> str:
    """Return what each loader needs to be right."""
    rows = [
        (loader.name, need.setting, need.reason, need.without)
        for loader in LOADERS.values()
        for need in loader.requirements
    ]
    return table(("loader", "needs", "because", "without it"), rows)


def representations_table() -> str:
    """Return the documented form of each loader's tables."""
    rows = [(_pins(loader.packages), "; ".join(loader.representation.statements)) for loader in LOADERS.values()]
    return table(("loader", "what it makes of the records"), rows)


def differences_list() -> str:
    """Return the differences that were seen, with an example of each; a sentence if there were none."""
    lines = [
        f"- {loader}, `{name}`: {_problem(result)}\n"
        for loader, found in read_results().items()
        for name, result in found.items()
        if result.summary.startswith("**")
    ]
    return "".join(lines) or "There were no differences.\n"


def _problem(result: Result) -> str:
    error = f"exit status {max(result.statuses)}, `{result.error}`" if any(result.statuses) else ""
    counts = ", ".join(f"{kind} ({count:,})" for kind, count in result.kinds.items())
    examples = "; ".join(f"`{example}`" for example in result.examples)
    return ". ".join(part for part in (error, counts, "" if error else examples) if part)


def _pins(packages: Iterable[str]) -> str:
    return ", ".join(f"`{package}`" for package in packages)


def _version(name: str) -> str:
    return LOADERS[name].packages[0].partition("==")[2]
