"""Runs in words: results, times, durations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta

from fieldpulse_plugin.exit_codes import HINT_MARK
from fieldpulse_plugin.history.recorded_runs import RecordedRun
from fieldpulse_plugin.output import for_output
from target_fieldpulse.reporting.outcomes import OUTCOMES

_MAX_NAMES = 3
_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_SIGNALS_FROM = 128


def result_of(run: RecordedRun, *, with_hint: bool = False) -> str:
    """Return what a run came to: `all 30 lists complete`, `failed: …`; with a hint also what to do about it."""
    if run.state == "running":
        return "running"
    if run.state == "vanished":
        what = "vanished: killed, out of memory, or its machine stopped"
        return f"{what}{HINT_MARK}start it again: it goes on where this run stopped" if with_hint else what
    if run.reason:
        is_stopped = (run.exit_status or 0) > _SIGNALS_FROM
        reason = run.reason if with_hint else run.reason.partition(HINT_MARK)[0]
        return for_output(reason if is_stopped else f"failed: {reason}")
    words = _lists_in_words(run) if run.plugin.startswith("tap-") else outcomes_in_words(run)
    return f"dry run: {words}" if run.is_dry else words


def outcomes_in_words(run: RecordedRun) -> str:
    """Return the outcomes of a target's run: `3 created, 1 rejected`."""
    counts: Counter[str] = Counter()
    for stream in run.streams:
        counts.update(stream.outcomes)
    known = [outcome for outcome in OUTCOMES if counts[outcome]]
    return ", ".join(f"{counts[outcome]:,} {outcome}" for outcome in known) or "no records"


def record_count(run: RecordedRun) -> int:
    """Return how many records a run emitted, or read from its input."""
    return sum(stream.records for stream in run.streams)


def names_in_words(names: Iterable[str]) -> str:
    """Return `jobs, invoices, users and 4 more`."""
    all_names = [for_output(name) for name in names]
    rest = len(all_names) - _MAX_NAMES
    return ", ".join(all_names[:_MAX_NAMES]) + (f" and {rest} more" if rest > 0 else "")


def count_of(count: int, noun: str) -> str:
    """Return `1 list` or `2 lists`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def duration(seconds: float) -> str:
    """Return `0.4 s`, `12 s`, `3 min 20 s` or `2 h 5 min`."""
    whole = round(seconds)
    if whole < _MINUTE:
        return short_duration(seconds)
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s"
    return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"


def took(run: RecordedRun) -> str:
    """Return how long a run took, in a few letters; of one that vanished this is not known."""
    return "-" if run.state == "vanished" else short_duration(run.seconds)


def rate_of(run: RecordedRun) -> str:
    """Return the requests per second of a run, from its begin to its end."""
    return f"{run.traffic.requests / run.seconds:.1f}" if run.seconds and run.state != "vanished" else "-"


def short_duration(seconds: float) -> str:
    """Return `0.4 s`, `12 s`, `3.3 min` or `2.1 h`."""
    for unit, length in (("h", _HOUR), ("min", _MINUTE)):
        if seconds >= length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"  # noqa: PLR2004  below, tenths tell something


def age(since: datetime, at: datetime) -> str:
    """Return `just now`, `3 min ago`, `2 h ago` or `4 d ago`."""
    seconds = (at - since) / timedelta(seconds=1)
    if seconds < _MINUTE:
        return "just now"
    for unit, length in (("d", 2 * _DAY), ("h", 2 * _HOUR)):
        if seconds >= length:
            return f"{seconds // (length // 2):.0f} {unit} ago"
    return f"{seconds // _MINUTE:.0f} min ago"


def local_time(time: datetime, at: datetime) -> str:
    """Return a time in the zone of this machine: `16:20` of today, else with its day, else with its year."""
    local, today = time.astimezone(), at.astimezone()
    if local.date() == today.date():
        return f"{local:%H:%M}"
    return f"{local:%d %b %H:%M}" if at - time < timedelta(days=180) else f"{local:%d %b %Y}"


def _lists_in_words(run: RecordedRun) -> str:
    verdicts = Counter(stream.verdict for stream in run.streams)
    total, complete = len(run.streams), verdicts["complete"]
    if complete == total:
        return f"all {count_of(total, 'list')} complete" if total > 1 else f"{count_of(total, 'list')} complete"
    parts = [f"{complete} of {count_of(total, 'list')} complete"]
    for verdict in ("incomplete", "unproven"):
        names = [stream.name for stream in run.streams if stream.verdict == verdict]
        parts += [f"{verdict}: {names_in_words(names)}"] if names else []
    failed = [stream.name for stream in run.streams if stream.error]
    parts += [f"failed: {names_in_words(failed)}"] if failed else []
    return "; ".join(parts)
