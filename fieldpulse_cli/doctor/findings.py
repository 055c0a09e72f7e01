"""What was found out about an account, in words: one finding for each check."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Literal

from .list_probe import MOST, Probe

Grade = Literal["ok", "warn", "FAIL"]


_READABLE = {"bare", "date", "Z", "offset", "T", "number", "digits"}


@dataclass(frozen=True)
class Finding:
    """One check of one thing (`about`): its grade, what was found, and for a FAIL what to do about it."""

    grade: Grade
    about: str
    check: str
    text: str
    hint: str = ""

    @property
    def line(self) -> str:
        """Return the finding as a line for people; what to do is on a second one."""
        line = f"{self.grade:4}  {self.about:20} {self.check:15} {self.text}"
        return f"{line}\n{'':26} do: {self.hint}" if self.hint else line

    def plain(self) -> dict[str, str]:
        """Return the finding as JSON has it."""
        return {name: value for name, value in asdict(self).items() if value}


def of_list(probe: Probe) -> Iterator[Finding]:
    """Yield what a list was found to do, and what could not be told."""
    name = probe.resource.name
    if probe.first is None:
        yield _unreachable(probe)
        return
    counted = "" if probe.counted is None else f", {probe.counted:,} rows"
    yield Finding("ok", name, "reachable", f"answers{counted}")
    yield from (Finding(*each) for each in _limit_and_page(probe, name))
    yield from (Finding(*each) for each in _order_and_filter(probe, name))
    yield Finding(*_count(probe, name))
    yield from _fields(probe, name)


def zone(newest: timedelta | None, zone_name: str) -> tuple[bool | None, Finding]:
    """Return whether times without a zone fit the one of the settings, and a finding that says it.

    `newest` is how far the newest change of all lists lies behind the server's clock.
    """
    about = ("timezone", "fits")
    if newest is None:
        return None, Finding("ok", *about, "cannot be told: no list shows when a row was changed")
    if newest < -timedelta(minutes=1):
        text = (
            f"a row was changed {_span(-newest)} after the server's clock: times are not in {zone_name}, or it is wrong"
        )
        return False, Finding("FAIL", *about, text, "set `timezone` to the account's zone; --write-probe tells which")
    text = f"the newest change is {_span(newest)} old if times are in {zone_name}; --write-probe tells for sure"
    return None, Finding("ok", *about, text)


def clock(server: datetime | None, ours: datetime, most_seconds: float) -> Finding:
    """Return a finding about how far apart the clocks are; the server may not tell."""
    if server is None:
        return Finding("warn", "clock", "skew", "answers have no Date: bookmarks use the clock of this machine")
    skew = (ours - server).total_seconds()
    text = f"this machine is {skew:+.0f} s from the server's Date; bookmarks use the server's"
    return Finding("ok" if abs(skew) < most_seconds else "warn", "clock", "skew", text)


def _unreachable(probe: Probe) -> Finding:
    name, error = probe.resource.name, probe.error
    if error is None:
        why = f"there are no {probe.resource.parent}" if probe.resource.parent else "no request was left"
        return Finding("warn", name, "reachable", f"not asked: {why}")
    if probe.facts.is_there is None:
        return Finding("FAIL", name, "reachable", error.what, error.hint)
    do = "if your plan does not have it, deselect the stream, or let profile_path say so"
    return Finding("FAIL", name, "reachable", error.what, do)


def _limit_and_page(probe: Probe, name: str) -> Iterator[tuple[Grade, str, str, str, str]]:
    facts = probe.facts
    if facts.limits is None:
        yield "ok", name, "limit", _untold(probe), ""
    elif facts.limits:
        yield "ok", name, "limit", "heeds limit", ""
    else:
        yield "warn", name, "limit", "does not heed limit: pages have the size that FieldPulse likes", ""
    if facts.pages is None:
        yield "ok", name, "page", _untold(probe), ""
    elif facts.pages:
        yield "ok", name, "page", "heeds page", ""
    elif (probe.counted or 0) > MOST:
        text = f"does not heed page: of {probe.counted:,} rows only those that come at once can be read"
        yield "FAIL", name, "page", text, "deselect the stream, or take it as incomplete; report it to FieldPulse"
    else:
        yield "warn", name, "page", "does not heed page: it is read whole as long as all rows come at once", ""


def _order_and_filter(probe: Probe, name: str) -> Iterator[tuple[Grade, str, str, str, str]]:
    facts, column = probe.facts, probe.column
    does = facts.sorts.get(column)
    if not probe.resource.supports_sort:
        yield "ok", name, "sort", "documents no sort", ""
    elif does is None:
        yield "ok", name, "sort", _untold(probe), ""
    elif does:
        yield "ok", name, "sort", f"sorts by {column}", ""
    else:
        yield "warn", name, "sort", f"does not sort by {column}: every run reads the whole list, twice", ""
    if probe.resource.updated_column and facts.filters is None:
        yield "ok", name, "filter", _untold(probe), ""
    elif probe.resource.updated_column:
        heeds = "heeds" if facts.filters else "ignores"
        yield "ok", name, "filter", f"{heeds} a filter on {column} (never relied on)", ""


def _count(probe: Probe, name: str) -> tuple[Grade, str, str, str, str]:
    facts = probe.facts
    if facts.counts == "never":
        grade: Grade = "warn" if probe.resource.supports_count else "ok"
        return grade, name, "count", "sends no count: that nothing is missing is proved by reading again", ""
    when = {"free": "unasked", "asked": "when asked"}.get(str(facts.counts), "when asked, at least")
    return "ok", name, "count", f"counts {when} ({facts.count_key})", ""


def _fields(probe: Probe, name: str) -> Iterator[Finding]:
    facts, column = probe.facts, str(probe.resource.updated_column)
    if column in facts.missing_fields:
        text = f"does not show {column}: every run reads the whole list and emits all of it"
        yield Finding("warn", name, column, text)
    if facts.unknown_fields:
        text = f"has fields that the catalogue does not know: {', '.join(facts.unknown_fields)}"
        yield Finding("warn", name, "unknown fields", text)
    if facts.missing_fields:
        some = ", ".join(facts.missing_fields[:8])
        more = f" and {len(facts.missing_fields) - 8} more" if len(facts.missing_fields) > 8 else ""  # noqa: PLR2004
        text = f"does not show fields of the catalogue (by id it may): {some}{more}"
        yield Finding("ok", name, "missing fields", text)
    if not set(facts.time_forms) <= _READABLE:
        yield Finding("warn", name, "times", "has times in a form that is not known: they are emitted as they came")
    elif facts.time_forms:
        yield Finding("ok", name, "times", f"times: {', '.join(facts.time_forms)}")


def _untold(probe: Probe) -> str:
    return "too few rows to tell" if probe.is_small else "not told"


def _span(time: timedelta) -> str:
    return str(timedelta(seconds=int(time.total_seconds())))
