"""A row that is gone is reported once, with its key and the time, and never one that is only missing."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from fieldpulse_api.errors import SafetyLimitReached
from fieldpulse_api.resources.catalogue import RESOURCES
from fieldpulse_api.resources.model import Operation, Resource
from fieldpulse_sandbox.faults.fault import Fault
from fieldpulse_sandbox.sandbox import Sandbox
from fieldpulse_sandbox.server.recorded_request import RecordedRequest
from tests.harness.processes import plugin_command, run_process
from tests.harness.results import RunResult
from tests.harness.tap_runner import run_tap

Config = dict[str, Any]
SWEPT = [resource for resource in RESOURCES if Operation.GET in resource.operations]


@pytest.fixture
def sweeping(watching: Config) -> Config:
    """Return a configuration that looks for deleted rows."""
    return watching | {"detect_deletes": True, "contacts_full_refresh_days": 0}


def deleted_ids(emitted: RunResult, stream: str) -> list[int]:
    """Return the ids that were reported as deleted."""
    return [record["id"] for record in emitted.records[stream] if record.get("deleted_at")]


@pytest.mark.parametrize("resource", SWEPT, ids=lambda resource: resource.name)
def test_a_deleted_row_is_reported_once(box: Sandbox, sweeping: Config, resource: Resource) -> None:
    """The key, and when it was seen: nothing is made up. The next run says nothing more."""
    sweeping["max_delete_percent"] = 100
    first = run_tap(sweeping, resource.name)
    row = box.rows(resource.name)[0]
    box.store.delete(resource.name, row["id"])
    second = run_tap(sweeping, resource.name, state=first.state)
    (record,) = [each for each in second.records[resource.name] if each.get("deleted_at")]
    assert set(record) == {"id", "deleted_at"}
    assert record["id"] == row["id"]
    age = datetime.now(timezone.utc) - datetime.fromisoformat(record["deleted_at"].replace("Z", "+00:00"))
    assert abs(age.total_seconds()) < 60
    assert not deleted_ids(run_tap(sweeping, resource.name, state=second.state), resource.name)


@pytest.mark.parametrize("switch", ["list_deleted_rows", "deleted_row_by_id"])
@pytest.mark.parametrize("stream", ["jobs", "customer_contacts"])
def test_a_row_that_is_shown_as_deleted_is_reported_once(
    box: Sandbox, sweeping: Config, switch: str, stream: str
) -> None:
    """Whether lists, or paths by id, still show deleted rows with their `deleted_at` is not known."""
    setattr(box.behaviour, switch, True if switch == "list_deleted_rows" else "row")
    first = run_tap(sweeping, stream)
    number = box.rows(stream)[0]["id"]
    box.store.delete(stream, number)
    second = run_tap(sweeping, stream, state=first.state)
    assert deleted_ids(second, stream) == [number]
    assert number not in run_tap(sweeping, stream, state=second.state).ids(stream)


def test_a_sweep_emits_no_more_than_what_changed(box: Sandbox, sweeping: Config) -> None:
    """The list is read whole, and emitted only where it is new."""
    first = run_tap(sweeping, "jobs")
    second = run_tap(sweeping, "jobs", state=first.state)
    assert len(second.records["jobs"]) <= 1


def test_a_row_that_is_missing_and_still_there_by_id_is_not_deleted(box: Sandbox, sweeping: Config) -> None:
    """A list may hide a row; only a 404 says that it is gone."""
    first = run_tap(sweeping, "jobs")
    hidden = box.rows("jobs")[3]["id"]
    row = box.store.get("jobs", hidden)
    box.store.delete("jobs", hidden)

    def show(request: RecordedRequest) -> None:
        if request.path == f"/jobs/{hidden}":
            box.store.tables["jobs"].upsert(row)

    box.on_request = show
    second = run_tap(sweeping, "jobs", state=first.state)
    assert not deleted_ids(second, "jobs")
    assert any(request.path == f"/jobs/{hidden}" for request in box.requests)


def test_what_is_deleted_during_the_walk_is_reported_by_the_next_run(box: Sandbox, sweeping: Config) -> None:
    """Rows seen before they went, rows gone before they were seen, rows that came and went."""
    first = run_tap(sweeping | {"page_size": 7}, "jobs")
    ids = [row["id"] for row in box.rows("jobs")]
    box.requests.clear()

    def meddle(_: RecordedRequest) -> None:
        if len(box.requests) == 5:
            for row_id in (ids[1], ids[20], ids[-2]):
                box.store.delete("jobs", row_id)
            box.store.create("jobs", {"job_type": "Late", "customer_id": 1})

    box.on_request = meddle
    second = run_tap(sweeping | {"page_size": 7}, "jobs", state=first.state)
    box.on_request = None
    third = run_tap(sweeping | {"page_size": 7}, "jobs", state=second.state)
    assert sorted(deleted_ids(second, "jobs") + deleted_ids(third, "jobs")) == [ids[1], ids[20], ids[-2]]


def test_no_row_is_deleted_where_the_list_was_not_proved_complete(
    box: Sandbox, sweeping: Config, caplog: pytest.LogCaptureFixture
) -> None:
    """What was not read is not gone; and nobody is asked about it."""
    first = run_tap(sweeping, "timesheets")
    box.behaviour.honour_page, box.behaviour.max_limit = False, 3
    box.requests.clear()
    second = run_tap(sweeping, "timesheets", state=first.state)
    assert not deleted_ids(second, "timesheets")
    assert "skipped delete detection, because the list is incomplete" in caplog.text
    assert not [request for request in box.requests if request.path.startswith("/timesheets/")]


def test_too_many_deletes_wait_until_they_are_allowed(box: Sandbox, sweeping: Config) -> None:
    """Nothing is reported until it is allowed, and then it all is."""
    first = run_tap(sweeping, "jobs")
    jobs = [row["id"] for row in box.rows("jobs")]
    lost = jobs[: len(jobs) // 4]
    for row_id in lost:
        box.store.delete("jobs", row_id)
    with pytest.raises(SafetyLimitReached) as caught:
        run_tap(sweeping, "jobs", state=first.state)
    assert caught.value.exit_status == 4
    assert f"{len(lost)} of {len(jobs)} known rows are missing" in caught.value.what
    allowed = run_tap(sweeping | {"max_delete_percent": 30}, "jobs", state=first.state)
    assert deleted_ids(allowed, "jobs") == lost


def test_the_guard_is_an_exit_status_and_stops_no_other_stream(box: Sandbox, sweeping: Config, tmp_path: Path) -> None:
    """A scheduler sees it; the rest of the run goes on, and the state is kept."""
    sweeping |= {"max_delete_percent": 0}
    catalog = tmp_path / "catalog.json"
    ended = run_process(plugin_command("tap_fieldpulse", sweeping, tmp_path, "--discover"))
    catalog.write_text(ended.stdout)
    assert run_process(plugin_command("tap_fieldpulse", sweeping, tmp_path, "--catalog", str(catalog))).returncode == 0
    box.store.delete("tags", box.rows("tags")[0]["id"])
    ended = run_process(plugin_command("tap_fieldpulse", sweeping, tmp_path, "--catalog", str(catalog)))
    assert ended.returncode == 4
    assert "max_delete_percent" in ended.stderr
    emitted = RunResult(ended.stdout)
    assert emitted.records["vendors"]  # after tags
    assert emitted.state["bookmarks"]["tags"]["replication_key_value"]


def test_contacts_of_a_deleted_customer_are_gone_too(box: Sandbox, sweeping: Config) -> None:
    """Nobody lists them any more, and by id they answer 404."""
    first = run_tap(sweeping, "customer_contacts")
    contacts = [row for row in box.rows("customer_contacts") if row["customer_id"] == box.rows("customers")[0]["id"]]
    box.store.delete("customers", contacts[0]["customer_id"])
    second = run_tap(sweeping, "customer_contacts", state=first.state)
    assert deleted_ids(second, "customer_contacts") == [row["id"] for row in contacts]


def test_a_stream_without_a_path_by_id_is_said_not_to_be_swept(
    box: Sandbox, sweeping: Config, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing could confirm that a row of it is gone."""
    with caplog.at_level("INFO"):
        run_tap(sweeping, "lead_sources")
    assert "lead_sources: cannot detect deletes" in caplog.text


def test_a_failed_question_is_no_answer(box: Sandbox, sweeping: Config) -> None:
    """The gateway's 403 for a path that it does not have says nothing about the row."""
    first = run_tap(sweeping, "jobs")
    lost = box.rows("jobs")[0]["id"]
    box.store.delete("jobs", lost)
    box.add_fault(Fault("not_json", path=f"/jobs/{lost}", times=99))
    second = run_tap(sweeping, "jobs", state=first.state)
    assert not deleted_ids(second, "jobs")


def test_without_the_setting_there_is_no_snapshot(box: Sandbox, watching: Config, tmp_path: Path) -> None:
    """Nothing about the account is kept that nobody asked for."""
    run_tap(watching, "jobs")
    assert not (tmp_path / "snapshot.db").exists()


def test_a_sweep_keeps_ids_and_no_contents(box: Sandbox, sweeping: Config, tmp_path: Path) -> None:
    """The file is its owner's alone, and holds nobody's name."""
    run_tap(sweeping, "customers")
    path = tmp_path / "snapshot.db"
    assert path.stat().st_mode & 0o077 == 0
    assert path.stat().st_size < 100_000
    assert b"@example.com" not in path.read_bytes()


def test_a_row_that_was_restored_or_stamped_late_comes_again(box: Sandbox, sweeping: Config) -> None:
    """Its time is older than the bookmark, and the warehouse says that it is gone, or never heard of it."""
    first = run_tap(sweeping, "jobs")
    number = box.rows("jobs")[4]["id"]
    row = box.store.get("jobs", number)
    box.store.delete("jobs", number)
    second = run_tap(sweeping, "jobs", state=first.state)
    assert deleted_ids(second, "jobs") == [number]
    box.store.tables["jobs"].upsert(row)
    late = box.store.create("jobs", {"job_type": "Late", "customer_id": 1})["id"]
    box.store.patch("jobs", late, {"updated_at": "2026-01-01 00:00:00"})
    third = run_tap(sweeping, "jobs", state=second.state)
    assert {number, late} <= set(third.ids("jobs"))
    assert not deleted_ids(third, "jobs")


def test_stream_maps_take_a_deleted_row(box: Sandbox, sweeping: Config) -> None:
    """Its other columns are empty for them, and are not emitted."""
    maps = {"jobs": {"shout": "str(job_type).upper()", "notes": None, "__filter__": "status != 5"}}
    sweeping |= {"stream_maps": maps}
    first = run_tap(sweeping, "jobs")
    lost = box.rows("jobs")[0]["id"]
    box.store.delete("jobs", lost)
    second = run_tap(sweeping, "jobs", state=first.state)
    (record,) = [each for each in second.records["jobs"] if each.get("deleted_at")]
    assert record["id"] == lost
    assert set(record) <= {"id", "deleted_at", "shout"}


def test_a_stream_map_that_cannot_take_a_deleted_row_is_the_users_turn(
    box: Sandbox, sweeping: Config, tmp_path: Path
) -> None:
    """Three lines that name the setting, and the deletes come once it is mended."""
    run_tap(sweeping, "jobs")
    lost = box.rows("jobs")[0]["id"]
    box.store.delete("jobs", lost)
    ended = run_process(
        plugin_command("tap_fieldpulse", sweeping | {"stream_maps": {"jobs": {"n": "int(status) + 1"}}}, tmp_path)
    )
    assert ended.returncode == 2
    assert "setting stream_maps" in ended.stderr
    assert deleted_ids(run_tap(sweeping, "jobs"), "jobs") == [lost]
