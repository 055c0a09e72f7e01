"""The status on a terminal: what needs a person first, then pipelines, requests, and how old the data are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime

from .pipelines import ListProgress, Pipeline
from .screen import Screen
from .status import Need, Status
from .words import age, count_of, local_time, names_in_words, rate_of, record_count, result_of, took

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
    screen.heading("Requests (FieldPulse does not publish how many a month has)")
    screen.table(
        ("Pipeline", *numbers),
        map(_requests_row, status.pipelines),
        right=numbers,
        wide=("Pipeline",),
    )
    lists = [row for pipeline in status.pipelines for row in _list_rows(pipeline, at)]
    if lists:
        screen.heading("When each list was last read completely")
        screen.table(("Pipeline", "Time", "Lists"), lists, wide=("Pipeline", "Lists"))
    drift = [line for pipeline in status.pipelines for line in _drift_of(pipeline)]
    if drift:
        screen.heading("For information: values that the schemas do not expect")
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
    return name, began, took(run), f"{record_count(run):,}", result_of(run)


def _requests_row(pipeline: Pipeline) -> tuple[str, ...]:
    run = pipeline.runs[0]
    traffic = run.traffic
    budget = f"{rate_of(run)} of {run.requests_per_second:g}/s"
    counts = (traffic.retries, traffic.throttled, pipeline.requests_this_month)
    return pipeline.name, f"{traffic.requests:,}", budget, *(f"{count:,}" for count in counts)


def _list_rows(pipeline: Pipeline, at: datetime) -> Iterator[tuple[str, ...]]:
    """Yield a row for each list that the last runs did not complete, then one for the others of each time."""
    lists = list(pipeline.lists())
    stuck = [each for each in lists if each.runs_without_progress][:_MAX_LISTS]
    for each in stuck:
        yield pipeline.name, _time_of(each.complete_at, at), f"{each.name}{_standstill(each)}"
    by_time = defaultdict(list)
    for each in lists:
        if each not in stuck:
            by_time[each.complete_at].append(each.name)
    for complete_at, names in sorted(by_time.items(), key=lambda item: (item[0] is not None, item[0])):
        is_all = len(names) == len(lists)
        words = f"all {count_of(len(names), 'list')}" if is_all else names_in_words(names)
        yield pipeline.name, _time_of(complete_at, at), words


def _time_of(complete_at: datetime | None, at: datetime) -> str:
    return f"{local_time(complete_at, at)}, {age(complete_at, at)}" if complete_at else "not lately"


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
    return f"Not written: {count_of(len(status.unwritten), 'record')}. Uncertain: {len(status.uncertain):,}."
