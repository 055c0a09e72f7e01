"""The charts of the page: which numbers of the history each shows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta

from fieldpulse_api.http.traffic import TrafficFacts
from fieldpulse_plugin.history.recorded_runs import RecordedRun

from .charts import Chart, Series
from .overview import Overview, PipelineRuns

_MAX_STREAMS = 12
_DAY = timedelta(days=1)


def runs_chart(overview: Overview) -> Chart | None:
    """Return the chart of all runs by the way they ended."""
    if not overview.intervals:
        return None
    intervals = overview.intervals
    form = "%d %b" if overview.interval >= _DAY else "%d %b %H:%M"
    return Chart(
        title="Runs by the way they ended",
        unit="runs",
        first_column="from",
        kind="stacked",
        labels=[interval.began_at.strftime(form) for interval in intervals],
        series=[
            Series("success", "good", [each.good for each in intervals]),
            Series("incomplete", "warn", [each.incomplete for each in intervals]),
            Series("failed", "bad", [each.failed for each in intervals]),
            Series("running or vanished", "mute", [each.open for each in intervals]),
        ],
    )


def pipeline_charts(pipeline: PipelineRuns) -> Iterator[Chart]:
    """Yield the charts of a pipeline: of its last run first, then over its last runs, if there are several."""
    if pipeline.is_target:
        yield from _outcomes(pipeline.runs[0])
    else:
        yield from _completeness(pipeline.runs[0])
    yield from _requests(pipeline.runs[0])
    runs = [run for run in reversed(pipeline.runs) if run.traffic.requests]
    if len(runs) > 1:
        yield _over_runs(
            runs,
            "Latency of responses",
            "seconds",
            ("median", "first", lambda run: run.traffic.latency_p50),
            ("95 %", "second", lambda run: run.traffic.latency_p95),
            ("99 %", "third", lambda run: run.traffic.latency_p99),
        )
        yield _over_runs(
            runs,
            "Retries and throttled requests",
            "requests",
            ("retries", "warn", lambda run: run.traffic.retries),
            ("throttled", "bad", lambda run: run.traffic.throttled),
        )
    if len(pipeline.runs) > 1 and any(stream.new is not None for run in pipeline.runs for stream in run.streams):
        yield _over_runs(
            list(reversed(pipeline.runs)),
            "Rows that were new, changed or deleted",
            "rows",
            ("new", "first", lambda run: _sum(stream.new for stream in run.streams)),
            ("changed", "second", lambda run: _sum(stream.changed for stream in run.streams)),
            ("deleted", "third", lambda run: _sum(stream.deleted for stream in run.streams)),
        )


def _completeness(run: RecordedRun) -> Iterator[Chart]:
    """Yield the chart of records beside the server's count, of the largest streams; those that lack rows come first."""
    counted = [stream for stream in run.streams if stream.server_count is not None]
    order = sorted(counted, key=lambda each: (each.verdict == "complete", -(each.server_count or 0), each.name))
    streams = list(reversed(order[:_MAX_STREAMS]))
    if streams:
        yield Chart(
            title="Records of the last run, beside the server's count",
            unit="rows",
            first_column="stream",
            kind="bars",
            labels=[stream.name for stream in streams],
            series=[
                Series("records emitted", "first", [stream.records for stream in streams]),
                Series("server's count", "mute", [stream.server_count for stream in streams]),
            ],
        )


def _outcomes(run: RecordedRun) -> Iterator[Chart]:
    """Yield the chart of the outcomes of a run of the target."""
    streams = [stream for stream in run.streams if stream.outcomes][:_MAX_STREAMS]
    good = ("created", "updated", "deleted")
    bad = ("rejected", "failed", "uncertain", "unsent")
    if streams:
        yield Chart(
            title="Outcomes of the last run",
            unit="records",
            first_column="stream",
            kind="bars",
            labels=[stream.name for stream in reversed(streams)],
            series=[
                Series(
                    name,
                    color,
                    [sum(stream.outcomes.get(each, 0) for each in outcomes) for stream in reversed(streams)],
                )
                for name, color, outcomes in (
                    ("written", "good", good),
                    ("unchanged or skipped", "mute", ("unchanged", "skipped", "superseded")),
                    ("rejected, failed, uncertain or unsent", "bad", bad),
                )
            ],
        )


def _requests(run: RecordedRun) -> Iterator[Chart]:
    """Yield the chart of the requests of a run over time, against the budget."""
    traffic = run.traffic
    if not traffic.over_time:
        return
    seconds = traffic.interval_seconds
    yield Chart(
        title="Requests per second in the last run, against the budget",
        unit="requests/s",
        first_column="second of the run",
        kind="line",
        labels=[f"{number * seconds} s" for number in range(len(traffic.over_time))],
        series=[
            Series("requests", "first", [_rate(requests, traffic) for requests, _ in traffic.over_time]),
            Series("throttled", "bad", [_rate(throttled, traffic) for _, throttled in traffic.over_time]),
            Series("budget", "budget", [run.requests_per_second] * len(traffic.over_time)),
        ],
    )


def _rate(requests: int, traffic: TrafficFacts) -> float:
    return round(requests / traffic.interval_seconds, 2)


def _over_runs(
    runs: Sequence[RecordedRun],
    title: str,
    unit: str,
    *lines: tuple[str, str, Callable[[RecordedRun], float | None]],
) -> Chart:
    return Chart(
        title=f"{title}, last {len(runs)} runs",
        unit=unit,
        first_column="run",
        kind="line",
        labels=[_short_time(run.began_at) for run in runs],
        series=[Series(name, color, [_rounded(number_of(run)) for run in runs]) for name, color, number_of in lines],
    )


def _short_time(time: datetime) -> str:
    return time.astimezone().strftime("%d %b %H:%M")


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(number, 3)


def _sum(counts: Iterator[int | None]) -> int:
    return sum(count or 0 for count in counts)
