"""A two-way sync settles: what the target wrote does not come back, and what people change always does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fieldpulse_sandbox.sandbox import Sandbox
from tap_fieldpulse.tap import TapFieldPulse
from tests.harness.results import RunResult
from tests.harness.tap_runner import run_tap, select_streams
from tests.harness.target_runner import run_target

from .crm import Crm

Config = dict[str, Any]
Values = dict[str, Any]
EDITS: list[tuple[Values | None, Values | None]] = [
    (None, None),
    (None, {"company_name": "Edited in FieldPulse"}),
    ({"company_name": "Edited earlier"}, None),
    (None, {}),
    (None, {"phone": "214-555-0199"}),
    (None, {"phone": "214-555-0199"}),  # what the CRM has taken over: back to what it was before the write
    ({"is_tax_exempt": True}, None),
    (None, {"notes": None}),
    (None, None),
    (None, {"customfields": [{"id": 1, "field_instance_id": 1, "value": "7"}], "notes": "by a person"}),
]
"""The edits of a person before and after the write of each round."""


class TwoWaySync:
    """The pipelines of a sync: CRM → FieldPulse → CRM. `flowed` are the ids that came back, by round."""

    def __init__(self, sandbox: Sandbox, config: Config, target_config: Config, folder: Path) -> None:
        self.sandbox, self.crm, self._folder = sandbox, Crm(folder / "crm.db"), folder
        self._target_config = target_config | {"hard_delete": True, "trust_ids": True}
        self.tap_config = config | {
            "snapshot_url": f"sqlite:///{folder}/snapshot.db",
            "skip_written_by": target_config["ledger_url"],
        }
        self.state: Any = None
        self.crm_takes_over = True
        self._catalogs: dict[tuple[str, ...], Any] = {}
        self.flowed: list[list[int]] = []
        self.writes: list[dict[str, int]] = []

    def push(self) -> RunResult:
        """Send what changed in the CRM to FieldPulse."""
        result = run_target(self._target_config, self.crm.messages(), self._folder)
        assert result.status == 0, result.stderr
        self.writes.append(result.counts)
        return result

    def pull(self, *more_streams: str) -> RunResult:
        """Send what changed in FieldPulse to the CRM."""
        streams = ("customers", *more_streams)
        if streams not in self._catalogs:
            catalog = select_streams(TapFieldPulse(config=self.tap_config), streams)
            entries = [entry for entry in catalog["streams"] if entry["tap_stream_id"] in streams]
            self._catalogs[streams] = {"streams": entries}
        result = run_tap(self.tap_config, state=self.state, catalog=self._catalogs[streams])
        self.state = result.state
        self.flowed.append(result.ids("customers"))
        if self.crm_takes_over:
            self.crm.receive(result.records["customers"])
        return result

    def round(self) -> list[int]:
        """Sync in both directions, and return the ids that came back."""
        self.push()
        self.pull()
        return self.flowed[-1]

    def edit(self, row_id: int, values: Values | None) -> None:
        """Save a row as a person does; {} without a change, None not at all."""
        if values is not None:
            self.sandbox.store.update("customers", row_id, values)

    def row_id(self, email: str) -> int:
        """Return the id of the customer with an e-mail address."""
        (row,) = (row for row in self.sandbox.rows("customers") if row["email"] == email)
        return int(row["id"])


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Start a small account: each of its rows is read in every round."""
    with Sandbox(customers=6) as sandbox:
        yield sandbox


@pytest.fixture
def sync(sandbox: Sandbox, config: Config, target_config: Config, tmp_path: Path) -> TwoWaySync:
    """Return a sync of which both sides are in step: two contacts of the CRM, and the customers of the office."""
    sync = TwoWaySync(sandbox, config, target_config, tmp_path)
    for name in ("ada", "ben"):
        sync.crm.insert(first_name=name, last_name="Crm", email=f"{name}@example.com", phone="214-555-0110")
    sync.round()
    return sync


def test_ten_rounds_bring_back_no_echo_and_every_edit_of_a_person(sync: TwoWaySync) -> None:
    """In each round the CRM changes a contact, and in most of them a person edits the same row in FieldPulse.

    That happens before or after the write: in another column, in the same one, or back to what it was before. To save
    the row without a change is not an edit.
    """
    own = {sync.row_id("ada@example.com"), sync.row_id("ben@example.com")}
    assert own.isdisjoint(sync.flowed[0])  # the first run reads everything; only the rows of the office flow
    assert len(sync.flowed[0]) == len(sync.sandbox.rows("customers")) - len(own)
    assert sync.round() == []  # the CRM sent all that it got: nothing of it is news
    row_id = sync.row_id("ada@example.com")
    for number, (before, after) in enumerate(EDITS):
        sync.crm.update(1, phone=f"214-555-01{number:02}", notes=f"round {number}")
        sync.edit(row_id, before)
        sync.push()
        sync.edit(row_id, after)
        sync.pull()
        is_edited = bool(before or after)
        assert (number, sync.flowed[-1]) == (number, [row_id] if is_edited else [])
    assert sync.crm.contacts()[0]["notes"] == "by a person"
    assert (sync.round(), sync.writes[-1]) == ([], {"updated": 1})  # the CRM confirms the last edit
    assert (sync.round(), sync.writes[-1]) == ([], {})


def test_without_the_setting_the_same_changes_come_back(sync: TwoWaySync) -> None:
    """The control: the CRM gets its own changes again, as many as it made."""
    del sync.tap_config["skip_written_by"]
    sync.crm.update(1, notes="changed by the CRM")
    assert sync.row_id("ada@example.com") in sync.round()


def test_what_the_crm_does_not_take_over_flows_once_and_a_change_back_as_well(sync: TwoWaySync) -> None:
    """The value that the target sent long ago does not explain a change of today."""
    sync.round()
    sync.crm_takes_over, row_id = False, sync.row_id("ada@example.com")
    sync.edit(row_id, {"phone": "214-555-0199"})
    assert sync.round() == [row_id]
    assert sync.round() == []
    sync.crm.update(1, notes="another field")
    assert sync.round() == []
    sync.edit(row_id, {"phone": "214-555-0110"})
    assert sync.round() == [row_id]


def test_an_edit_after_the_crm_has_confirmed_the_last_one_stays(sync: TwoWaySync) -> None:
    """The third step of the guide: sent at the next run instead, the confirmation would overwrite the later edit."""
    row_id = sync.row_id("ada@example.com")
    for notes, is_confirmed in (("first", True), ("second", True), ("third", False), ("lost", False)):
        sync.edit(row_id, {"notes": notes})
        sync.round()
        if is_confirmed:
            sync.push()
    (row,) = (row for row in sync.sandbox.rows("customers") if row["id"] == row_id)
    assert (row["notes"], sync.crm.contacts()[0]["notes"]) == ("third", "third")


def test_an_edit_of_a_new_row_flows_before_the_first_read(sync: TwoWaySync) -> None:
    """The tap has never seen the row: what the create left behind is all that it is compared with."""
    sync.round()
    for name in ("eve", "fay", "gus"):
        sync.crm.insert(first_name=name, email=f"{name}@example.com")
    sync.push()
    sync.sandbox.store.update("customers", sync.row_id("eve@example.com"), {"is_tax_exempt": True})
    sync.sandbox.store.update("customers", sync.row_id("fay@example.com"), {"first_name": None, "display_name": None})
    sync.pull()
    assert set(sync.flowed[-1]) == {sync.row_id("eve@example.com"), sync.row_id("fay@example.com")}


def test_a_full_refresh_reads_all_but_the_rows_that_the_target_made(sync: TwoWaySync) -> None:
    """Without a state, what an earlier run has emitted does not count: the destination may be empty."""
    sync.round()
    sync.state = None
    assert len(sync.round()) == len(sync.sandbox.rows("customers")) - 2


def test_deletes_of_the_target_do_not_come_back_and_those_of_people_do(sync: TwoWaySync) -> None:
    """A row that somebody restores is news, although the target wrote each of its columns."""
    sync.tap_config |= {"detect_deletes": True, "max_delete_percent": 100}
    ada, ben = sync.row_id("ada@example.com"), sync.row_id("ben@example.com")
    sync.pull("deleted_rows")
    sync.crm.delete(1)
    sync.push()
    assert sync.writes[-1]["deleted"] == 1
    sync.sandbox.store.delete("customers", ben)
    deleted_rows = sync.pull("deleted_rows").records["deleted_rows"]
    assert ([row["id"] for row in deleted_rows], sync.flowed[-1]) == ([ben], [])
    table = sync.sandbox.store.tables["customers"]
    table.upsert(table.deleted.pop(ada) | {"deleted_at": None})
    assert sync.pull("deleted_rows").records["deleted_rows"] == []
    assert sync.flowed[-1] == [ada]


def test_bookmark_and_verdict_count_what_is_left_out(sync: TwoWaySync, caplog: pytest.LogCaptureFixture) -> None:
    """The rows were read: the list is complete, and the next run begins behind them. The log tells their number."""
    sync.round()
    caplog.set_level("INFO")
    sync.crm.update(1, notes="again")
    sync.round()
    lines = [record.getMessage() for record in caplog.records]
    closing = [line for line in lines if line.startswith("Run finished")][-1]
    assert "records=0 complete=1" in closing
    assert "left out, written by our target: " in closing
    newest = max(str(row["updated_at"]) for row in sync.sandbox.rows("customers"))
    assert sync.state["bookmarks"]["customers"]["replication_key_value"].startswith(newest.replace(" ", "T"))


def test_change_events_of_echoes_are_left_out(sync: TwoWaySync) -> None:
    """Who follows the changes gets those of people only."""
    sync.pull("change_events")
    sync.crm.update(1, notes="from the CRM")
    sync.push()
    ben = sync.row_id("ben@example.com")
    sync.sandbox.store.update("customers", ben, {"notes": "by a person"})
    events = sync.pull("change_events").records["change_events"]
    assert [event["object_id"] for event in events] == [ben]


def test_a_ledger_that_does_not_exist_leaves_nothing_out(
    sync: TwoWaySync, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The tap may run first. It says so, and makes no file."""
    sync.tap_config["skip_written_by"] = f"sqlite:///{tmp_path}/other.db"
    sync.state = None
    sync.pull()
    assert len(sync.flowed[-1]) == len(sync.sandbox.rows("customers"))
    assert "does not exist yet" in caplog.text
    assert not (tmp_path / "other.db").exists()
