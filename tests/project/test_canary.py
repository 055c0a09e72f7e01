"""Personal data and keys appear only in records and rejects, never in logs, states, the ledger or cassettes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fieldpulse_sandbox.faults.fault import Fault
from fieldpulse_sandbox.sandbox import Sandbox
from tests.harness.messages import record_message, schema_message, singer_lines
from tests.harness.processes import plugin_command, run_process
from tests.harness.scrub import scrub, scrub_live
from tests.harness.target_runner import run_target

EMAIL, PHONE = "canary.bird@example.com", "+12145550188"
CASSETTES = sorted((Path(__file__).parent.parent.parent / "cassettes").rglob("*.yaml"))


@pytest.fixture
def canary(sandbox: Sandbox) -> Sandbox:
    """Return an account in which a person's e-mail and phone stand in several columns, one of them unknown."""
    row = sandbox.rows("customers")[0]
    sandbox.store.patch(
        "customers", row["id"], {"email": EMAIL, "phone": PHONE, "assigned_to": EMAIL, "surprise": EMAIL}
    )
    return sandbox


def test_the_tap_shows_a_person_in_records_only(canary: Sandbox, config: dict[str, Any], tmp_path: Path) -> None:
    """Warnings name columns and counts, also for a value of the wrong type."""
    canary.add_fault(Fault("not_json", path="/customers"))
    ended = run_process(plugin_command("tap_fieldpulse", config, tmp_path))
    assert ended.returncode == 0
    assert EMAIL in ended.stdout
    assert "customers: 1 values of assigned_to do not fit" in ended.stderr
    for secret in (EMAIL, PHONE, canary.key):
        assert secret not in ended.stderr
        assert all(secret not in line for line in ended.stdout.splitlines() if '"type":"RECORD"' not in line)


def test_the_target_shows_a_person_in_its_rejects_only(
    canary: Sandbox, target_config: dict[str, Any], tmp_path: Path
) -> None:
    """No outcome shows it: created, refused by the target, refused by the server, uncertain."""
    properties = ("external_id", "first_name", "email", "phone", "status")
    text = singer_lines(
        schema_message("customers", *properties),
        record_message("customers", external_id="1", first_name="C", email=EMAIL, phone=PHONE),
        record_message("customers", external_id="2", first_name="C", email=EMAIL, status=EMAIL),
        record_message("customers", external_id="3", first_name="C", email=f"x{EMAIL}", phone="not " + PHONE),
        schema_message("pipeline_statuses", "customer_email", "pipeline_status"),
        record_message("pipeline_statuses", customer_email="nobody." + EMAIL, pipeline_status=PHONE),
    )
    canary.add_fault(Fault("dropped_connection", method="PUT", times=2))
    written = run_target(target_config, text, tmp_path)
    assert sum(written.counts.values()) == 4
    ledger = b"".join(path.read_bytes() for path in tmp_path.glob("ledger.db*")).decode("latin-1")
    for secret in (EMAIL, PHONE, PHONE[2:], canary.key):
        assert secret not in written.stderr
        assert secret not in ledger
        assert secret not in str(written.states)


@pytest.mark.parametrize("path", CASSETTES, ids=lambda path: path.stem)
def test_no_cassette_holds_a_key_an_email_or_a_phone(path: Path) -> None:
    """They are removed when a cassette is written."""
    text = path.read_text("utf-8")
    assert "cassette-key" not in text
    assert "canary" not in text
    assert "sandbox-secret" not in text or "live" not in path.parts
    assert scrub(text) == text


def test_there_are_cassettes_for_tap_and_target() -> None:
    """The check above has something to check."""
    names = {path.stem for path in CASSETTES}
    assert {"the_tap_reads_parents_children_and_people", "the_target_creates_changes_and_moves"} <= names
    assert len(names) > 30


def test_a_live_recording_keeps_structure_and_no_free_text() -> None:
    """Keys, types, ids, times, amounts and codes; no name, address or note."""
    personal = {"first_name": "Ada", "zip": "75001", "deep": [{"note": "call 214 555 0100"}], "lat": 32.81234}
    unchanged = {"id": 7, "status": "lead", "total": "200.00", "at": "2026-03-09 18:22:41", "notes": ""}
    live = json.loads(scrub_live(json.dumps({"response": [personal | unchanged | {"api_token": "t"}]})))
    scrubbed = {"first_name": "scrubbed", "zip": "scrubbed", "deep": [{"note": "scrubbed"}], "lat": 0.5}
    assert live == {"response": [scrubbed | unchanged]}
