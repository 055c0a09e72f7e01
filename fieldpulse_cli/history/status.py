"""What needs a person, and how each pipeline is: the answers of `fieldpulse status` and of the page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from fieldpulse_plugin.history.recorded_runs import RecordedRun
from target_fieldpulse.ledger.uncertain import UncertainEntry
from target_fieldpulse.reporting.open_rejects import RejectEntry

from .pipelines import Pipeline, read_pipelines
from .stores import Stores
from .words import age, names_in_words, result_of

_RUNS_UNTIL_INCOMPLETE = 2  # the run after an incomplete list reads it again
_QUOTA_SPENT = 3  # the exit status


@dataclass(frozen=True, kw_only=True)
class Need:
    """Something that needs a person. `pipeline` is its name; `command` is what to type next."""

    pipeline: str
    what: str
    command: str


@dataclass(frozen=True, kw_only=True)
class Status:
    """How everything is. `unwritten` are the records in the rejects file that are not uncertain, the oldest first."""

    at: datetime
    pipelines: list[Pipeline]
    unwritten: list[RejectEntry]
    uncertain: list[UncertainEntry]
    needs: list[Need]


def read_status(stores: Stores, at: datetime) -> Status:
    """Return the status at a time, from what the stores hold. Raises: ConfigError."""
    pipelines = read_pipelines(stores, at)
    targets = [pipeline for pipeline in pipelines if pipeline.plugin.startswith("target-")]
    running = [run for pipeline in targets for run in pipeline.runs if run.state == "running"]
    uncertain = [entry for entry in stores.uncertain_entries() if not _is_in_flight(entry, running)]
    uncertain_keys = {(entry.account, entry.key) for entry in uncertain}
    unwritten = [each for each in stores.reject_entries() if (each.account, each.key) not in uncertain_keys]
    needs = [need for pipeline in pipelines for need in _needs_of(pipeline, at)]
    if unwritten:
        needs.append(_rejects_need(unwritten, at))
    needs += _uncertain_needs(uncertain, at)
    return Status(at=at, pipelines=pipelines, unwritten=unwritten, uncertain=uncertain, needs=needs)


def _is_in_flight(entry: UncertainEntry, running: list[RecordedRun]) -> bool:
    """Return whether a run that goes on may be waiting for the response."""
    return any(run.account in (None, entry.account) and entry.sent_at >= run.began_at for run in running)


def _rejects_need(entries: list[RejectEntry], at: datetime) -> Need:
    count, since = len(entries), age(entries[0].first_at, at)
    records = "1 record was not written (" if count == 1 else f"{count:,} records were not written (the oldest "
    what = f"{records}{since}). Correct the cause, then write again: `fieldpulse rejects replay`."
    return Need(pipeline="target-fieldpulse", what=what, command="fieldpulse rejects list")


def _uncertain_needs(entries: list[UncertainEntry], at: datetime) -> Iterator[Need]:
    """Yield a need for what the next run looks for, and another for what only a person can settle."""
    left = [entry for entry in entries if entry.needs_settling]
    for group, then in (
        ([entry for entry in entries if not entry.needs_settling], "The next run looks for it."),
        (left, "Nothing sends it again until you have looked for it in FieldPulse, and settled it."),
    ):
        if group:
            rows = names_in_words(f"{entry.key.stream} {entry.key.redacted}" for entry in group)
            what = f"May exist or not, because the response was lost ({age(group[0].sent_at, at)}): {rows}. {then}"
            yield Need(pipeline="target-fieldpulse", what=what, command="fieldpulse ledger list --pending")


def _needs_of(pipeline: Pipeline, at: datetime) -> Iterator[Need]:
    run = pipeline.last_over
    if run is None:
        return
    details = f"fieldpulse runs {run.run_id[:8]}"
    if run.exit_status == _QUOTA_SPENT:
        what = (
            "The month's requests are used up. Ask FieldPulse support for more, raise `monthly_quota` if it is lower, "
            "or let pipelines run less often."
        )
        yield Need(pipeline=pipeline.name, what=what, command=details)
    elif run.state == "vanished" or run.reason or (run.exit_status and pipeline.plugin.startswith("tap-")):
        what = f"The last run ({age(run.began_at, at)}): {result_of(run, with_hint=True)}"
        yield Need(pipeline=pipeline.name, what=what, command=details)
    stuck = [each for each in pipeline.lists() if each.runs_without_progress >= _RUNS_UNTIL_INCOMPLETE]
    if stuck and not run.reason:
        names = names_in_words(each.name for each in stuck)
        what = f"Not read completely in the last {_RUNS_UNTIL_INCOMPLETE} runs or more: {names}."
        yield Need(pipeline=pipeline.name, what=what, command=details)
    if pipeline.is_late:
        what = f"It has not run when it usually does. The last run began {age(pipeline.runs[0].began_at, at)}."
        yield Need(pipeline=pipeline.name, what=what, command="check its scheduler (cron, systemd, Airflow)")
