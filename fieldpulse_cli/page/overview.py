"""What the page shows of the histories: the last runs of each pipeline in full, all others as counts over time."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from fieldpulse_cli.history.pipelines import by_pipeline
from fieldpulse_cli.history.status import Status, read_status
from fieldpulse_cli.history.stores import Stores
from fieldpulse_plugin.history.recorded_runs import RecordedRun, RunOutline

MAX_PIPELINES = 20
RUNS_PER_PIPELINE = 40
_KEYS_PER_GROUP = 5
_PLUGINS = ("tap-fieldpulse", "target-fieldpulse")
_MAX_INTERVALS = 48
_INTERVALS = tuple(timedelta(hours=hours) for hours in (1, 3, 6, 12, 24, 48, 7 * 24, 30 * 24))
_INCOMPLETE = 1  # exit status


@dataclass(frozen=True, kw_only=True)
class PipelineRuns:
    """A tap or a target under one name, for one account, with its last runs, the latest first.

    `requests_this_month` is None if it had dry runs only.
    """

    title: str
    plugin: str
    runs: Sequence[RecordedRun]
    requests_this_month: int | None

    @property
    def is_target(self) -> bool:
        """Return whether the pipeline writes to FieldPulse."""
        return self.plugin.startswith("target-")


@dataclass(frozen=True, kw_only=True)
class Interval:
    """How the runs ended that began in an interval of time. `open` are runs that have not told their end."""

    began_at: datetime
    good: int = 0
    incomplete: int = 0
    failed: int = 0
    open: int = 0


@dataclass(frozen=True, kw_only=True)
class OpenGroup:
    """Open rejects, or uncertain creates, of a stream with the same reason. `keys` are the first ones, redacted."""

    stream: str
    outcome: str
    reason: str
    keys: Sequence[str]
    count: int
    oldest: datetime


@dataclass(frozen=True, kw_only=True)
class Overview:
    """All that the page shows. `run_count` counts all runs of the histories, also those that are only counted."""

    status: Status
    rejects: Sequence[OpenGroup]
    uncertain: Sequence[OpenGroup]
    pipelines: Sequence[PipelineRuns]
    more_pipelines: int
    intervals: Sequence[Interval]
    interval: timedelta
    run_count: int


def read_overview(stores: Stores, at: datetime) -> Overview:
    """Return the overview at a time, from what the stores hold. Raises: ConfigError."""
    outlines, status = stores.outlines(), read_status(stores, at)
    groups = sorted(by_pipeline(outlines).items(), key=lambda group: group[1][0].began_at, reverse=True)
    ids = {key: [run.run_id for run in group[:RUNS_PER_PIPELINE]] for key, group in groups[:MAX_PIPELINES]}
    runs = {run.run_id: run for run in stores.runs_by_id(run_id for group in ids.values() for run_id in group)}
    requests = {(each.name, each.plugin, each.account): each.requests_this_month for each in status.pipelines}
    pipelines = [
        PipelineRuns(
            title=_title(*key, has_accounts=len({account for _, _, account in ids}) > 1),
            plugin=key[1],
            runs=[runs[run_id] for run_id in run_ids if run_id in runs],
            requests_this_month=requests.get(key),
        )
        for key, run_ids in ids.items()
    ]
    intervals, interval = _intervals(outlines)
    return Overview(
        status=status,
        rejects=_groups(
            (each.key.stream, each.outcome, each.reason, each.key.redacted, each.first_at) for each in status.unwritten
        ),
        uncertain=_groups(
            (each.key.stream, "uncertain", each.reason, each.key.redacted, each.sent_at) for each in status.uncertain
        ),
        pipelines=[pipeline for pipeline in pipelines if pipeline.runs],
        more_pipelines=len(groups[MAX_PIPELINES:]),
        intervals=intervals,
        interval=interval,
        run_count=len(outlines),
    )


def _groups(entries: Iterable[tuple[str, str, str, str, datetime]]) -> list[OpenGroup]:
    """Return entries by stream, outcome and reason, the largest groups first. The oldest entry comes first."""
    groups: defaultdict[tuple[str, str, str], list[tuple[str, datetime]]] = defaultdict(list)
    for stream, outcome, reason, key, since in entries:
        groups[stream, outcome, reason].append((key, since))
    return [
        OpenGroup(
            stream=stream,
            outcome=outcome,
            reason=reason,
            keys=[key or "without a key" for key, _ in group[:_KEYS_PER_GROUP]],
            count=len(group),
            oldest=group[0][1],
        )
        for (stream, outcome, reason), group in sorted(groups.items(), key=lambda item: -len(item[1]))
    ]


def _title(name: str, plugin: str, account: str | None, *, has_accounts: bool) -> str:
    """Return the name of a pipeline, with the plugin and the account where the name alone is ambiguous."""
    title = f"{name}, account {account}" if has_accounts and account else name
    named = [each for each in _PLUGINS if each in name]
    return title if named == [plugin] else f"{title} ({plugin})"


def _intervals(outlines: Sequence[RunOutline]) -> tuple[list[Interval], timedelta]:
    """Return the runs in equal intervals of local time, and how long these are; at most 48 of them."""
    if not outlines:
        return [], _INTERVALS[0]
    last, first = outlines[0].began_at, outlines[-1].began_at
    interval = next((each for each in _INTERVALS if (last - first) / each < _MAX_INTERVALS - 1), _INTERVALS[-1])
    start = first.astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
    counts = Counter(((each.began_at - start) // interval, _way_of_ending(each)) for each in outlines)
    last_number, first_number = (last - start) // interval, (first - start) // interval
    intervals = [
        Interval(
            began_at=(start + number * interval).astimezone(),
            **{way: counts[number, way] for way in ("good", "incomplete", "failed", "open")},
        )
        for number in range(max(first_number, last_number - _MAX_INTERVALS + 1), last_number + 1)
    ]
    return intervals, interval


def _way_of_ending(outline: RunOutline) -> str:
    if outline.exit_status is None:
        return "open"
    return {0: "good", _INCOMPLETE: "incomplete"}.get(outline.exit_status, "failed")


def grade(run: RecordedRun) -> str:
    """Return the class of the page's style sheet for the state of a run."""
    if run.state == "vanished" or (run.exit_status or 0) > _INCOMPLETE:
        return "bad"
    return "mute" if run.state == "running" else "warn" if run.exit_status else "good"
