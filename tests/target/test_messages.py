"""Singer files, each named after the behaviour that it shows; the rows in FieldPulse are read back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fieldpulse_sandbox.sandbox import Sandbox
from tests.harness.target_runner import run_target

MESSAGES = Path(__file__).parent / "messages"
Config = dict[str, Any]


def given(name: str) -> str:
    return (MESSAGES / f"{name}.singer").read_text()


def newest(sandbox: Sandbox, stream: str, number: int) -> list[dict[str, Any]]:
    return sandbox.rows(stream)[-number:]


def writes(sandbox: Sandbox) -> int:
    return sum(request.method != "GET" for request in sandbox.requests)


def test_creates_updates_and_leaves_unchanged(sandbox: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """Two keys in four records: two creates, one update, one unchanged. A second run sends nothing."""
    text = given("creates_updates_and_leaves_unchanged")
    first = run_target(target_config, text, tmp_path)
    assert first.counts == {"created": 2, "updated": 1, "unchanged": 1}
    assert sorted(row["first_name"] for row in newest(sandbox, "customers", 2)) == ["Adah", "Bob"]
    assert (first.status, first.states) == (0, [{"bookmarks": {"x": 1}}])
    before = writes(sandbox)
    again = run_target(target_config, text.replace('"Ada"', '"Adah"'), tmp_path)
    assert again.counts == {"unchanged": 4}
    assert writes(sandbox) == before == 3


def test_jobs_find_their_customer_by_its_external_id(sandbox: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """Parents before children, times as UNIX seconds, nulls left out, billing with its default."""
    assert run_target(target_config, given("jobs_find_their_customer_by_its_external_id"), tmp_path).counts == {
        "created": 3
    }
    customer = sandbox.rows("customers")[-1]
    jobs = newest(sandbox, "jobs", 2)
    assert {job["customer_id"] for job in jobs} == {customer["id"]}
    assert sorted((job["start_time"] or "", job["status"]) for job in jobs) == [("", 3), ("2026-12-01 15:00:00", 1)]
    bodies = [request.body for request in sandbox.requests if request.path == "/jobs" and request.method == "POST"]
    assert all(body and body["billing"] == 1 for body in bodies)
    assert next(body for body in bodies if body and "start_time" in body)["start_time"] == 1796137200


def test_moves_a_customer_by_each_way_to_name_it(sandbox: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """By external_id and by e-mail address, to a status by name in any case. The same again sends nothing."""
    text = given("moves_a_customer_by_each_way_to_name_it")
    assert run_target(target_config, text, tmp_path).counts == {"created": 2, "updated": 2}
    names = {row["id"]: row["name"] for row in sandbox.rows("pipeline_statuses")}
    moved = {row["first_name"]: names[row["pipeline_status_id"]] for row in newest(sandbox, "customers", 2)}
    assert moved == {"Mia": "Won", "Max": "Lost"}
    before = writes(sandbox)
    assert run_target(target_config, text, tmp_path).counts == {"unchanged": 4}
    assert writes(sandbox) == before
