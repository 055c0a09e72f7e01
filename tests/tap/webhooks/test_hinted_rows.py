"""Hinted rows: rows that webhooks named are read by id before the list, with the same records."""

from __future__ import annotations

import json
import logging
import signal
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from fieldpulse_api.http.client import Client
from fieldpulse_api.reading.pages import ReadOptions
from fieldpulse_api.resources.catalogue import BY_NAME
from fieldpulse_sandbox.faults.fault import Fault
from fieldpulse_sandbox.sandbox import Sandbox
from fieldpulse_sandbox.schema.table_shapes import COMPANY_ID
from tap_fieldpulse.tap import TapFieldPulse
from tap_fieldpulse.webhooks.hinted_rows import HintedRows
from tests.harness.processes import plugin_command, run_process
from tests.harness.receiver import TOKEN, Json, created_delivery, store_deliveries
from tests.harness.results import RunResult
from tests.harness.tap_runner import join_prefetch_threads, run_tap, select_streams

Config = dict[str, Any]


@pytest.fixture
def webhook_config(snapshot_config: Config) -> Config:
    """Return the configuration of a tap with a webhook receiver."""
    return snapshot_config | {"webhook_token": TOKEN}


def deliver(config: Config, *bodies: Json) -> None:
    store_deliveries(str(config["snapshot_url"]), *bodies)


def deliveries_for(*ids: int, noun: str = "Job", at: str = "2026-11-01 00:00:00") -> list[Json]:
    """Return deliveries that name rows of the sandbox's account."""
    return [created_delivery(row_id, noun=noun, account=str(COMPANY_ID), updated_at=at) for row_id in ids]


def ids_read(sandbox: Sandbox, path: str = "/jobs/") -> list[int]:
    """Return the ids that were requested by id, in order."""
    rests = (request.path.removeprefix(path) for request in sandbox.requests if request.path.startswith(path))
    return [int(rest) for rest in rests if rest.isdigit()]


def touch_rows(sandbox: Sandbox, ids: Iterable[int]) -> None:
    for row_id in ids:
        sandbox.store.update("jobs", row_id, {"subtitle": f"Touched {row_id}"})


def test_hinted_rows_are_read_by_id_before_their_list(sandbox: Sandbox, webhook_config: Config) -> None:
    """They are emitted first, once, and with the same values as in the list."""
    state = run_tap(webhook_config, "jobs").state
    ids = [row["id"] for row in sandbox.rows("jobs")[:3]]
    touch_rows(sandbox, ids)
    deliver(webhook_config, *deliveries_for(*ids))
    sandbox.requests.clear()
    emitted = run_tap(webhook_config, "jobs", state=state)
    assert sorted(ids_read(sandbox)) == ids
    paths = [request.path for request in sandbox.requests]
    assert max(paths.index(f"/jobs/{row_id}") for row_id in ids) < paths.index("/jobs")
    assert sorted(emitted.ids("jobs")[:3]) == ids
    assert len(set(emitted.ids("jobs"))) == len(emitted.ids("jobs"))
    without = run_tap(
        {name: value for name, value in webhook_config.items() if name != "webhook_token"}, "jobs", state=state
    )
    records = {record["id"]: record for record in emitted.records["jobs"]}
    assert {record["id"]: record for record in without.records["jobs"]} == records
    assert emitted.state["bookmarks"]["jobs"] == {
        **without.state["bookmarks"]["jobs"],
        "hinted": emitted.state["bookmarks"]["jobs"]["hinted"],
    }


def test_a_hinted_row_with_details_needs_one_request(sandbox: Sandbox, webhook_config: Config) -> None:
    """The details are not read again."""
    webhook_config |= {"detail_streams": ["jobs"]}
    state = run_tap(webhook_config, "jobs").state
    (row_id,) = ids = [sandbox.rows("jobs")[0]["id"]]
    touch_rows(sandbox, ids)
    deliver(webhook_config, *deliveries_for(*ids))
    sandbox.requests.clear()
    emitted = run_tap(webhook_config, "jobs", state=state)
    assert ids_read(sandbox).count(row_id) == 1
    assert emitted.ids("jobs").count(row_id) == 1
    assert emitted.records["jobs"][0]["status_log"] is not None


def test_a_row_with_an_old_updated_at_is_found_by_its_hint(sandbox: Sandbox, webhook_config: Config) -> None:
    """The list, read from the bookmark on, does not contain it."""
    state = run_tap(webhook_config, "jobs").state
    old, hinted = (row["id"] for row in sandbox.rows("jobs")[:2])
    for row_id in (old, hinted):
        sandbox.store.patch("jobs", row_id, {"subtitle": "Late"})
    deliver(webhook_config, *deliveries_for(hinted))
    emitted = run_tap(webhook_config, "jobs", state=state)
    assert hinted in emitted.ids("jobs")
    assert old not in emitted.ids("jobs")


def test_a_row_that_changes_after_it_was_read_by_id_is_emitted_again(sandbox: Sandbox, webhook_config: Config) -> None:
    """The row of the list is newer."""
    state = run_tap(webhook_config, "jobs").state
    (row_id,) = ids = [sandbox.rows("jobs")[0]["id"]]
    touch_rows(sandbox, ids)
    deliver(webhook_config, *deliveries_for(*ids))

    def change_during_scan(request: Any) -> None:
        if request.path == "/jobs":
            sandbox.on_request = None
            sandbox.store.update("jobs", row_id, {"subtitle": "Changed meanwhile"})

    sandbox.on_request = change_during_scan
    emitted = run_tap(webhook_config, "jobs", state=state)
    assert [row["subtitle"] for row in emitted.records["jobs"] if row["id"] == row_id][-1] == "Changed meanwhile"


def test_hints_are_used_until_their_state_is_returned(sandbox: Sandbox, webhook_config: Config) -> None:
    """A run with the earlier state reads the same rows again."""
    state = run_tap(webhook_config, "jobs").state
    ids = [row["id"] for row in sandbox.rows("jobs")[:2]]
    deliver(webhook_config, *deliveries_for(*ids))
    after = run_tap(webhook_config, "jobs", state=state).state
    for returned_state, requested_ids in ((state, ids), (after, [])):
        sandbox.requests.clear()
        last = run_tap(webhook_config, "jobs", state=returned_state)
        assert sorted(ids_read(sandbox)) == requested_ids
    deliver(webhook_config, *deliveries_for(ids[0], at="2026-11-02 00:00:00"))
    sandbox.requests.clear()
    run_tap(webhook_config, "jobs", state=last.state)
    assert ids_read(sandbox) == ids[:1]


def test_a_hint_at_a_deleted_or_unknown_row_emits_nothing(sandbox: Sandbox, webhook_config: Config) -> None:
    """Delete detection reports deleted rows."""
    state = run_tap(webhook_config, "jobs").state
    deleted_id = sandbox.rows("jobs")[0]["id"]
    sandbox.store.delete("jobs", deleted_id)
    deliver(webhook_config, *deliveries_for(deleted_id, 10**17))
    emitted = run_tap(webhook_config, "jobs", state=state)
    assert not {deleted_id, 10**17} & set(emitted.ids("jobs"))
    assert not any(record.get("deleted_at") for record in emitted.records["jobs"])


def test_filters_apply_to_hinted_rows(sandbox: Sandbox, webhook_config: Config) -> None:
    """A hint does not widen the filters."""
    webhook_config |= {"filters": {"jobs": {"status": "Completed"}}}
    state = run_tap(webhook_config, "jobs").state
    done = next(row["id"] for row in sandbox.rows("jobs") if row["status"] == 4)
    other = next(row["id"] for row in sandbox.rows("jobs") if row["status"] != 4)
    touch_rows(sandbox, [done, other])
    deliver(webhook_config, *deliveries_for(done, other))
    emitted = run_tap(webhook_config, "jobs", state=state)
    assert done in emitted.ids("jobs")
    assert other not in emitted.ids("jobs")


@pytest.mark.parametrize("streams", [("change_events",), ("jobs", "change_events")])
def test_a_change_of_a_hinted_row_is_one_event(
    sandbox: Sandbox, webhook_config: Config, streams: tuple[str, ...]
) -> None:
    """The stream need not be selected. Columns that only a row by id has are not a change."""
    state = run_tap(webhook_config, *streams).state
    ids = [row["id"] for row in sandbox.rows("jobs")[:2]]
    touch_rows(sandbox, ids[:1])
    deliver(webhook_config, *deliveries_for(*ids))
    emitted = run_tap(webhook_config, *streams, state=state)
    assert [(event["event"], event["object_id"]) for event in emitted.records["change_events"]] == [("updated", ids[0])]
    touch_rows(sandbox, ids[1:])
    last = run_tap(webhook_config, *streams, state=emitted.state)
    assert [(event["event"], event["object_id"]) for event in last.records["change_events"]] == [("updated", ids[1])]
    assert set(ids_read(sandbox)) >= set(ids)


@pytest.mark.parametrize(
    ("noun", "stream"), [("Estimate", "estimates"), ("Invoice", "invoices"), ("Customer", "customers")]
)
def test_every_stream_with_a_path_by_id_uses_hints(
    sandbox: Sandbox, webhook_config: Config, noun: str, stream: str
) -> None:
    """Events that the vendor may add are hints too."""
    state = run_tap(webhook_config, stream).state
    row_id = sandbox.rows(stream)[0]["id"]
    sandbox.store.patch(stream, row_id, {"notes": "Late"})
    deliver(webhook_config, *deliveries_for(row_id, noun=noun))
    emitted = run_tap(webhook_config, stream, state=state)
    assert row_id in emitted.ids(stream)
    assert ids_read(sandbox, f"/{stream}/") == [row_id]


@pytest.mark.parametrize("sequence", [None, "1", -1, True, 1.5, 10**30, [], {}])
def test_an_invalid_sequence_in_the_state_uses_all_hints(
    sandbox: Sandbox, webhook_config: Config, sequence: Any
) -> None:
    """Reading a row twice does no harm."""
    row_id = sandbox.rows("jobs")[0]["id"]
    deliver(webhook_config, *deliveries_for(row_id))
    run_tap(webhook_config, "jobs", state={"bookmarks": {"jobs": {"hinted": sequence}}})
    assert ids_read(sandbox) == [row_id]


def test_deliveries_of_another_account_are_not_hints(sandbox: Sandbox, webhook_config: Config) -> None:
    """Ids are unique only within an account."""
    state = run_tap(webhook_config, "jobs").state
    deliver(
        webhook_config,
        *(delivery | {"company": "FieldPulse_Other_2"} for delivery in deliveries_for(sandbox.rows("jobs")[0]["id"])),
    )
    sandbox.requests.clear()
    assert "hinted" not in run_tap(webhook_config, "jobs", state=state).state["bookmarks"]["jobs"]
    assert ids_read(sandbox) == []


def test_an_account_without_an_id_is_logged(sandbox: Sandbox, webhook_config: Config, caplog: Any) -> None:
    """Deliveries name the company by its id, so none can be assigned to the account."""
    for stream in ("users", "teams", "customers", "job_status_workflows", "jobs", "pipeline_statuses", "lead_sources"):
        for row in sandbox.rows(stream):
            sandbox.store.patch(stream, row["id"], {"company_id": None})
    run_tap(webhook_config, "tags")
    assert "no webhook delivery can be assigned" in caplog.text


def test_without_a_token_no_inbox_is_opened(sandbox: Sandbox, snapshot_config: Config, tmp_path: Path) -> None:
    """A user without webhooks has no inbox."""
    run_tap(snapshot_config, "jobs", "webhook_events")
    assert list(tmp_path.glob("*webhooks*")) == []


def test_hints_beyond_a_thousand_are_left_to_the_list(client: Client, sandbox: Sandbox) -> None:
    """The rows that were named last are read by id, and the state moves past all hints."""
    ids = [(row_id, 5000 - row_id) for row_id in range(1, 1004)]
    hints = HintedRows(ids, client, BY_NAME["jobs"], ReadOptions(), logging.getLogger())
    hints.read()
    assert sorted(ids_read(sandbox)) == list(range(1, 1001))
    assert hints.next_state() == {"hinted": 4999}


def test_hinted_rows_that_cannot_be_read_are_left_to_the_list(client: Client, sandbox: Sandbox, caplog: Any) -> None:
    """A warning is logged, and the records do not depend on a hint."""
    ids = [row["id"] for row in sandbox.rows("jobs")]
    sandbox.add_fault(Fault("error_status", path=f"/jobs/{ids[0]}", times=99))
    hints = HintedRows(
        [(row_id, row_id) for row_id in ids], client, BY_NAME["jobs"], ReadOptions(), logging.getLogger()
    )
    hints.read()
    join_prefetch_threads()
    assert "left to the list" in caplog.text
    sandbox.add_fault(Fault("error_in_200", path=f"/jobs/{ids[1]}", times=99))
    hints = HintedRows(
        [(row_id, row_id) for row_id in ids[1:]], client, BY_NAME["jobs"], ReadOptions(), logging.getLogger()
    )
    hints.read()
    hints.restrict_to(lambda row: True, columns=None)
    assert [row["id"] for rows in hints.rows() for row in rows] == ids[2:]


def test_a_killed_run_reads_its_hints_again(sandbox: Sandbox, webhook_config: Config, tmp_path: Path) -> None:
    """SIGKILL ends the run after the hinted rows and before the state."""
    webhook_config |= {"page_size": 5}
    catalog, state = tmp_path / "catalog.json", tmp_path / "state.json"
    catalog.write_text(json.dumps(select_streams(TapFieldPulse(config=webhook_config), ["jobs"])))
    line = [
        *plugin_command("tap_fieldpulse", webhook_config, tmp_path, "--catalog", str(catalog)),
        "--state",
        str(state),
    ]
    state.write_text("{}")
    state.write_text(json.dumps(RunResult(run_process(line).stdout).state))
    late, *others = (row["id"] for row in sandbox.rows("jobs"))
    sandbox.store.patch("jobs", late, {"subtitle": "Late"})
    touch_rows(sandbox, others)  # so that the list has several pages to read
    deliver(webhook_config, *deliveries_for(late))
    sandbox.add_fault(Fault("slow_response", path="/jobs", skip=1, seconds=60, times=9))
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout
        while '"Late"' not in process.stdout.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGKILL)
        assert '"hinted"' not in process.stdout.read()
    sandbox._faults.waiting.clear()
    again = RunResult(run_process(line).stdout)
    assert late in again.ids("jobs")
    assert again.state["bookmarks"]["jobs"]["hinted"]
