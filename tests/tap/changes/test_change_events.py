"""Each change of a row is one event, in the form of the vendor's webhooks; none is lost, none made up."""

from __future__ import annotations

import copy
import json
import random
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from fieldpulse_sandbox.faults.fault import Fault
from fieldpulse_sandbox.sandbox import Sandbox
from fieldpulse_sandbox.server.recorded_request import RecordedRequest
from tap_fieldpulse.tap import TapFieldPulse
from tests.harness.messages import Message
from tests.harness.processes import plugin_command, run_process
from tests.harness.results import RunResult
from tests.harness.tap_runner import run_tap, select_streams

Config = dict[str, Any]
Brief = tuple[str, str, int]


def briefs(emitted: RunResult) -> list[Brief]:
    """Return what happened to which rows."""
    return sorted(
        (record["event"], record["stream"], record["object_id"]) for record in emitted.records["change_events"]
    )


def watch(config: Config, *streams: str, state: Message | None = None) -> RunResult:
    return run_tap(config, *streams, "change_events", state=state)


def event(emitted: RunResult, kind: str) -> Message:
    (match,) = [record for record in emitted.records["change_events"] if record["event"] == kind]
    return match


def test_the_first_run_fills_the_snapshot_and_emits_nothing(watching: Config) -> None:
    """What was there before is no news."""
    first = watch(watching, "jobs", "customers")
    assert briefs(first) == []
    assert first.records["jobs"]
    assert briefs(watch(watching, "jobs", "customers", state=first.state)) == []


def test_each_kind_of_change_is_an_event(box: Sandbox, watching: Config) -> None:
    """Created, updated, status changed, deleted: with what a consumer of the webhooks looks for."""
    watching |= {"detect_deletes": True}
    first = watch(watching, "jobs")
    flow = box.rows("job_statuses")
    jobs = [row for row in box.rows("jobs") if row["status"] == 1]
    box.store.update("jobs", jobs[0]["id"], {"subtitle": "New subtitle", "notes": "Bring a ladder"})
    box.store.update("jobs", jobs[1]["id"], {"status": 6, "status_id": flow[1]["id"]})
    box.store.delete("jobs", jobs[2]["id"])
    born = box.store.create("jobs", {"job_type": "Born", "customer_id": 1})["id"]
    second = watch(watching, "jobs", state=first.state)
    assert briefs(second) == sorted(
        [
            ("created", "jobs", born),
            ("updated", "jobs", jobs[0]["id"]),
            ("status_changed", "jobs", jobs[1]["id"]),
            ("deleted", "jobs", jobs[2]["id"]),
        ]
    )
    created, updated = event(second, "created"), event(second, "updated")
    changed, deleted = event(second, "status_changed"), event(second, "deleted")
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


def test_streams_that_are_not_selected_are_watched_too(box: Sandbox, watching: Config) -> None:
    """Whoever wants events alone selects `change_events` alone; the records stay away."""
    watching |= {"change_event_streams": ["payments"]}
    first = watch(watching)
    assert set(first.records) <= {"change_events"}
    for stream in ("customers", "estimates", "invoices", "jobs", "payments", "tags"):
        box.store.update(stream, box.rows(stream)[0]["id"], {"notes": "Changed", "title": "Changed"})
    second = watch(watching, state=first.state)
    assert {record["stream"] for record in second.records["change_events"]} == {
        "customers", "estimates", "invoices", "jobs", "payments"
    }  # fmt: skip
    assert set(second.records) == {"change_events"}
    assert briefs(watch(watching, state=second.state)) == []


def test_a_row_that_was_only_stamped_did_not_change(box: Sandbox, watching: Config) -> None:
    """The vendor's webhooks do not fire for that either."""
    first = watch(watching, "jobs")
    box.store.update("jobs", box.rows("jobs")[0]["id"], {})
    assert briefs(watch(watching, "jobs", state=first.state)) == []


def test_a_renamed_custom_field_is_no_change_of_the_rows(box: Sandbox, watching: Config) -> None:
    """Not even of rows that come again; a new value is one."""
    first = watch(watching, "customers", "jobs")
    for field in box.rows("custom_fields"):
        box.store.patch("custom_fields", field["id"], {"name": f"New {field['name']}", "field_widget_id": 1})
    stamped, valued = box.rows("jobs")[0]["id"], box.rows("jobs")[1]["id"]
    box.store.update("jobs", stamped, {})
    number = box.rows("custom_fields")[5]["id"]
    values = [{"id": 1, "field_instance_id": number, "value": "9"}]
    box.store.update("jobs", valued, {"customfields": values})
    second = watch(watching, "customers", "jobs", state=first.state)
    assert briefs(second) == [("updated", "jobs", valued)]
    assert event(second, "updated")["new_value"] == {"customfields": {str(number): "9"}}


def test_a_new_column_of_the_vendors_is_no_change_of_the_rows(box: Sandbox, watching: Config) -> None:
    """Nor are details that were not asked for before."""
    first = watch(watching, "jobs")
    for row in box.rows("jobs")[:3]:
        box.store.update("jobs", row["id"], {"brand_new": 1})
    assert briefs(watch(watching | {"detail_streams": ["jobs"]}, "jobs", state=first.state)) == []


def test_watching_an_account_that_was_read_before_reads_it_whole_once(box: Sandbox, watching: Config) -> None:
    """Otherwise an old row that changes would look new."""
    before = run_tap(watching, "jobs")
    first = watch(watching, "jobs", state=before.state)
    assert briefs(first) == []
    assert len(first.records["jobs"]) <= 1
    old = box.rows("jobs")[0]["id"]
    box.store.update("jobs", old, {"subtitle": "Changed"})
    assert briefs(watch(watching, "jobs", state=first.state)) == [("updated", "jobs", old)]


def test_a_row_that_comes_into_a_filters_view_was_known_before(box: Sandbox, watching: Config) -> None:
    """Its old contents are told; a row that is really new is created; one that goes out of view is not told of."""
    watching |= {"filters": {"jobs": {"status": "Completed"}}}
    first = watch(watching, "jobs")
    old, newest = (
        next(row for row in rows if row["status"] == 1) for rows in (box.rows("jobs"), box.rows("jobs")[::-1])
    )
    leaving = next(row["id"] for row in box.rows("jobs") if row["status"] == 4)
    for row_id, status in ((old["id"], 4), (newest["id"], 4), (leaving, 1)):
        box.store.update("jobs", row_id, {"status": status})
    born = box.store.create("jobs", {"job_type": "Born", "customer_id": 1, "status": 4})["id"]
    second = watch(watching, "jobs", state=first.state)
    assert briefs(second) == sorted(
        [("created", "jobs", born), ("status_changed", "jobs", old["id"]), ("status_changed", "jobs", newest["id"])]
    )
    assert {record["old_value"] for record in second.records["change_events"]} == {1, None}
    box.store.update("jobs", leaving, {"status": 4})
    assert briefs(watch(watching, "jobs", state=second.state)) == [("status_changed", "jobs", leaving)]


@pytest.mark.parametrize("deletes", [False, True])
def test_a_changed_filter_is_no_change_of_the_rows(box: Sandbox, watching: Config, deletes: str) -> None:
    """Widened, and removed: rows come into view, and nothing happened to them."""
    watching |= {"detect_deletes": deletes}
    state = None
    for filters in ({"status": "Completed"}, {"status": ["Completed", "New"]}, {}, {"status": "New"}):
        emitted = watch(watching | {"filters": {"jobs": filters}}, "jobs", state=state)
        assert briefs(emitted) == []
        state = emitted.state


def test_what_goes_out_of_view_and_away_is_not_reported(box: Sandbox, watching: Config) -> None:
    """A row that did not fit the filter was never emitted, so its end is none either."""
    watching |= {"filters": {"jobs": {"status": "Completed"}}, "detect_deletes": True}
    first = watch(watching, "jobs")
    unseen, seen = (next(row["id"] for row in box.rows("jobs") if row["status"] == code) for code in (1, 4))
    for row_id in (unseen, seen):
        box.store.delete("jobs", row_id)
    second = watch(watching, "jobs", state=first.state)
    assert briefs(second) == [("deleted", "jobs", seen)]
    assert [record["id"] for record in second.records["jobs"] if record.get("deleted_at")] == [seen]


@pytest.mark.parametrize("between", [{}, {"detect_deletes": True}])
def test_changes_during_runs_that_did_not_watch_are_found_afterwards(
    box: Sandbox, watching: Config, between: Config
) -> None:
    """The list is then compared whole: the bookmark went on, and the snapshot did not."""
    first = watch(watching, "jobs")
    changed = box.rows("jobs")[0]["id"]
    box.store.update("jobs", changed, {"subtitle": "Changed"})
    second = run_tap(watching | between, "jobs", state=first.state)
    assert changed in second.ids("jobs")
    box.store.patch("jobs", changed, {"updated_at": "2026-01-01 00:00:00"})
    third = watch(watching, "jobs", state=second.state)
    assert briefs(third) == [("updated", "jobs", changed)]
    assert briefs(watch(watching, "jobs", state=third.state)) == []


def test_events_hold_no_column_that_is_deselected_in_their_stream(box: Sandbox, watching: Config) -> None:
    """What a user keeps out of the warehouse must not come in by another door."""
    catalog = select_streams(TapFieldPulse(config=dict(watching)), ["customers", "change_events"])
    entry = next(each for each in catalog["streams"] if each["tap_stream_id"] == "customers")
    for metadata in entry["metadata"]:
        if metadata["breadcrumb"]:
            metadata["metadata"]["selected"] = metadata["breadcrumb"][-1] in ("id", "status", "updated_at")
    first = run_tap(watching, catalog=copy.deepcopy(catalog))
    both, hidden = box.rows("customers")[0]["id"], box.rows("customers")[1]["id"]
    box.store.update("customers", both, {"email": "new@example.com", "status": "lost"})
    box.store.update("customers", hidden, {"email": "other@example.com"})
    second = run_tap(watching, catalog=copy.deepcopy(catalog), state=first.state)
    assert briefs(second) == [("status_changed", "customers", both)]
    assert set(event(second, "status_changed")["object"]) == {"id", "status", "updated_at"}
    assert "example.com" not in repr(second.records)


def test_a_filter_does_not_hide_rows_from_the_snapshot_of_a_first_run(box: Sandbox, watching: Config) -> None:
    """The list is read whole for it, and only what fits is emitted."""
    emitted = watch(watching | {"filters": {"jobs": {"status": "Completed"}}}, "jobs")
    assert emitted.ids("jobs") == [row["id"] for row in box.rows("jobs") if row["status"] == 4]


@pytest.mark.parametrize("returned", ["first", "second"])
def test_events_come_again_until_the_state_behind_them_comes_back(
    box: Sandbox, watching: Config, returned: str
) -> None:
    """The target may die after the tap has ended: what it did not take must come again, and alike."""
    first = watch(watching, "jobs")
    box.store.update("jobs", box.rows("jobs")[0]["id"], {"subtitle": "Changed"})
    second = watch(watching, "jobs", state=first.state)
    third = watch(watching, "jobs", state={"first": first, "second": second}[returned].state)
    assert len(briefs(second)) == 1
    if returned == "second":
        assert briefs(third) == []
    else:
        (again,), (before,) = third.records["change_events"], second.records["change_events"]
        assert again["event_id"] == before["event_id"]
        assert again | {"detected_at": ""} == before | {"detected_at": ""}


def test_without_any_state_the_last_run_that_ended_counts(box: Sandbox, watching: Config) -> None:
    """Whoever passes no state on still gets each event once."""
    watch(watching, "jobs")
    changed = box.rows("jobs")[0]["id"]
    box.store.update("jobs", changed, {"subtitle": "Changed"})
    assert briefs(watch(watching, "jobs")) == [("updated", "jobs", changed)]
    assert briefs(watch(watching, "jobs")) == []


def test_an_older_state_brings_no_event_twice_that_was_taken(box: Sandbox, watching: Config) -> None:
    """Somebody restores a backup: rows come again, news do not."""
    states = [watch(watching, "jobs").state]
    for number in range(3):
        box.store.update("jobs", box.rows("jobs")[0]["id"], {"subtitle": f"Changed {number}"})
        states.append(watch(watching, "jobs", state=states[-1]).state)
    watch(watching, "jobs", state=states[-1])
    assert briefs(watch(watching, "jobs", state=states[1])) == []


@pytest.mark.parametrize("hostile", ["sort", "count", "filter", "all", "shuffled"])
def test_records_and_events_are_exact_whatever_the_server_does(box: Sandbox, watching: Config, hostile: str) -> None:
    """Rows come, go and change before and during the walk, by a server that sorts, counts or filters not."""
    watching |= {
        "detect_deletes": True,
        "page_size": 7,
        "filters": {"customers": {"status": ["lead", "current customer"]}},
    }
    box.behaviour.honour_sort = hostile in ("count", "filter")
    box.behaviour.honour_filter = hostile in ("count", "sort")
    box.behaviour.shuffle_unsorted = hostile == "shuffled"
    if hostile in ("count", "all"):
        box.behaviour.count_key, box.behaviour.always_count = None, ()
    chance = random.Random(hostile)
    truth: set[Brief] = set()
    touched: set[int] = set()

    def meddle() -> None:
        rows = [row["id"] for row in box.rows("jobs") if row["id"] not in touched]
        some = chance.sample(rows, 4)
        touched.update(some)
        box.store.update("jobs", some[0], {"subtitle": f"S{chance.random()}"})
        box.store.update("jobs", some[1], {"status": 5 if box.store.get("jobs", some[1])["status"] == 4 else 4})
        box.store.delete("jobs", some[2])
        born = box.store.create("jobs", {"job_type": "Born", "customer_id": 1})["id"]
        touched.add(born)
        truth.update({("updated", "jobs", some[0]), ("status_changed", "jobs", some[1]), ("deleted", "jobs", some[2])})
        truth.add(("created", "jobs", born))

    state = watch(watching, "jobs", "customers").state
    seen: list[Brief] = []
    emitted: dict[int, Message] = {}
    for _ in range(2):
        meddle()
        box.requests.clear()
        at = chance.randrange(3, 9)

        def during(request: RecordedRequest, at: int = at) -> None:
            if request.path == "/jobs" and len([each for each in box.requests if each.path == "/jobs"]) == at:
                meddle()

        box.on_request = during
        run_ = watch(watching, "jobs", "customers", state=state)
        state = run_.state
        seen += briefs(run_)
        emitted |= {record["id"]: record for record in run_.records["jobs"]}
    box.on_request = None
    last = watch(watching, "jobs", "customers", state=state)
    seen += briefs(last)
    emitted |= {record["id"]: record for record in last.records["jobs"]}
    assert sorted(seen) == sorted(truth)
    there = {row["id"] for row in box.rows("jobs")}
    assert {row_id for _, _, row_id in truth} - there == {
        row_id for row_id, record in emitted.items() if record.get("deleted_at")
    }
    assert {row_id for kind, _, row_id in truth if kind != "deleted"} <= set(emitted)


def test_a_killed_run_loses_no_event(box: Sandbox, watching: Config, tmp_path: Path) -> None:
    """SIGKILL between the events and the state behind them: they come again, with the same ids."""
    catalog = tmp_path / "catalog.json"
    catalog.write_text(
        _with_events(run_process(plugin_command("tap_fieldpulse", watching, tmp_path, "--discover")).stdout)
    )
    first = RunResult(
        run_process(plugin_command("tap_fieldpulse", watching, tmp_path, "--catalog", str(catalog))).stdout
    )
    state = tmp_path / "state.json"
    state.write_text(json.dumps(first.state))
    changed = [row["id"] for row in box.rows("jobs")[:25]]
    for row_id in changed:
        box.store.update("jobs", row_id, {"subtitle": "Changed"})
    box.add_fault(Fault("slow_response", path="/jobs", skip=2, seconds=60, times=9))
    line = plugin_command("tap_fieldpulse", watching | {"page_size": 10}, tmp_path, "--catalog", str(catalog))
    line += ["--state", str(state)]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout
        lines = []
        while sum('"stream":"change_events"' in message and '"RECORD"' in message for message in lines) < 5:
            lines.append(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        rest = process.stdout.read().splitlines(keepends=True)
    killed = RunResult("".join(message for message in (*lines, *rest) if message.endswith("\n")))
    box._faults.waiting.clear()
    again = RunResult(run_process([*line]).stdout)
    assert [record["object_id"] for record in again.records["change_events"]] == changed[::-1]
    ids = {record["event_id"] for record in again.records["change_events"]}
    assert {record["event_id"] for record in killed.records["change_events"]} <= ids
    assert len(ids) == len(changed)


def _with_events(text: str) -> str:
    """Return a catalog in which jobs and change events are selected."""
    catalog = json.loads(text)
    for entry in catalog["streams"]:
        root = next(metadata for metadata in entry["metadata"] if not metadata["breadcrumb"])
        root["metadata"]["selected"] = entry["tap_stream_id"] in ("jobs", "change_events")
    return json.dumps(catalog)
