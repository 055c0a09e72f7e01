"""Filtered streams: they emit the rows that match, whether or not the server applies the filter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from fieldpulse_api.errors import ConfigError
from fieldpulse_sandbox.faults.fault import Fault
from fieldpulse_sandbox.sandbox import Sandbox
from tests.harness.tap_runner import run_tap

Config = dict[str, Any]
Predicate = Callable[[dict[str, Any]], bool]


def id_by_name(sandbox: Sandbox, stream: str, column: str, name: str) -> int:
    return next(int(row["id"]) for row in sandbox.rows(stream) if row[column] == name)


def team_ids(row: dict[str, Any]) -> set[int]:
    return {assignment["team_id"] for assignment in row["assignments"]}


CASES: list[tuple[str, dict[str, Any], Callable[[Sandbox], Predicate]]] = [
    (
        "customers",
        {"pipeline_status": ["Won", "Quoted"]},
        lambda sandbox: (
            lambda row: (
                row["pipeline_status_id"]
                in {
                    id_by_name(sandbox, "pipeline_statuses", "name", "Won"),
                    id_by_name(sandbox, "pipeline_statuses", "name", "Quoted"),
                }
            )
        ),
    ),
    (
        "customers",
        {"lead_source": "Website", "status": "lead"},
        lambda sandbox: (
            lambda row: (
                row["lead_source_id"] == id_by_name(sandbox, "lead_sources", "name", "Website")
                and row["status"] == "lead"
            )
        ),
    ),
    (
        "customers",
        {"tag": "VIP"},
        lambda sandbox: lambda row: id_by_name(sandbox, "tags", "title", "VIP") in row["tags"],
    ),
    ("customers", {"location": "testville"}, lambda _: lambda row: row["city"] == "Testville"),
    ("jobs", {"status": ["Completed", "On The Way"]}, lambda _: lambda row: row["status"] in (4, 6)),
    ("jobs", {"status": "4"}, lambda _: lambda row: row["status"] == 4),
    (
        "jobs",
        {"team": "North Crew"},
        lambda sandbox: lambda row: id_by_name(sandbox, "teams", "title", "North Crew") in team_ids(row),
    ),
    (
        "jobs",
        {"scheduled_from": "2026-03-01", "scheduled_to": "2026-06-30"},
        lambda _: lambda row: "2026-03-01" <= (row["start_time"] or "") < "2026-07-01",
    ),
    (
        "jobs",
        {"created_from": "2026-03-01T12:00:00Z"},
        lambda _: lambda row: row["created_at"] >= "2026-03-01 12:00:00",
    ),
    ("invoices", {"status": "Draft"}, lambda _: lambda row: row["status"] == 2),
    ("invoices", {"date_to": "2026-03-31"}, lambda _: lambda row: row["invoiced_date"] < "2026-04-01"),
    ("estimates", {"date_from": "2026-03-31"}, lambda _: lambda row: row["invoiced_date"] >= "2026-03-31"),
    ("payments", {"status": 4, "date_from": "2026-06-01"}, lambda _: lambda row: row["payment_date"] >= "2026-06-01"),
]


@pytest.mark.parametrize("is_honoured", [True, False], ids=["honoured", "ignored"])
@pytest.mark.parametrize(
    ("stream", "stream_filters", "predicate_for"), CASES, ids=[f"{case[0]}-{'-'.join(case[1])}" for case in CASES]
)
def test_a_filter_emits_the_rows_that_match(
    shared: Sandbox,
    stream: str,
    stream_filters: dict[str, Any],
    predicate_for: Callable[[Sandbox], Predicate],
    is_honoured: bool,
) -> None:
    """The rows are the same if the server applies the filter and if it ignores it."""
    config = {
        "api_key": shared.key,
        "api_url": shared.url,
        "rate_limit_store": "memory",
        "filters": {stream: stream_filters},
    }
    matches = predicate_for(shared)
    shared.behaviour.honour_filter = is_honoured
    try:
        emitted = run_tap(config, stream)
    finally:
        shared.behaviour.honour_filter = True
    wanted = [row["id"] for row in shared.rows(stream) if matches(row)]
    assert sorted(emitted.ids(stream)) == wanted
    assert wanted
    assert len(wanted) < len(shared.rows(stream))


@pytest.mark.parametrize(("is_honoured", "filtered_out"), [(True, "filtered_out=0 "), (False, "filtered_out=")])
def test_the_closing_line_counts_the_rows_that_match_no_filter(
    sandbox: Sandbox, config: Config, caplog: pytest.LogCaptureFixture, is_honoured: bool, filtered_out: str
) -> None:
    """The count shows a user whether the server applies the filter."""
    sandbox.behaviour.honour_filter = is_honoured
    with caplog.at_level("INFO"):
        emitted = run_tap(config | {"filters": {"jobs": {"status": "Completed"}}}, "jobs")
    (line,) = [record.getMessage() for record in caplog.records if "pages=" in record.getMessage()]
    others = len(sandbox.rows("jobs")) - len(emitted.records["jobs"])
    assert filtered_out + ("" if is_honoured else f"{others} ") in line


@pytest.mark.parametrize("status", [400, 500])
def test_a_filter_that_the_server_rejects_is_applied_by_the_tap(
    sandbox: Sandbox, config: Config, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    """A filter on an unknown column returns 500 (verified), however few rows are requested."""
    attempts = 1 if status == 400 else 18
    sandbox.add_fault(Fault("error_status", path="/customers", status=status, times=attempts))
    emitted = run_tap(config | {"filters": {"customers": {"status": "lead"}}}, "customers")
    assert emitted.ids("customers") == [row["id"] for row in sandbox.rows("customers") if row["status"] == "lead"]
    assert "rejected the filter" in caplog.text


@pytest.mark.parametrize("job_filters", [{"status": "Completed"}, {"scheduled_from": "2026-03-01"}, {"assignee": 1}])
def test_a_filter_that_the_server_applies_differently_loses_no_row(
    sandbox: Sandbox, config: Config, job_filters: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """The tap detects that matching rows are missing, in a first run and in a later run."""
    if "assignee" in job_filters:
        job_filters = {"assignee": sandbox.rows("users")[3]["id"]}
    config |= {"filters": {"jobs": job_filters}}
    correct = run_tap(config, "jobs")
    sandbox.behaviour.filters_match_nothing = True
    misread = run_tap(config, "jobs")
    assert misread.ids("jobs") == correct.ids("jobs")
    assert misread.ids("jobs")
    assert "applies the filter differently" in caplog.text
    changed = misread.ids("jobs")[0]
    sandbox.store.update("jobs", changed, {"subtitle": "Changed"})
    sandbox.store.patch("jobs", changed, {"updated_at": "2026-11-20 00:00:00"})
    assert changed in run_tap(config, "jobs", state=misread.state).ids("jobs")


def test_a_changed_filter_reads_its_stream_from_the_start(sandbox: Sandbox, config: Config) -> None:
    """Rows that match only the new filter are older than the bookmark."""
    first = run_tap(config | {"filters": {"jobs": {"status": "Completed"}}}, "jobs")
    other = config | {"filters": {"jobs": {"status": "New"}}}
    second = run_tap(other, "jobs", state=first.state)
    assert second.ids("jobs") == [row["id"] for row in sandbox.rows("jobs") if row["status"] == 1]
    assert len(run_tap(other, "jobs", state=second.state).ids("jobs")) <= 1
    third = run_tap(config, "jobs", state=second.state)
    assert third.ids("jobs") == [row["id"] for row in sandbox.rows("jobs")]
    assert third.state["bookmarks"]["jobs"]["filters"] is None


def test_an_incremental_run_emits_changed_rows_that_match(sandbox: Sandbox, config: Config) -> None:
    """Filter and bookmark both apply."""
    config |= {"filters": {"jobs": {"status": "Completed"}}}
    first = run_tap(config, "jobs")
    done, open_ = ([row["id"] for row in sandbox.rows("jobs") if row["status"] == code][:2] for code in (4, 1))
    for row_id in (*done, *open_):
        sandbox.store.update("jobs", row_id, {"subtitle": "Changed"})
    second = run_tap(config, "jobs", state=first.state)
    assert set(done) <= set(second.ids("jobs"))
    assert not set(open_) & set(second.ids("jobs"))


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ({"tags": {"name": "VIP"}}, "No stream of this name has filters: got 'tags'"),
        ({"customers": {"tag": "VPI"}}, "The filter has no such value"),
        ({"customers": {"city": "Testville"}}, "Unknown filter: got 'city'"),
    ],
)
def test_a_wrong_filter_ends_the_run_before_any_record(
    sandbox: Sandbox, config: Config, filters: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        run_tap(config | {"filters": filters}, "customers")
