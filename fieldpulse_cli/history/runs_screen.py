"""Runs on a terminal: a line for each, or all facts of one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from fieldpulse_plugin.history.facts import StreamFacts
from fieldpulse_plugin.history.recorded_runs import RecordedRun

from .screen import Screen
from .words import duration, local_time, rate_of, record_count, result_of, short_duration, took

ID_LENGTH = 8
"""Characters of a run's id that are enough to name it."""
_LATENCIES = ("median", "95 %", "99 %", "longest")


def print_runs(runs: Iterable[RecordedRun], at: datetime) -> None:
    """Print a line for each run."""
    rows = [
        (
            run.run_id[:ID_LENGTH],
            local_time(run.began_at, at),
            took(run),
            f"{record_count(run):,}",
            run.pipeline,
            result_of(run),
        )
        for run in runs
    ]
    columns = ("Run", "Began", "Took", "Records", "Pipeline", "Result")
    Screen().table(columns, rows, right=("Took", "Records"), wide=("Pipeline", "Result"), wraps=False)


def print_run(run: RecordedRun, at: datetime) -> None:
    """Print all facts of a run, and its streams. Changes are rows that are new (+), changed (~) and deleted (-)."""
    screen = Screen()
    screen.line(f"Run {run.run_id}", style="bold")
    for name, value in _facts(run, at):
        screen.line(f"{name:10} {value}")
    if not run.streams:
        screen.line("No stream began.")
        return
    screen.heading("Streams")
    if run.plugin.startswith("tap-"):
        columns = ("Records", "Server", "Verdict", "Changes", "Requests", "Took")
        right = ("Records", "Server", "Requests", "Took")
        screen.table(("Stream", *columns), map(_list_row, run.streams), right=right, wide=("Stream",))
        bookmarks = [(stream.name, stream.bookmark) for stream in run.streams if stream.bookmark]
        if bookmarks:
            screen.heading("Bookmarks")
            screen.table(("Stream", "The next run continues at"), bookmarks, wide=("Stream",))
    else:
        screen.table(
            ("Stream", "Records", "Outcomes"),
            map(_written_row, run.streams),
            right=("Records",),
            wide=("Stream", "Outcomes"),
        )
    for stream in run.streams:
        for line in [*([f"failed: {stream.error}"] if stream.error else []), *stream.drift]:
            screen.line(f"{stream.name}: {line}")


def _facts(run: RecordedRun, at: datetime) -> Iterator[tuple[str, str]]:
    traffic = run.traffic
    yield "Pipeline", f"{run.pipeline} ({run.plugin} {run.version})"
    yield "Account", run.account or "not looked up"
    yield "Process", f"{run.process_id} on {run.host}"
    yield "Began", f"{local_time(run.began_at, at)} ({run.began_at:%Y-%m-%dT%H:%M:%SZ})"
    yield "Took", "unknown" if run.state == "vanished" else duration(run.seconds)
    yield (
        "Exit",
        "none yet" if run.state == "running" else str(run.exit_status if run.exit_status is not None else run.state),
    )
    yield "Result", result_of(run, with_hint=True)
    yield "Requests", f"{traffic.requests:,}, {rate_of(run)}/s of a budget of {run.requests_per_second:g}/s"
    yield "", f"retries {traffic.retries:,}, throttled {traffic.throttled:,}, server errors {traffic.failed:,}"
    if traffic.latency_max is not None:
        latencies = (traffic.latency_p50, traffic.latency_p95, traffic.latency_p99, traffic.latency_max)
        figures = [
            f"{name} {round(1000 * (value or 0)):,} ms" for name, value in zip(_LATENCIES, latencies, strict=True)
        ]
        yield "Latency", ", ".join(figures)
    yield "Received", f"{traffic.bytes / 1_000_000:,.1f} MB"
    if run.plugin.startswith("target-"):
        yield "Rejects", f"{run.open_rejects:,} open at its end"


def _list_row(stream: StreamFacts) -> tuple[str, ...]:
    changes = {"+": stream.new, "~": stream.changed, "-": stream.deleted}
    ended = stream.ended_at
    return (
        stream.name,
        f"{stream.records:,}",
        "" if stream.server_count is None else f"{stream.server_count:,}",
        stream.verdict or ("failed" if stream.error else "not over"),
        " ".join(f"{sign}{count:,}" for sign, count in changes.items() if count is not None),
        f"{stream.requests:,}",
        short_duration((ended - stream.began_at).total_seconds()) if ended else "",
    )


def _written_row(stream: StreamFacts) -> tuple[str, ...]:
    outcomes = ", ".join(f"{count:,} {outcome}" for outcome, count in stream.outcomes.items())
    return stream.name, f"{stream.records:,}", outcomes
