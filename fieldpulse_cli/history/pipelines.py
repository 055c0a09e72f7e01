"""Pipelines, as the history of their runs tells of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone

from fieldpulse_plugin.history.recorded_runs import RecordedRun, RunOutline

from .lateness import is_late
from .stores import Stores

_RECENT_RUNS = 10
_NEVER = datetime.min.replace(tzinfo=timezone.utc)
_Key = tuple[str, str, str | None]


@dataclass(frozen=True, kw_only=True)
class ListProgress:
    """How far a list of the tap has come.

    `complete_at` is the begin of the last run that read it completely: what was written before is in the warehouse. It
    is None if no recent run did. `runs_without_progress` counts the last runs that did not.
    """

    name: str
    complete_at: datetime | None
    bookmark: str | None
    runs_without_progress: int


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """A tap or a target under one name, for one account. `runs` are its last ten, the latest first; dry runs are none.

    `requests_this_month` counts from the first of the month, UTC, dry runs included.
    """

    name: str
    plugin: str
    account: str | None
    runs: list[RecordedRun]
    requests_this_month: int
    is_late: bool

    @property
    def last_over(self) -> RecordedRun | None:
        """Return the last run that is over."""
        return next((run for run in self.runs if run.state != "running"), None)

    def lists(self) -> Iterator[ListProgress]:
        """Yield the progress of each list of a tap, the oldest first."""
        if self.plugin.startswith("tap-"):
            names = {stream.name for run in self.runs for stream in run.streams}
            yield from sorted(map(self._progress, sorted(names)), key=lambda each: each.complete_at or _NEVER)

    def _progress(self, name: str) -> ListProgress:
        reads = [(run, stream) for run in self.runs for stream in run.streams if stream.name == name]
        over = [(run, stream) for run, stream in reads if run.state != "running"]
        failures = [stream.verdict != "complete" for _, stream in over]
        return ListProgress(
            name=name,
            complete_at=next((run.began_at for run, stream in reads if stream.verdict == "complete"), None),
            bookmark=next((stream.bookmark for _, stream in reads if stream.bookmark), None),
            runs_without_progress=[*failures, False].index(False),
        )


def read_pipelines(stores: Stores, at: datetime) -> list[Pipeline]:
    """Return the pipelines with a run in the history, those that ran last first. Raises: ConfigError."""
    outlines = by_pipeline(stores.outlines())
    recent = {
        key: [outline.run_id for outline in runs if not outline.is_dry][:_RECENT_RUNS] for key, runs in outlines.items()
    }
    runs = stores.runs_by_id(run_id for run_ids in recent.values() for run_id in run_ids)
    month = at.astimezone(timezone.utc).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    pipelines = [
        Pipeline(
            name=name,
            plugin=plugin,
            account=account,
            runs=[run for run in runs if run.run_id in recent[name, plugin, account]],
            requests_this_month=sum(each.requests for each in all_runs if each.began_at >= month),
            is_late=is_late([each.began_at for each in all_runs if not each.is_dry], at),
        )
        for (name, plugin, account), all_runs in outlines.items()
    ]
    return [pipeline for pipeline in pipelines if pipeline.runs]


def by_pipeline(outlines: Iterable[RunOutline]) -> dict[_Key, list[RunOutline]]:
    """Group runs, the latest first. One that ended before it knew its account has that of the run before it."""
    groups: defaultdict[_Key, list[RunOutline]] = defaultdict(list)
    unnamed: defaultdict[tuple[str, str], list[RunOutline]] = defaultdict(list)
    for outline in outlines:
        name, plugin = outline.pipeline, outline.plugin
        if outline.account is None:
            unnamed[name, plugin].append(outline)
        else:
            groups[name, plugin, outline.account] += [*unnamed.pop((name, plugin), []), outline]
    for (name, plugin), runs in unnamed.items():
        accounts = [key for key in groups if key[:2] == (name, plugin)]
        groups[accounts[0] if accounts else (name, plugin, None)] += runs
    return dict(groups)
