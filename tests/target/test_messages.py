"""Singer files, which the target reads as a whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fieldpulse_sandbox.sandbox import Sandbox
from tests.harness.target_runner import run_target
from tests.target.shared import write_requests

MESSAGES = Path(__file__).parent / "messages"
Config = dict[str, Any]


def read_messages(name: str) -> str:
    """Return the content of a file in `messages/`."""
    return (MESSAGES / f"{name}.singer").read_text()


def newest_rows(sandbox: Sandbox, stream: str, number: int) -> list[dict[str, Any]]:
    """Return the rows with the highest ids, ascending."""
    return sandbox.rows(stream)[-number:]


def test_records_of_one_key_create_and_update_a_row(sandbox: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """Four records have two keys. A second run writes nothing."""
    text = read_messages("repeated_keys")
    first = run_target(target_config, text, tmp_path)
    assert first.counts == {"created": 2, "updated": 1, "unchanged": 1}
    assert sorted(row["first_name"] for row in newest_rows(sandbox, "customers", 2)) == ["Adah", "Bob"]
    assert (first.status, first.states) == (0, [{"bookmarks": {"x": 1}}])
    before = write_requests(sandbox)
    second = run_target(target_config, text.replace('"Ada"', '"Adah"'), tmp_path)
    assert second.counts == {"unchanged": 4}
    assert write_requests(sandbox) == before
    assert len(before) == 3


def test_jobs_find_their_customer_by_its_external_id(sandbox: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """The bodies have times as UNIX seconds, no nulls, and the default of billing."""
    assert run_target(target_config, read_messages("jobs_of_a_new_customer"), tmp_path).counts == {"created": 3}
    customer = sandbox.rows("customers")[-1]
    jobs = newest_rows(sandbox, "jobs", 2)
    assert {job["customer_id"] for job in jobs} == {customer["id"]}
    assert sorted((job["start_time"] or "", job["status"]) for job in jobs) == [("", 3), ("2026-12-01 15:00:00", 1)]
    bodies = [request.body for request in sandbox.requests if request.path == "/jobs" and request.method == "POST"]
    assert all(body and body["billing"] == 1 for body in bodies)
    assert next(body for body in bodies if body and "start_time" in body)["start_time"] == 1796137200


def test_a_move_finds_its_customer_by_key_or_email(sandbox: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """A move names its customer by external_id or e-mail address, and its status in any case."""
    text = read_messages("pipeline_moves")
    assert run_target(target_config, text, tmp_path).counts == {"created": 2, "updated": 2}
    names = {row["id"]: row["name"] for row in sandbox.rows("pipeline_statuses")}
    moved = {row["first_name"]: names[row["pipeline_status_id"]] for row in newest_rows(sandbox, "customers", 2)}
    assert moved == {"Mia": "Won", "Max": "Lost"}
    before = write_requests(sandbox)
    assert run_target(target_config, text, tmp_path).counts == {"unchanged": 4}
    assert write_requests(sandbox) == before
