"""Change events: each change of a row becomes exactly one event, in the form of the vendor's webhooks."""

from __future__ import annotations

import copy
import json
import logging
import random
import signal
import subprocess
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from jsonschema import Draft7Validator

from fieldpulse_sandbox.faults.fault import Fault
from fieldpulse_sandbox.sandbox import Sandbox
from fieldpulse_sandbox.server.recorded_request import RecordedRequest
from tap_fieldpulse.sync.context import SyncContext
from tap_fieldpulse.sync.sync_plan import StreamSelection
from tap_fieldpulse.tap import TapFieldPulse
from tests.harness.messages import Message
from tests.harness.processes import plugin_command, run_process
from tests.harness.results import RunResult
from tests.harness.tap_runner import join_prefetch_threads, run_tap, select_streams

Config = dict[str, Any]
EventKey = tuple[str, str, int]


def event_keys(emitted: RunResult) -> list[EventKey]:
    """Return event, stream and row id of each change event, sorted."""
    return sorted(
        (record["event"], record["stream"], record["object_id"]) for record in emitted.records["change_events"]
    )


def run_with_events(config: Config, *streams: str, state: Message | None = None) -> RunResult:
    return run_tap(config, *streams, "change_events", state=state)


def event_of_kind(emitted: RunResult, kind: str) -> Message:
    (match,) = [record for record in emitted.records["change_events"] if record["event"] == kind]
    return match


def test_the_first_run_fills_the_snapshot_and_emits_no_event(snapshot_config: Config) -> None:
    """Rows that existed before the first run are not reported as created."""
    first = run_with_events(snapshot_config, "jobs", "customers")
    assert event_keys(first) == []
    assert first.records["jobs"]
    assert event_keys(run_with_events(snapshot_config, "jobs", "customers", state=first.state)) == []


def test_each_kind_of_change_is_an_event(sandbox: Sandbox, snapshot_config: Config) -> None:
    """An event of each kind has the columns that a consumer of the webhooks expects."""
    snapshot_config |= {"detect_deletes": True}
    first = run_with_events(snapshot_config, "jobs")
    flow = sandbox.rows("job_statuses")
    jobs = [row for row in sandbox.rows("jobs") if row["status"] == 1]
    sandbox.store.update("jobs", jobs[0]["id"], {"subtitle": "New subtitle", "notes": "Bring a ladder"})
    sandbox.store.update("jobs", jobs[1]["id"], {"status": 6, "status_id": flow[1]["id"]})
    sandbox.store.delete("jobs", jobs[2]["id"])
    created_id = sandbox.store.create("jobs", {"job_type": "Born", "customer_id": 1})["id"]
    second = run_with_events(snapshot_config, "jobs", state=first.state)
    assert event_keys(second) == sorted(
        [
            ("created", "jobs", created_id),
            ("updated", "jobs", jobs[0]["id"]),
            ("status_changed", "jobs", jobs[1]["id"]),
            ("deleted", "jobs", jobs[2]["id"]),
        ]
    )
    created, updated = event_of_kind(second, "created"), event_of_kind(second, "updated")
    changed, deleted = event_of_kind(second, "status_changed"), event_of_kind(second, "deleted")
    assert (created["trigger"], created["message"]) == ("Job Created", "CREATE ON JOBS")
    assert created["object"]["job_type"] == "Born"
    assert updated["message"] == "UPDATE ON JOBS FOR notes, subtitle"
    assert updated["old_value"] == {"notes": jobs[0]["notes"], "subtitle": jobs[0]["subtitle"]}
    assert updated["new_value"] == {"notes": "Bring a ladder", "subtitle": "New subtitle"}
    assert changed["trigger"] == "Job Workflow Custom Status Update"
    assert changed["message"] == "UPDATE ON JOBS FOR status_id"
    assert (changed["old_value"], changed["new_value"]) == (flow[0]["id"], flow[1]["id"])
    assert changed["object"]["id"] == jobs[1]["id"]
    assert (
        changed["updated_at"]
        == changed["object"]["updated_at"]
        > first.state["bookmarks"]["jobs"]["replication_key_value"]
    )
    assert (deleted["trigger"], deleted["object"]["job_type"]) == ("Job Deleted", jobs[2]["job_type"])
    validator = Draft7Validator(second.schemas["change_events"], format_checker=Draft7Validator.FORMAT_CHECKER)
    for record in second.records["change_events"]:
        validator.validate(record)


def test_streams_that_are_not_selected_are_tracked_too(sandbox: Sandbox, snapshot_config: Config) -> None:
    """A user may select `change_events` alone, without the records of the streams."""
    snapshot_config |= {"change_event_streams": ["payments"]}
    first = run_with_events(snapshot_config)
    assert set(first.records) <= {"change_events"}
    for stream in ("customers", "estimates", "invoices", "jobs", "payments", "tags"):
        sandbox.store.update(stream, sandbox.rows(stream)[0]["id"], {"notes": "Changed", "title": "Changed"})
    second = run_with_events(snapshot_config, state=first.state)
    assert {record["stream"] for record in second.records["change_events"]} == {
        "customers", "estimates", "invoices", "jobs", "payments"
    }  # fmt: skip
    assert set(second.records) == {"change_events"}
    assert event_keys(run_with_events(snapshot_config, state=second.state)) == []


def test_a_new_updated_at_alone_is_not_a_change(sandbox: Sandbox, snapshot_config: Config) -> None:
    """The vendor's webhooks do not fire for it either."""
    first = run_with_events(snapshot_config, "jobs")
    sandbox.store.update("jobs", sandbox.rows("jobs")[0]["id"], {})
    assert event_keys(run_with_events(snapshot_config, "jobs", state=first.state)) == []


def test_a_renamed_custom_field_changes_no_row(sandbox: Sandbox, snapshot_config: Config) -> None:
    """A row that is read again has no event, unless a value of a custom field changed."""
    first = run_with_events(snapshot_config, "customers", "jobs")
    for field in sandbox.rows("custom_fields"):
        sandbox.store.patch("custom_fields", field["id"], {"name": f"New {field['name']}", "field_widget_id": 1})
    stamped, valued = sandbox.rows("jobs")[0]["id"], sandbox.rows("jobs")[1]["id"]
    sandbox.store.update("jobs", stamped, {})
    field_id = sandbox.rows("custom_fields")[5]["id"]
    values = [{"id": 1, "field_instance_id": field_id, "value": "9"}]
    sandbox.store.update("jobs", valued, {"customfields": values})
    second = run_with_events(snapshot_config, "customers", "jobs", state=first.state)
    assert event_keys(second) == [("updated", "jobs", valued)]
    assert event_of_kind(second, "updated")["new_value"] == {"customfields": {str(field_id): "9"}}


def test_a_new_column_of_the_api_changes_no_row(sandbox: Sandbox, snapshot_config: Config) -> None:
    """Details that an earlier run did not read change no row either."""
    first = run_with_events(snapshot_config, "jobs")
    for row in sandbox.rows("jobs")[:3]:
        sandbox.store.update("jobs", row["id"], {"brand_new": 1})
    assert event_keys(run_with_events(snapshot_config | {"detail_streams": ["jobs"]}, "jobs", state=first.state)) == []


def test_another_form_of_decimals_changes_no_row(sandbox: Sandbox, snapshot_config: Config) -> None:
    """The setting decimals_as_numbers is switched on; then one amount changes."""
    first = run_with_events(snapshot_config, "invoices")
    snapshot_config |= {"decimals_as_numbers": True}
    for row in sandbox.rows("invoices"):
        sandbox.store.update("invoices", row["id"], {"updated_at": row["updated_at"]})
    second = run_with_events(snapshot_config, "invoices", state=first.state)
    assert event_keys(second) == []
    changed = sandbox.rows("invoices")[0]["id"]
    sandbox.store.update("invoices", changed, {"line_discount": "1.50"})
    assert event_keys(run_with_events(snapshot_config, "invoices", state=second.state)) == [
        ("updated", "invoices", changed)
    ]


def test_the_first_run_with_change_events_reads_the_full_list(sandbox: Sandbox, snapshot_config: Config) -> None:
    """Otherwise an old row that changes would be reported as created."""
    before = run_tap(snapshot_config, "jobs")
    first = run_with_events(snapshot_config, "jobs", state=before.state)
    assert event_keys(first) == []
    assert len(first.records["jobs"]) <= 1
    old = sandbox.rows("jobs")[0]["id"]
    sandbox.store.update("jobs", old, {"subtitle": "Changed"})
    assert event_keys(run_with_events(snapshot_config, "jobs", state=first.state)) == [("updated", "jobs", old)]


def test_a_row_that_starts_to_match_the_filters_is_not_reported_as_created(
    sandbox: Sandbox, snapshot_config: Config
) -> None:
    """Its event has the old values. A row that stops matching has no event."""
    snapshot_config |= {"filters": {"jobs": {"status": "Completed"}}}
    first = run_with_events(snapshot_config, "jobs")
    old, newest = (
        next(row for row in rows if row["status"] == 1) for rows in (sandbox.rows("jobs"), sandbox.rows("jobs")[::-1])
    )
    leaving = next(row["id"] for row in sandbox.rows("jobs") if row["status"] == 4)
    for row_id, status in ((old["id"], 4), (newest["id"], 4), (leaving, 1)):
        sandbox.store.update("jobs", row_id, {"status": status})
    created_id = sandbox.store.create("jobs", {"job_type": "Born", "customer_id": 1, "status": 4})["id"]
    second = run_with_events(snapshot_config, "jobs", state=first.state)
    assert event_keys(second) == sorted(
        [
            ("created", "jobs", created_id),
            ("status_changed", "jobs", old["id"]),
            ("status_changed", "jobs", newest["id"]),
        ]
    )
    assert {record["old_value"] for record in second.records["change_events"]} == {1, None}
    sandbox.store.update("jobs", leaving, {"status": 4})
    assert event_keys(run_with_events(snapshot_config, "jobs", state=second.state)) == [
        ("status_changed", "jobs", leaving)
    ]


@pytest.mark.parametrize("deletes", [False, True])
def test_changed_filters_change_no_row(sandbox: Sandbox, snapshot_config: Config, deletes: str) -> None:
    """Rows that match only the new filters have no event."""
    snapshot_config |= {"detect_deletes": deletes}
    state = None
    for filters in ({"status": "Completed"}, {"status": ["Completed", "New"]}, {}, {"status": "New"}):
        emitted = run_with_events(snapshot_config | {"filters": {"jobs": filters}}, "jobs", state=state)
        assert event_keys(emitted) == []
        state = emitted.state


def test_the_delete_of_a_row_that_matches_no_filter_is_not_reported(sandbox: Sandbox, snapshot_config: Config) -> None:
    """The row was never emitted, so its delete is not emitted either."""
    snapshot_config |= {"filters": {"jobs": {"status": "Completed"}}, "detect_deletes": True}
    first = run_with_events(snapshot_config, "jobs")
    other, matching = (next(row["id"] for row in sandbox.rows("jobs") if row["status"] == code) for code in (1, 4))
    for row_id in (other, matching):
        sandbox.store.delete("jobs", row_id)
    second = run_with_events(snapshot_config, "jobs", "deleted_rows", state=first.state)
    assert event_keys(second) == [("deleted", "jobs", matching)]
    assert second.ids("deleted_rows") == [matching]


@pytest.mark.parametrize("between", [{}, {"detect_deletes": True}])
def test_changes_during_runs_without_change_events_are_reported_later(
    sandbox: Sandbox, snapshot_config: Config, between: Config
) -> None:
    """The full list is compared, because the bookmark moved while the snapshot did not."""
    first = run_with_events(snapshot_config, "jobs")
    changed = sandbox.rows("jobs")[0]["id"]
    sandbox.store.update("jobs", changed, {"subtitle": "Changed"})
    second = run_tap(snapshot_config | between, "jobs", "deleted_rows", state=first.state)
    assert changed in second.ids("jobs")
    sandbox.store.patch("jobs", changed, {"updated_at": "2026-01-01 00:00:00"})
    third = run_with_events(snapshot_config, "jobs", state=second.state)
    assert event_keys(third) == [("updated", "jobs", changed)]
    assert event_keys(run_with_events(snapshot_config, "jobs", state=third.state)) == []


def test_events_of_rows_without_records_do_not_pile_up(snapshot_config: Config) -> None:
    """A page that only shows missed changes has a batch of its own: its events do not wait for a record."""
    with Sandbox(customers=120) as sandbox:
        config = snapshot_config | {"api_url": sandbox.url, "api_key": sandbox.key}
        first = run_with_events(config, "customers")
        rows = sandbox.rows("customers")
        for row in rows:
            sandbox.store.patch("customers", row["id"], {"notes": "Changed", "updated_at": "2025-01-01 00:00:00"})
        state = first.state["bookmarks"]["customers"] | {"events": None}
        context = SyncContext(TapFieldPulse(config=config).settings, None, logging.getLogger("test"))
        context.has_any_state = True
        selection = StreamSelection(is_incremental=True, has_change_events=True)
        sync = context.stream_sync("customers", state, logging.getLogger("test"), selection=selection)
        event_counts = [len(batch.events) for batch in sync.batches()]
        context.close()
        join_prefetch_threads()
    assert sum(event_counts) == len(rows)
    assert max(event_counts) <= 100


def test_events_have_no_column_that_is_deselected_in_their_stream(sandbox: Sandbox, snapshot_config: Config) -> None:
    """A column that a user excludes from the warehouse must not reach it in an event."""
    catalog = select_streams(TapFieldPulse(config=dict(snapshot_config)), ["customers", "change_events"])
    entry = next(each for each in catalog["streams"] if each["tap_stream_id"] == "customers")
    for metadata in entry["metadata"]:
        if metadata["breadcrumb"]:
            metadata["metadata"]["selected"] = metadata["breadcrumb"][1:] in (["id"], ["status"], ["updated_at"])
    first = run_tap(snapshot_config, catalog=copy.deepcopy(catalog))
    both, hidden = sandbox.rows("customers")[0]["id"], sandbox.rows("customers")[1]["id"]
    sandbox.store.update("customers", both, {"email": "new@example.com", "status": "lost"})
    sandbox.store.update("customers", hidden, {"email": "other@example.com"})
    second = run_tap(snapshot_config, catalog=copy.deepcopy(catalog), state=first.state)
    assert event_keys(second) == [("status_changed", "customers", both)]
    assert set(event_of_kind(second, "status_changed")["object"]) == {"id", "status", "updated_at"}
    assert "example.com" not in repr(second.records)


def test_the_first_run_with_filters_emits_only_rows_that_match(sandbox: Sandbox, snapshot_config: Config) -> None:
    """The full list is read for the snapshot."""
    emitted = run_with_events(snapshot_config | {"filters": {"jobs": {"status": "Completed"}}}, "jobs")
    assert emitted.ids("jobs") == [row["id"] for row in sandbox.rows("jobs") if row["status"] == 4]


@pytest.mark.parametrize("returned", ["first", "second"])
def test_events_are_repeated_until_their_state_is_returned(
    sandbox: Sandbox, snapshot_config: Config, returned: str
) -> None:
    """If the target fails after the tap has ended, the next run emits the same events with the same ids."""
    first = run_with_events(snapshot_config, "jobs")
    sandbox.store.update("jobs", sandbox.rows("jobs")[0]["id"], {"subtitle": "Changed"})
    second = run_with_events(snapshot_config, "jobs", state=first.state)
    third = run_with_events(snapshot_config, "jobs", state={"first": first, "second": second}[returned].state)
    assert len(event_keys(second)) == 1
    if returned == "second":
        assert event_keys(third) == []
    else:
        (again,), (before,) = third.records["change_events"], second.records["change_events"]
        assert again["event_id"] == before["event_id"]
        assert again | {"detected_at": ""} == before | {"detected_at": ""}


def test_without_a_state_events_are_compared_with_the_last_finished_run(
    sandbox: Sandbox, snapshot_config: Config
) -> None:
    """A user who passes no state still receives each event once."""
    run_with_events(snapshot_config, "jobs")
    changed = sandbox.rows("jobs")[0]["id"]
    sandbox.store.update("jobs", changed, {"subtitle": "Changed"})
    assert event_keys(run_with_events(snapshot_config, "jobs")) == [("updated", "jobs", changed)]
    assert event_keys(run_with_events(snapshot_config, "jobs")) == []


def test_an_older_state_repeats_no_confirmed_event(sandbox: Sandbox, snapshot_config: Config) -> None:
    """A restored backup of the state repeats rows, but not events."""
    states = [run_with_events(snapshot_config, "jobs").state]
    for number in range(3):
        sandbox.store.update("jobs", sandbox.rows("jobs")[0]["id"], {"subtitle": f"Changed {number}"})
        states.append(run_with_events(snapshot_config, "jobs", state=states[-1]).state)
    run_with_events(snapshot_config, "jobs", state=states[-1])
    assert event_keys(run_with_events(snapshot_config, "jobs", state=states[1])) == []


@pytest.mark.parametrize("misbehaviour", ["sort", "count", "filter", "all", "shuffled"])
def test_records_and_events_are_exact_under_each_server_behaviour(
    sandbox: Sandbox, snapshot_config: Config, misbehaviour: str
) -> None:
    """Rows are created, changed and deleted during a scan, while the server ignores sorting, counts or filters."""
    snapshot_config |= {
        "detect_deletes": True,
        "page_size": 7,
        "filters": {"customers": {"status": ["lead", "current customer"]}},
    }
    sandbox.behaviour.honour_sort = misbehaviour in ("count", "filter")
    sandbox.behaviour.honour_filter = misbehaviour in ("count", "sort")
    sandbox.behaviour.shuffle_unsorted = misbehaviour == "shuffled"
    if misbehaviour in ("count", "all"):
        sandbox.behaviour.count_key, sandbox.behaviour.always_count = None, ()
    chance = random.Random(misbehaviour)
    expected: set[EventKey] = set()
    touched: set[int] = set()

    def change_rows() -> None:
        rows = [row["id"] for row in sandbox.rows("jobs") if row["id"] not in touched]
        some = chance.sample(rows, 4)
        touched.update(some)
        sandbox.store.update("jobs", some[0], {"subtitle": f"S{chance.random()}"})
        sandbox.store.update("jobs", some[1], {"status": 5 if sandbox.store.get("jobs", some[1])["status"] == 4 else 4})
        sandbox.store.delete("jobs", some[2])
        created_id = sandbox.store.create("jobs", {"job_type": "Born", "customer_id": 1})["id"]
        touched.add(created_id)
        expected.update(
            {("updated", "jobs", some[0]), ("status_changed", "jobs", some[1]), ("deleted", "jobs", some[2])}
        )
        expected.add(("created", "jobs", created_id))

    state = run_with_events(snapshot_config, "jobs", "customers").state
    reported: list[EventKey] = []
    emitted: dict[int, Message] = {}
    deleted_ids: set[int] = set()
    for _ in range(2):
        change_rows()
        sandbox.requests.clear()
        at = chance.randrange(3, 9)

        def change_during_scan(request: RecordedRequest, at: int = at) -> None:
            if request.path == "/jobs" and len([each for each in sandbox.requests if each.path == "/jobs"]) == at:
                change_rows()

        sandbox.on_request = change_during_scan
        run_ = run_with_events(snapshot_config, "jobs", "customers", "deleted_rows", state=state)
        state = run_.state
        reported += event_keys(run_)
        deleted_ids |= {*run_.ids("deleted_rows")}
        emitted |= {record["id"]: record for record in run_.records["jobs"]}
    sandbox.on_request = None
    last = run_with_events(snapshot_config, "jobs", "customers", "deleted_rows", state=state)
    reported += event_keys(last)
    deleted_ids |= {*last.ids("deleted_rows")}
    emitted |= {record["id"]: record for record in last.records["jobs"]}
    assert len(expected) == 4 * 4, "a scan was too short to be disturbed"
    assert sorted(reported) == sorted(expected)
    existing_ids = {row["id"] for row in sandbox.rows("jobs")}
    assert {row_id for _, _, row_id in expected} - existing_ids == deleted_ids
    assert {row_id for kind, _, row_id in expected if kind != "deleted"} <= set(emitted)


def test_a_killed_run_loses_no_event(sandbox: Sandbox, snapshot_config: Config, tmp_path: Path) -> None:
    """After SIGKILL between events and their state, the next run emits them again with the same ids."""
    catalog = tmp_path / "catalog.json"
    catalog.write_text(
        select_jobs_and_events(
            run_process(plugin_command("tap_fieldpulse", snapshot_config, tmp_path, "--discover")).stdout
        )
    )
    first = RunResult(
        run_process(plugin_command("tap_fieldpulse", snapshot_config, tmp_path, "--catalog", str(catalog))).stdout
    )
    state = tmp_path / "state.json"
    state.write_text(json.dumps(first.state))
    changed = [row["id"] for row in sandbox.rows("jobs")[:25]]
    for row_id in changed:
        sandbox.store.update("jobs", row_id, {"subtitle": "Changed"})
    sandbox.add_fault(Fault("slow_response", path="/jobs", skip=2, seconds=60, times=9))
    line = plugin_command("tap_fieldpulse", snapshot_config | {"page_size": 10}, tmp_path, "--catalog", str(catalog))
    line += ["--state", str(state)]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout
        lines = []
        while sum('"stream":"change_events"' in message and '"RECORD"' in message for message in lines) < 5:
            lines.append(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        rest = process.stdout.read().splitlines(keepends=True)
    killed = RunResult("".join(message for message in (*lines, *rest) if message.endswith("\n")))
    sandbox._faults.waiting.clear()
    again = RunResult(run_process([*line]).stdout)
    assert [record["object_id"] for record in again.records["change_events"]] == changed[::-1]
    ids = {record["event_id"] for record in again.records["change_events"]}
    assert {record["event_id"] for record in killed.records["change_events"]} <= ids
    assert len(ids) == len(changed)


def select_jobs_and_events(text: str) -> str:
    """Return a catalog in which jobs and change events are selected."""
    catalog = json.loads(text)
    for entry in catalog["streams"]:
        root = next(metadata for metadata in entry["metadata"] if not metadata["breadcrumb"])
        root["metadata"]["selected"] = entry["tap_stream_id"] in ("jobs", "change_events")
    return json.dumps(catalog)


def test_an_event_has_names_beside_its_ids_and_local_times(sandbox: Sandbox, snapshot_config: Config) -> None:
    """A message to people needs no join. The lists of names are read once, and a customer once."""
    snapshot_config |= {"event_timezone": "America/Chicago", "change_event_streams": ["subtasks"]}
    streams = ("customers", "invoices", "jobs")
    first = run_with_events(snapshot_config, *streams)
    job = next(row for row in sandbox.rows("jobs") if row["assignments"] and row["start_time"])
    status = sandbox.rows("job_statuses")[2]
    changed = {"status": 2, "status_id": status["id"], "end_time": "0001-01-01 00:00:00"}
    sandbox.store.update("jobs", job["id"], changed)
    invoice, customer = sandbox.rows("invoices")[0], sandbox.rows("customers")[-1]
    sandbox.store.update("invoices", invoice["id"], {"title": "Other", "status": 6})
    sandbox.store.update("customers", customer["id"], {"notes": "Other", "status": "lost"})
    sandbox.requests.clear()
    second = run_with_events(snapshot_config, *streams, state=first.state)
    by_stream = {event["stream"]: event for event in second.records["change_events"]}
    user = next(row for row in sandbox.rows("users") if row["id"] == job["assignments"][0]["user_id"])
    owner = sandbox.store.get("customers", job["customer_id"])
    event = by_stream["jobs"]
    assert event["status_name"] == status["name"]
    assert event["customer_name"] == owner["display_name"]
    assert event["technician_names"] == [f"{user['first_name']} {user['last_name']}"]
    start = datetime.fromisoformat(f"{job['start_time']}+00:00").astimezone(ZoneInfo("America/Chicago"))
    assert event["local_times"]["start_time"] == start.strftime("%Y-%m-%d %H:%M:%S")
    assert "end_time" not in event["local_times"]  # it would be before the first day of the calendar
    assert by_stream["invoices"]["customer_name"] == invoice["customer"]["display_name"]
    assert by_stream["invoices"]["status_name"] == "Void"
    assert by_stream["customers"]["customer_name"] == customer["display_name"]
    assert by_stream["customers"]["status_name"] == "lost"
    paths = [request.path for request in sandbox.requests]
    assert paths.count(f"/customers/{job['customer_id']}") == 1
    assert paths.count("/jobs/status-workflow-statuses") == 1


def test_names_that_cannot_be_read_are_null(
    sandbox: Sandbox, snapshot_config: Config, caplog: pytest.LogCaptureFixture
) -> None:
    """The event is emitted all the same, and the log says why."""
    first = run_with_events(snapshot_config, "jobs")
    job = next(row for row in sandbox.rows("jobs") if row["assignments"])
    sandbox.store.update("jobs", job["id"], {"subtitle": "Changed"})
    for path in ("/users", "/customers/*", "/jobs/status-workflow-statuses"):
        sandbox.add_fault(Fault("error_status", path=path, status=404, times=9))
    (event,) = run_with_events(snapshot_config, "jobs", state=first.state).records["change_events"]
    assert (event["customer_name"], event["technician_names"], event["local_times"]) == (None, [], None)
    assert "have no names of users" in caplog.text


@pytest.mark.parametrize("omits_nulls", [True, False])
def test_a_column_that_is_left_out_is_null_where_the_server_omits_nulls(
    sandbox: Sandbox, snapshot_config: Config, omits_nulls: bool
) -> None:
    """A value that is cleared, and one that is set, are changes there too."""
    sandbox.behaviour.omit_null_columns = omits_nulls
    filled, empty = (
        next(row["id"] for row in sandbox.rows("jobs") if bool(row["subtitle"]) is is_filled)
        for is_filled in (True, False)
    )
    sandbox.store.patch("jobs", empty, {"subtitle": None})
    first = run_with_events(snapshot_config, "jobs")
    sandbox.store.update("jobs", filled, {"subtitle": None})
    sandbox.store.update("jobs", empty, {"subtitle": "Set"})
    second = run_with_events(snapshot_config, "jobs", state=first.state)
    assert event_keys(second) == sorted([("updated", "jobs", filled), ("updated", "jobs", empty)])
    changed = {event["object_id"]: event["new_value"] for event in second.records["change_events"]}
    assert changed == {filled: {"subtitle": None}, empty: {"subtitle": "Set"}}


@pytest.mark.parametrize("depth", [1, 2])
def test_flattened_events_have_the_announced_types(sandbox: Sandbox, snapshot_config: Config, depth: int) -> None:
    """The SDK announces a value of any type as text."""
    snapshot_config |= {"flattening_enabled": True, "flattening_max_depth": depth}
    first = run_with_events(snapshot_config, "jobs")
    job = sandbox.rows("jobs")[0]
    status = next(row for row in sandbox.rows("job_statuses") if row["id"] != job["status_id"])
    sandbox.store.update("jobs", job["id"], {"status_id": status["id"]})
    (event,) = run_with_events(snapshot_config, "jobs", state=first.state).records["change_events"]
    assert (event["old_value"], event["new_value"]) == (str(job["status_id"]), str(status["id"]))


def test_events_name_no_column_that_is_deselected(sandbox: Sandbox, snapshot_config: Config) -> None:
    """Neither in the message, nor as an unexpected value, nor as another status column."""
    catalog = select_streams(TapFieldPulse(config=dict(snapshot_config)), ["customers", "jobs", "change_events"])
    hidden = {"customers": ["qbo_id", "email"], "jobs": ["status_id"]}
    for entry in catalog["streams"]:
        for metadata in entry["metadata"]:
            if metadata["breadcrumb"][1:2] and metadata["breadcrumb"][1] in hidden.get(entry["tap_stream_id"], ()):
                metadata["metadata"]["selected"] = False
    first = run_tap(snapshot_config, catalog=copy.deepcopy(catalog))
    customer, job = sandbox.rows("customers")[0]["id"], sandbox.rows("jobs")[0]
    sandbox.store.update("customers", customer, {"qbo_id": "tax id 1", "notes": "New", "email": "new@example.com"})
    status = next(row for row in sandbox.rows("job_statuses") if row["id"] != job["status_id"])
    sandbox.store.update("jobs", job["id"], {"status_id": status["id"]})
    second = run_tap(snapshot_config, catalog=copy.deepcopy(catalog), state=first.state)
    (event,) = second.records["change_events"]
    assert (event["stream"], event["message"]) == ("customers", "UPDATE ON CUSTOMERS FOR notes")
    assert event["customer_name"]
    assert "tax id" not in repr(second.records)


def test_a_name_that_follows_from_a_deselected_column_is_null(sandbox: Sandbox, snapshot_config: Config) -> None:
    """The name of the account's own status, although the other status column is selected."""
    catalog = select_streams(TapFieldPulse(config=dict(snapshot_config)), ["jobs", "change_events"])
    for entry in catalog["streams"]:
        for metadata in entry["metadata"]:
            if metadata["breadcrumb"][1:] in (["status_id"], ["customer_id"]):
                metadata["metadata"]["selected"] = False
    first = run_tap(snapshot_config, catalog=copy.deepcopy(catalog))
    sandbox.store.update("jobs", sandbox.rows("jobs")[0]["id"], {"subtitle": "Changed"})
    (event,) = run_tap(snapshot_config, catalog=catalog, state=first.state).records["change_events"]
    assert (event["status_name"], event["customer_name"]) == (None, None)
    assert event["technician_names"] is not None
