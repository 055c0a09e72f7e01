"""The status on a terminal: what needs a person first, then pipelines, requests, and how old the data are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from .pipelines import ListProgress, Pipeline
from .screen import Screen
from .status import Need, Status
from .words import age, count_of, local_time, names_in_words, record_count, result_of, short_duration

_MAX_LISTS = 3


def print_status(status: Status) -> None:
    """Print the status. Times are those of this machine."""
    screen, at = Screen(), status.at
    if not status.pipelines:
        screen.line("No run is recorded yet. The history of runs is beside the stores: see --help.")
    if status.needs:
        _print_needs(screen, status.needs)
    elif status.pipelines:
        screen.line("Nothing needs you.", style="bold green")
    if not status.pipelines:
        return
    screen.heading(f"Pipelines at {at.astimezone():%a %d %b %Y %H:%M %Z}")
    screen.table(
        ("Pipeline", "Last run", "Took", "Records", "Result"),
        (_pipeline_row(pipeline, at) for pipeline in status.pipelines),
        right=("Took", "Records"),
        wide=("Pipeline", "Result"),
    )
    screen.line(_stores_line(status))
    numbers = ("Last run", "Rate", "Retries", "Throttled", "This month")
    screen.heading("Requests")
    screen.table(
        ("Pipeline", *numbers),
        map(_requests_row, status.pipelines),
        right=numbers,
        wide=("Pipeline",),
    )
    lists = [row for pipeline in status.pipelines for row in _list_rows(pipeline, at)]
    if lists:
        screen.heading("Lists were complete at")
        screen.table(("Pipeline", "Time", "Lists"), lists, wide=("Pipeline", "Lists"))
    drift = [line for pipeline in status.pipelines for line in _drift_of(pipeline)]
    if drift:
        screen.heading("Values that the schemas do not expect")
        for line in drift:
            screen.line(line)


def _print_needs(screen: Screen, needs: Iterable[Need]) -> None:
    screen.line("Needs a person", style="bold red")
    for number, need in enumerate(needs, 1):
        screen.line(f"{number}. {need.pipeline}: {need.what}")
        screen.line(f"→ {need.command}", indent=3, style="cyan")


def _pipeline_row(pipeline: Pipeline, at: datetime) -> tuple[str, ...]:
    run = pipeline.runs[0]
    name = pipeline.name if pipeline.account is None else f"{pipeline.name} ({pipeline.account})"
    began = f"{local_time(run.began_at, at)}, {age(run.began_at, at)}"
    return name, began, short_duration(run.seconds), f"{record_count(run):,}", result_of(run)


def _requests_row(pipeline: Pipeline) -> tuple[str, ...]:
    run = pipeline.runs[0]
    traffic = run.traffic
    rate = traffic.requests / run.seconds if run.seconds else 0
    budget = f"{rate:.1f} of {run.requests_per_second:g}/s"
    counts = (traffic.retries, traffic.throttled, pipeline.requests_this_month)
    return pipeline.name, f"{traffic.requests:,}", budget, *(f"{count:,}" for count in counts)


def _list_rows(pipeline: Pipeline, at: datetime) -> Iterator[tuple[str, ...]]:
    """Yield a row for each of the lists that are furthest behind, and one for the others."""
    lists = list(pipeline.lists())
    newest = max((each.complete_at for each in lists if each.complete_at), default=None)
    behind = [each for each in lists if each.runs_without_progress or each.complete_at != newest]
    worst, rest = behind[:_MAX_LISTS], behind[_MAX_LISTS:] + [each for each in lists if each not in behind]
    for each in worst:
        time = f"{local_time(each.complete_at, at)}, {age(each.complete_at, at)}" if each.complete_at else "not lately"
        yield pipeline.name, time, f"{each.name}{_standstill(each)}"
    if rest:
        oldest = min((each.complete_at for each in rest if each.complete_at), default=None)
        time = f"{local_time(oldest, at)}, {age(oldest, at)}" if oldest else "not lately"
        yield pipeline.name, time, f"{'the other ' if worst else 'all '}{count_of(len(rest), 'list')}"


def _standstill(progress: ListProgress) -> str:
    bookmark = progress.bookmark and f"bookmark {progress.bookmark}"
    runs = progress.runs_without_progress
    facts = [fact for fact in (bookmark, runs and f"not complete in {count_of(runs, 'run')}") if fact]
    return f": {', '.join(facts)}" if facts else ""


def _drift_of(pipeline: Pipeline) -> Iterator[str]:
    run = pipeline.runs[0]
    drifting = [stream for stream in run.streams if stream.drift]
    if drifting:
        names = names_in_words(stream.name for stream in drifting)
        yield f"{pipeline.name}: {names} (`fieldpulse runs {run.run_id[:8]}` has them)"


def _stores_line(status: Status) -> str:
    return f"Open rejects: {status.open_rejects:,}. Uncertain creates: {len(status.uncertain):,}."
