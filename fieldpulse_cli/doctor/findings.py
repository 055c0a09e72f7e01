"""Findings of the doctor: one for each check, graded ok, unknown, warn or FAIL."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Literal

from fieldpulse_api.http.limits.monthly_quota import MonthlyQuota, MonthUse
from fieldpulse_plugin.output import for_output

from .list_probe import MAX_PAGE_ROWS, ListProbe

Grade = Literal["ok", "unknown", "warn", "FAIL"]
_KNOWN_TIME_FORMS = {"bare", "date", "Z", "offset", "T", "number", "digits"}
_MAX_LISTED_FIELDS = 8


@dataclass(frozen=True)
class Finding:
    """The result of one check: its subject, the check's name, what was found, and for a FAIL what to do."""

    grade: Grade
    about: str
    check: str
    text: str
    hint: str = ""

    @property
    def line(self) -> str:
        """Return the finding as a line for a person; the hint is on a second line."""
        line = for_output(f"{self.grade:7}  {self.about:20} {self.check:15} {self.text}")
        return f"{line}\n{'':29} do: {for_output(self.hint)}" if self.hint else line

    def plain(self) -> dict[str, str]:
        """Return the finding for JSON."""
        return {name: value for name, value in asdict(self).items() if value}


def list_findings(probe: ListProbe) -> Iterator[Finding]:
    """Yield what a probe found out about its list, and what stayed unknown."""
    if probe.first_page is None:
        yield _unreachable(probe)
        return
    rows = "" if probe.server_count is None else f", {probe.server_count:,} rows"
    yield Finding("ok", probe.resource.name, "reachable", f"responds{rows}")
    yield _limit(probe)
    yield _page(probe)
    yield _sort(probe)
    if probe.resource.updated_column:
        yield _filter(probe)
    yield _count(probe)
    if probe.facts.page_size:
        text = f"a row has {probe.facts.row_bytes or 0:,} bytes: {probe.facts.page_size} rows are requested at once"
        yield Finding("ok", probe.resource.name, "weight", text)
    yield from _fields(probe)


def time_zone_finding(age_of_newest_change: timedelta | None, zone_name: str) -> tuple[bool | None, Finding]:
    """Return whether timestamps fit the setting `timezone`, None if unknown, and the finding.

    `age_of_newest_change` is by the server's clock. A negative age proves that the zone is wrong.
    """
    about = ("timezone", "fits")
    if age_of_newest_change is None:
        return None, Finding("unknown", *about, "no list shows when a row was updated")
    if age_of_newest_change < -timedelta(minutes=1):
        ahead = _without_fraction(-age_of_newest_change)
        text = f"a row was updated {ahead} after the server's clock: timestamps are not in {zone_name}"
        hint = "set `timezone` (of the target: `api_timezone`) to the account's zone; --write-probe finds it out"
        return False, Finding("FAIL", *about, text, hint)
    age = _without_fraction(age_of_newest_change)
    text = f"the newest change is {age} old if timestamps are in {zone_name}; --write-probe makes sure"
    return None, Finding("ok", *about, text)


def clock_finding(server_time: datetime | None, machine_time: datetime, max_skew_seconds: float) -> Finding:
    """Return how far the clocks of server and machine differ. `server_time` is None without a Date header."""
    if server_time is None:
        return Finding("warn", "clock", "skew", "responses have no Date header: bookmarks use this machine's clock")
    skew = (machine_time - server_time).total_seconds()
    text = f"this machine is {skew:+.0f} s from the server's Date header, which bookmarks use"
    return Finding("ok" if abs(skew) < max_skew_seconds else "warn", "clock", "skew", text)


def quota_finding(use: MonthUse, quota: MonthlyQuota | None, place: str) -> Finding:
    """Return how many requests were counted in this month. `place` is where."""
    is_scarce = quota is not None and max(use.forecast or 0, use.requests) >= quota.limit
    return Finding("warn" if is_scarce else "ok", "quota", "use", f"{use.text(quota)} (counted in {place})")


def _unreachable(probe: ListProbe) -> Finding:
    name, error = probe.resource.name, probe.error
    if error is None:
        reason = f"there are no {probe.resource.parent}" if probe.resource.parent else "no request was left"
        return Finding("warn", name, "reachable", f"not checked: {reason}")
    hint = "if your plan lacks it, deselect the stream or set profile_path"
    return Finding("FAIL", name, "reachable", error.what, error.hint if probe.facts.is_available is None else hint)


def _limit(probe: ListProbe) -> Finding:
    name, limits = probe.resource.name, probe.facts.obeys_limit
    if limits is None:
        return Finding("unknown", name, "limit", _unknown(probe))
    if limits:
        return Finding("ok", name, "limit", "honours `limit`")
    return Finding("warn", name, "limit", "ignores `limit`; the server chooses the page size")


def _page(probe: ListProbe) -> Finding:
    name, pages = probe.resource.name, probe.facts.obeys_page
    if pages is None:
        return Finding("unknown", name, "page", _unknown(probe))
    if pages:
        return Finding("ok", name, "page", "honours `page`")
    if (probe.server_count or 0) > MAX_PAGE_ROWS:
        text = f"ignores `page`: only the first page of {probe.server_count:,} rows can be read"
        hint = "deselect the stream, or accept an incomplete one; report it to FieldPulse"
        return Finding("FAIL", name, "page", text, hint)
    return Finding("warn", name, "page", "ignores `page`; it is complete while all rows fit on one page")


def _sort(probe: ListProbe) -> Finding:
    name, column = probe.resource.name, probe.column
    sorts = probe.facts.sorts_by.get(column)
    if not probe.resource.supports_sort:
        return Finding("ok", name, "sort", "documents no sort")
    if sorts is None:
        return Finding("unknown", name, "sort", _unknown(probe))
    if sorts:
        return Finding("ok", name, "sort", f"sorts by {column}")
    return Finding("warn", name, "sort", f"does not sort by {column}: every run reads the whole list twice")


def _filter(probe: ListProbe) -> Finding:
    name, filters = probe.resource.name, probe.facts.obeys_filter
    if filters is None:
        return Finding("unknown", name, "filter", _unknown(probe))
    verb = "honours" if filters else "ignores"
    return Finding("ok", name, "filter", f"{verb} a filter on {probe.column} (the tap does not rely on it)")


def _count(probe: ListProbe) -> Finding:
    name, facts = probe.resource.name, probe.facts
    if facts.counts_rows == "never":
        grade: Grade = "warn" if probe.resource.supports_count else "ok"
        return Finding(grade, name, "count", "sends no count; the tap reads twice to check completeness")
    when = {"always": "in every response", "on_request": "when asked"}.get(
        str(facts.counts_rows), "at least when asked"
    )
    return Finding("ok", name, "count", f"sends a count {when} ({facts.count_key})")


def _fields(probe: ListProbe) -> Iterator[Finding]:
    name, facts, column = probe.resource.name, probe.facts, str(probe.resource.updated_column)
    if column in facts.missing_fields:
        text = f"rows have no {column}: every run reads and emits the whole list"
        yield Finding("warn", name, column, text)
    if facts.unknown_fields:
        is_allow_list = probe.resource.schema["additionalProperties"] is False
        text = f"rows have columns that {'are not emitted' if is_allow_list else 'the catalogue lacks'}: "
        grade: Grade = "ok" if is_allow_list else "warn"
        yield Finding(grade, name, "unknown fields", text + _listed(facts.unknown_fields))
    if facts.missing_fields:
        text = f"rows lack columns of the catalogue (a read by id may have them): {_listed(facts.missing_fields)}"
        yield Finding("ok", name, "missing fields", text)
    if not set(facts.time_formats) <= _KNOWN_TIME_FORMS:
        yield Finding("warn", name, "times", "some timestamps have an unknown form and are emitted unchanged")
    elif facts.time_formats:
        yield Finding("ok", name, "times", f"forms of timestamps: {', '.join(facts.time_formats)}")


def _listed(names: list[str]) -> str:
    rest = len(names) - _MAX_LISTED_FIELDS
    return ", ".join(names[:_MAX_LISTED_FIELDS]) + (f" and {rest} more" if rest > 0 else "")


def _unknown(probe: ListProbe) -> str:
    return "too few rows" if probe.is_small else "the responses fit several explanations"


def _without_fraction(duration: timedelta) -> timedelta:
    return timedelta(seconds=int(duration.total_seconds()))
