"""The doctor's report on a terminal: account, one line for each list, what needs attention, a verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from .findings import Finding
from .list_probe import ListProbe

_COLUMNS = (
    *(("list", 21), ("rows", 9), ("page", 6), ("limit", 6)),
    *(("sort", 6), ("filter", 7), ("count", 10), ("times", 0)),
)
_MARKS = {True: "yes", False: "no", None: "?"}
_COUNTS = {"always": "always", "on_request": "on request", "never": "never", None: "?"}


def report_lines(findings: Iterable[Finding], probes: Iterable[ListProbe], *, wrote_profile: bool) -> Iterator[str]:
    """Yield the lines of a report. A list with a problem has a line of its own below the table."""
    findings, probes = list(findings), list(probes)
    lists = {probe.resource.name for probe in probes}
    yield from (finding.line for finding in findings if finding.about not in lists)
    if any(probe.first_page for probe in probes):
        yield ""
        yield _row(name for name, _ in _COLUMNS)
        yield from map(_list_line, probes)
        yield "? unknown: too few rows, or a response that fits several explanations; - not documented"
        yield ""
    problems = [finding for finding in findings if finding.about in lists and finding.grade in ("warn", "FAIL")]
    yield from (finding.line for finding in problems)
    yield from _verdict(findings, wrote_profile=wrote_profile)


def _list_line(probe: ListProbe) -> str:
    facts, resource = probe.facts, probe.resource
    if probe.first_page is None:
        return _row((resource.name, "no" if facts.is_available is False else "?"))
    sorts = facts.sorts_by.get(probe.column)
    return _row(
        (
            resource.name,
            "?" if probe.server_count is None else f"{probe.server_count:,}",
            _MARKS[facts.obeys_page],
            _MARKS[facts.obeys_limit],
            _MARKS[sorts] if resource.supports_sort else "-",
            _MARKS[facts.obeys_filter] if resource.updated_column else "-",
            _COUNTS[facts.counts_rows] if resource.supports_count else "-",
            ", ".join(facts.time_formats) or "?",
        )
    )


def _row(cells: Iterable[str]) -> str:
    padded = [f"{cell:<{width}}" for cell, (_, width) in zip(cells, _COLUMNS, strict=False)]
    return " ".join(padded).rstrip()


def _verdict(findings: list[Finding], *, wrote_profile: bool) -> Iterator[str]:
    """Yield the verdict and the next step."""
    grades = Counter(finding.grade for finding in findings)
    counts = f"{grades['ok']} ok, {grades['warn']} warnings, {grades['unknown']} unknown, {grades['FAIL']} failed"
    failures = [finding for finding in findings if finding.grade == "FAIL"]
    if failures:
        yield f"Verdict: not ready ({counts})."
        yield f"Next: {failures[0].hint or failures[0].text}"
        return
    yield f"Verdict: ready ({counts})."
    if wrote_profile:
        yield "Next: set profile_path to this profile, so that runs skip what does not work."
    else:
        yield "Next: run `fieldpulse doctor --profile profile.json`, and set profile_path to that file."
