"""Delete detection: a deleted row is reported once, with its key and the time; a row that is only missing is not."""

from __future__ import annotations

import copy
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from fieldpulse_api.account_profile import AccountProfile
from fieldpulse_api.errors import ConfigError, SafetyLimitReached
from fieldpulse_api.resources.catalogue import RESOURCES
from fieldpulse_api.resources.model import Operation, Resource
from fieldpulse_sandbox.faults.fault import Fault
from fieldpulse_sandbox.sandbox import Sandbox
from fieldpulse_sandbox.server.recorded_request import RecordedRequest
from tap_fieldpulse.tap import TapFieldPulse
from tests.harness.processes import plugin_command, run_process
from tests.harness.results import RunResult
from tests.harness.tap_runner import run_tap, select_streams

Config = dict[str, Any]
READABLE_BY_ID = [resource for resource in RESOURCES if Operation.GET in resource.operations]


@pytest.fixture
def delete_config(snapshot_config: Config) -> Config:
    """Return a configuration that detects deletes in all streams."""
    return snapshot_config | {"detect_deletes": True, "contacts_full_refresh_days": 0}


def deleted_ids(emitted: RunResult, stream: str) -> list[int]:
    """Return the ids that were reported as deleted."""
    return [record["id"] for record in emitted.records["deleted_rows"] if record["stream"] == stream]


def run_with_deletes(config: Config, *streams: str, state: Any = None) -> RunResult:
    """Run the tap on these streams, and on the stream of deleted rows."""
    return run_tap(config, *streams, "deleted_rows", state=state)


@pytest.mark.parametrize("resource", READABLE_BY_ID, ids=lambda resource: resource.name)
def test_a_deleted_row_is_reported_once(sandbox: Sandbox, delete_config: Config, resource: Resource) -> None:
    """It is in `deleted_rows` with the time of detection. In its own stream, a record would empty the loaded row."""
    delete_config["max_delete_percent"] = 100
    first = run_with_deletes(delete_config, resource.name)
    row = sandbox.rows(resource.name)[0]
    sandbox.store.delete(resource.name, row["id"])
    second = run_with_deletes(delete_config, resource.name, state=first.state)
    (record,) = second.records["deleted_rows"]
    assert (record["stream"], record["id"], record["deleted_at"]) == (resource.name, row["id"], None)
    age = datetime.now(timezone.utc) - datetime.fromisoformat(record["detected_at"].replace("Z", "+00:00"))
    assert abs(age.total_seconds()) < 60
    assert row["id"] not in second.ids(resource.name)
    assert not deleted_ids(run_with_deletes(delete_config, resource.name, state=second.state), resource.name)


@pytest.mark.parametrize("is_honoured", [True, False], ids=["honoured", "ignored"])
def test_deleted_rows_are_read_where_the_server_lists_them(
    sandbox: Sandbox, delete_config: Config, tmp_path: Path, caplog: pytest.LogCaptureFixture, is_honoured: bool
) -> None:
    """Once the snapshot has the whole list, only changed and deleted rows are read. The parameter is checked."""
    (tmp_path / "profile.json").write_bytes(AccountProfile(lists_deleted_rows=True).to_json())
    delete_config |= {"profile_path": str(tmp_path / "profile.json"), "page_size": 10}
    sandbox.behaviour.honour_deleted = True
    first = run_with_deletes(delete_config, "jobs")
    row_id = sandbox.rows("jobs")[0]["id"]
    sandbox.store.delete("jobs", row_id)
    sandbox.behaviour.honour_deleted = is_honoured
    sandbox.requests.clear()
    second = run_with_deletes(delete_config, "jobs", state=first.state)
    assert deleted_ids(second, "jobs") == ([row_id] if is_honoured else [])
    assert ("`deleted=true` has no effect" in caplog.text) is not is_honoured
    if is_honoured:
        lists = [request.query for request in sandbox.requests if request.path == "/jobs"]
        assert sum("deleted" not in query for query in lists) == 2
        assert not deleted_ids(run_with_deletes(delete_config, "jobs", state=second.state), "jobs")


@pytest.mark.parametrize(("stream", "other", "status"), [("estimates", "invoices", 2), ("invoices", "estimates", 1)])
def test_a_document_that_moves_to_the_other_list_is_not_deleted(
    sandbox: Sandbox, delete_config: Config, stream: str, other: str, status: int
) -> None:
    """An estimate that becomes an invoice vanishes from its list. It is looked up once, and never called deleted."""
    first = run_with_deletes(delete_config, stream)
    row_id = sandbox.rows(stream)[0]["id"]
    sandbox.store.move(stream, row_id, other)
    sandbox.store.update(other, row_id, {"status": status})
    second = run_with_deletes(delete_config, stream, state=first.state)
    assert deleted_ids(second, stream) == []
    sandbox.requests.clear()
    third = run_with_deletes(delete_config, stream, state=second.state)
    assert deleted_ids(third, stream) == []
    assert not [request.path for request in sandbox.requests if str(row_id) in request.path]
    sandbox.store.delete(other, row_id)
    assert deleted_ids(run_with_deletes(delete_config, stream, state=third.state), stream) == []


@pytest.mark.parametrize("switch", ["list_deleted_rows", "deleted_row_by_id"])
@pytest.mark.parametrize("stream", ["jobs", "customer_contacts"])
def test_a_row_that_the_api_returns_with_deleted_at_is_reported_once(
    sandbox: Sandbox, delete_config: Config, switch: str, stream: str
) -> None:
    """It is unknown whether lists, or paths by id, still return deleted rows with their `deleted_at`."""
    setattr(sandbox.behaviour, switch, True if switch == "list_deleted_rows" else "row")
    first = run_with_deletes(delete_config, stream)
    row_id = sandbox.rows(stream)[0]["id"]
    sandbox.store.delete(stream, row_id)
    second = run_with_deletes(delete_config, stream, state=first.state)
    assert deleted_ids(second, stream) == [row_id]
    assert row_id not in run_with_deletes(delete_config, stream, state=second.state).ids(stream)


def test_delete_detection_emits_only_changed_rows(sandbox: Sandbox, delete_config: Config) -> None:
    """The full list is read, but unchanged rows are not emitted."""
    first = run_with_deletes(delete_config, "jobs")
    second = run_with_deletes(delete_config, "jobs", state=first.state)
    assert len(second.records["jobs"]) <= 1


def test_a_row_that_is_missing_from_the_list_but_exists_by_id_is_not_deleted(
    sandbox: Sandbox, delete_config: Config
) -> None:
    """A list may skip a row, so only a 404 proves the delete."""
    first = run_with_deletes(delete_config, "jobs")
    hidden = sandbox.rows("jobs")[3]["id"]
    row = sandbox.store.get("jobs", hidden)
    sandbox.store.delete("jobs", hidden)

    def restore_row(request: RecordedRequest) -> None:
        if request.path == f"/jobs/{hidden}":
            sandbox.store.tables["jobs"].upsert(row)

    sandbox.on_request = restore_row
    second = run_with_deletes(delete_config, "jobs", state=first.state)
    assert not deleted_ids(second, "jobs")
    assert any(request.path == f"/jobs/{hidden}" for request in sandbox.requests)


def test_deletes_during_the_scan_are_reported_by_this_run_or_the_next(sandbox: Sandbox, delete_config: Config) -> None:
    """Rows were deleted after they were read or before, and a row was created meanwhile."""
    first = run_with_deletes(delete_config | {"page_size": 7}, "jobs")
    ids = [row["id"] for row in sandbox.rows("jobs")]
    sandbox.requests.clear()

    def change_rows(_: RecordedRequest) -> None:
        if len(sandbox.requests) == 5:
            for row_id in (ids[1], ids[20], ids[-2]):
                sandbox.store.delete("jobs", row_id)
            sandbox.store.create("jobs", {"job_type": "Late", "customer_id": 1})

    sandbox.on_request = change_rows
    second = run_with_deletes(delete_config | {"page_size": 7}, "jobs", state=first.state)
    sandbox.on_request = None
    third = run_with_deletes(delete_config | {"page_size": 7}, "jobs", state=second.state)
    assert sorted(deleted_ids(second, "jobs") + deleted_ids(third, "jobs")) == [ids[1], ids[20], ids[-2]]


def test_an_incomplete_list_reports_no_delete(
    sandbox: Sandbox, delete_config: Config, caplog: pytest.LogCaptureFixture
) -> None:
    """A row that was not read may still exist, and no request by id is sent for it."""
    first = run_with_deletes(delete_config, "timesheets")
    sandbox.behaviour.honour_page, sandbox.behaviour.max_limit = False, 3
    sandbox.requests.clear()
    second = run_with_deletes(delete_config, "timesheets", state=first.state)
    assert not deleted_ids(second, "timesheets")
    assert "skipped delete detection, because the list is incomplete" in caplog.text
    assert not [request for request in sandbox.requests if request.path.startswith("/timesheets/")]


def test_too_many_deletes_are_reported_only_once_they_are_allowed(sandbox: Sandbox, delete_config: Config) -> None:
    """The run reports no delete above the limit, and all of them once the limit is raised."""
    first = run_with_deletes(delete_config, "jobs")
    jobs = [row["id"] for row in sandbox.rows("jobs")]
    deleted = jobs[: len(jobs) // 4]
    for row_id in deleted:
        sandbox.store.delete("jobs", row_id)
    with pytest.raises(SafetyLimitReached) as caught:
        run_with_deletes(delete_config, "jobs", state=first.state)
    assert caught.value.exit_status == 4
    assert f"of {len(jobs)} known rows, the limit is 20 %" in caught.value.what
    allowed = run_with_deletes(delete_config | {"max_delete_percent": 30}, "jobs", state=first.state)
    assert deleted_ids(allowed, "jobs") == deleted


def test_the_safety_limit_sets_the_exit_status_and_stops_no_other_stream(
    sandbox: Sandbox, delete_config: Config, tmp_path: Path
) -> None:
    """A scheduler sees exit status 4, the other streams are read, and their state is emitted."""
    delete_config |= {"max_delete_percent": 0}
    catalog = tmp_path / "catalog.json"
    ended = run_process(plugin_command("tap_fieldpulse", delete_config, tmp_path, "--discover"))
    catalog.write_text(ended.stdout)
    assert (
        run_process(plugin_command("tap_fieldpulse", delete_config, tmp_path, "--catalog", str(catalog))).returncode
        == 0
    )
    sandbox.store.delete("tags", sandbox.rows("tags")[0]["id"])
    ended = run_process(plugin_command("tap_fieldpulse", delete_config, tmp_path, "--catalog", str(catalog)))
    assert ended.returncode == 4
    assert "max_delete_percent" in ended.stderr
    emitted = RunResult(ended.stdout)
    assert emitted.records["vendors"]  # after tags
    assert emitted.state["bookmarks"]["tags"]["replication_key_value"]


def test_contacts_of_a_deleted_customer_are_deleted(sandbox: Sandbox, delete_config: Config) -> None:
    """No list contains them any more, and by id they return 404."""
    first = run_with_deletes(delete_config, "customer_contacts")
    contacts = [
        row for row in sandbox.rows("customer_contacts") if row["customer_id"] == sandbox.rows("customers")[0]["id"]
    ]
    sandbox.store.delete("customers", contacts[0]["customer_id"])
    second = run_with_deletes(delete_config, "customer_contacts", state=first.state)
    assert deleted_ids(second, "customer_contacts") == [row["id"] for row in contacts]


def test_a_stream_without_a_path_by_id_logs_that_deletes_cannot_be_detected(
    sandbox: Sandbox, delete_config: Config, caplog: pytest.LogCaptureFixture
) -> None:
    """No request could confirm a delete of its rows."""
    with caplog.at_level("INFO"):
        run_with_deletes(delete_config, "lead_sources")
    assert "lead_sources: cannot detect deletes" in caplog.text


def test_a_failed_request_by_id_confirms_no_delete(sandbox: Sandbox, delete_config: Config) -> None:
    """A response that is not JSON proves nothing about the row."""
    first = run_with_deletes(delete_config, "jobs")
    deleted = sandbox.rows("jobs")[0]["id"]
    sandbox.store.delete("jobs", deleted)
    sandbox.add_fault(Fault("not_json", path=f"/jobs/{deleted}", times=99))
    second = run_with_deletes(delete_config, "jobs", state=first.state)
    assert not deleted_ids(second, "jobs")


def test_without_the_setting_no_snapshot_is_written(sandbox: Sandbox, snapshot_config: Config, tmp_path: Path) -> None:
    """The tap stores nothing about the account unless the user asks for it."""
    run_with_deletes(snapshot_config, "jobs")
    assert not (tmp_path / "snapshot.db").exists()


def test_the_snapshot_for_deletes_contains_ids_and_no_contents(
    sandbox: Sandbox, delete_config: Config, tmp_path: Path
) -> None:
    """Only the owner may read the file, and it contains no personal data."""
    run_with_deletes(delete_config, "customers")
    path = tmp_path / "snapshot.db"
    assert path.stat().st_mode & 0o077 == 0
    assert path.stat().st_size < 100_000
    assert b"@example.com" not in path.read_bytes()


def test_a_restored_row_and_a_row_with_an_old_updated_at_are_emitted(sandbox: Sandbox, delete_config: Config) -> None:
    """Their time is older than the bookmark, and the warehouse has them as deleted or not at all."""
    first = run_with_deletes(delete_config, "jobs")
    row_id = sandbox.rows("jobs")[4]["id"]
    row = sandbox.store.get("jobs", row_id)
    sandbox.store.delete("jobs", row_id)
    second = run_with_deletes(delete_config, "jobs", state=first.state)
    assert deleted_ids(second, "jobs") == [row_id]
    sandbox.store.tables["jobs"].upsert(row)
    late = sandbox.store.create("jobs", {"job_type": "Late", "customer_id": 1})["id"]
    sandbox.store.patch("jobs", late, {"updated_at": "2026-01-01 00:00:00"})
    third = run_with_deletes(delete_config, "jobs", state=second.state)
    assert {row_id, late} <= set(third.ids("jobs"))
    assert not deleted_ids(third, "jobs")


def test_stream_maps_are_applied_to_a_deleted_row(sandbox: Sandbox, delete_config: Config) -> None:
    """Its other columns are null for the map, and are not emitted."""
    maps = {"jobs": {"shout": "str(job_type).upper()", "notes": None, "__filter__": "status != 5"}}
    delete_config |= {"stream_maps": maps, "delete_records": True}
    first = run_with_deletes(delete_config, "jobs")
    deleted = sandbox.rows("jobs")[0]["id"]
    sandbox.store.delete("jobs", deleted)
    second = run_with_deletes(delete_config, "jobs", state=first.state)
    (record,) = [each for each in second.records["jobs"] if each.get("deleted_at")]
    assert record["id"] == deleted
    assert set(record) == {"id", "deleted_at", "_sdc_deleted_at", "shout"}


def test_a_stream_map_that_fails_on_a_deleted_row_is_a_configuration_error(
    sandbox: Sandbox, delete_config: Config, tmp_path: Path
) -> None:
    """The message names the setting, and the deletes are reported once the map is corrected."""
    delete_config |= {"delete_records": True}
    run_with_deletes(delete_config, "jobs")
    deleted = sandbox.rows("jobs")[0]["id"]
    sandbox.store.delete("jobs", deleted)
    ended = run_process(
        plugin_command("tap_fieldpulse", delete_config | {"stream_maps": {"jobs": {"n": "int(status) + 1"}}}, tmp_path)
    )
    assert ended.returncode == 2
    assert "setting stream_maps" in ended.stderr
    assert deleted_ids(run_with_deletes(delete_config, "jobs"), "jobs") == [deleted]


@pytest.mark.parametrize("is_known", [True, False])
def test_a_delete_record_in_the_own_stream_has_the_key_and_the_time(
    sandbox: Sandbox, delete_config: Config, is_known: bool
) -> None:
    """Loaders with `hard_delete` remove the row. The time is FieldPulse's where the row still has it."""
    sandbox.behaviour.deleted_row_by_id = "row" if is_known else "error"
    delete_config |= {"delete_records": True}
    first = run_tap(delete_config, "jobs")
    assert "_sdc_deleted_at" in first.schemas["jobs"]["properties"]
    row_id = sandbox.rows("jobs")[0]["id"]
    sandbox.store.delete("jobs", row_id)
    second = run_with_deletes(delete_config, "jobs", state=first.state)
    (record,) = [each for each in second.records["jobs"] if each["id"] == row_id]
    (row,) = second.records["deleted_rows"]
    assert record == {"id": row_id, "deleted_at": record["deleted_at"], "_sdc_deleted_at": record["deleted_at"]}
    assert row["deleted_at"] == (record["deleted_at"] if is_known else None)


def test_deletes_that_no_stream_emits_are_a_configuration_error(sandbox: Sandbox, delete_config: Config) -> None:
    """A catalog that was made before the setting lacks the stream of deleted rows."""
    with pytest.raises(ConfigError) as caught:
        run_tap(delete_config, "jobs")
    assert "deleted_rows" in caught.value.hint
    assert not [request for request in sandbox.requests if request.path == "/jobs"]


def test_deleted_rows_are_selected_by_default_with_delete_detection(sandbox: Sandbox, delete_config: Config) -> None:
    """Without it, a loader makes no empty table."""
    for is_on in (True, False):
        schemas = run_tap(delete_config | {"detect_deletes": is_on}).schemas
        assert ("deleted_rows" in schemas) is is_on


def test_delete_records_survive_a_catalog_that_is_older_than_the_setting(
    sandbox: Sandbox, delete_config: Config
) -> None:
    """Without `_sdc_deleted_at`, a loader would empty the row and not remove it."""
    catalog = select_streams(TapFieldPulse(config=dict(delete_config)), ["customers", "deleted_rows"])
    for entry in catalog["streams"]:
        for metadata in entry["metadata"]:
            if metadata["breadcrumb"] == ["properties", "email"]:
                metadata["metadata"]["selected"] = False
    delete_config |= {"delete_records": True}
    first = run_tap(delete_config, catalog=copy.deepcopy(catalog))
    row_id = sandbox.rows("customers")[0]["id"]
    sandbox.store.delete("customers", row_id)
    second = run_tap(delete_config, catalog=copy.deepcopy(catalog), state=first.state)
    (record,) = [each for each in second.records["customers"] if each["id"] == row_id]
    assert "_sdc_deleted_at" in record
