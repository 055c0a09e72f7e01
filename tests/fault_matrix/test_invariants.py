"""Each invariant can fail: given a violation, the check reports it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fieldpulse_api.errors import UnexpectedResponse
from tests.harness.messages import singer_lines
from tests.harness.results import RunResult

from .invariants import (
    Expectation,
    Warehouse,
    converged,
    counts_add_up,
    names_unavailable_list,
    no_duplicates,
    no_lost_records,
    no_unexpected_error,
    refused_by_setting,
)
from .plugins import Message

ROWS = {"jobs": {n: {"id": n, "notes": f"n{n}", "updated_at": f"2026-05-0{n} 12:00:00"} for n in (1, 2, 3)}}
LOG_LINE = "jobs: records=3 pages=1 server_count=3 duplicates=0 seconds=0.0 complete"


def record(number: int, **other: Any) -> Message:
    time = f"2026-05-0{number}T12:00:00.000000Z"
    return {
        "type": "RECORD",
        "stream": "jobs",
        "record": {"id": number, "notes": f"n{number}", "updated_at": time, **other},
    }


def state(day: int) -> Message:
    bookmark = {"replication_key": "updated_at", "replication_key_value": f"2026-05-0{day}T12:00:00.000000Z"}
    return {"type": "STATE", "value": {"bookmarks": {"jobs": bookmark}}}


def loaded(*messages: Message, log_line: str = LOG_LINE) -> list[str]:
    return list(Warehouse(("jobs",)).load(RunResult.of_messages(messages, log_line), ROWS, ROWS))


def test_a_run_that_read_everything_is_right() -> None:
    """The other tests fail for what they change of it, and for nothing else."""
    assert loaded(record(1), record(2), record(3), state(3)) == []
    assert loaded(record(3), state(1), log_line=LOG_LINE.replace("complete", "unproven")) == []


@pytest.mark.parametrize(
    ("messages", "wrong"),
    [
        ([record(1), record(3)], "jobs is complete, and jobs 2 is missing"),
        ([record(1), record(2, notes="old"), record(3)], "jobs is complete, and jobs 2 is old in notes"),
        ([record(1), state(3), record(2), record(3)], "jobs: the bookmark passed row 2, which was not read"),
        ([record(1), record(2), record(3), record(0)], "jobs 0 was emitted, and never was in the account"),
        (
            [record(2), record(3), {**record(1), "stream": "deleted_rows", "record": {"stream": "jobs", "id": 1}}],
            "jobs 1 was reported as deleted, and is there",
        ),
    ],
    ids=["missing", "old", "passed", "made up", "not deleted"],
)
def test_a_reading_that_is_wrong_is_found_out(messages: list[Message], wrong: str) -> None:
    """Rows that are missing or old, a bookmark too far, rows and deletes that are made up."""
    assert wrong in loaded(*messages)


def test_a_deleted_row_must_be_gone_if_a_run_that_ended_well_saw_it() -> None:
    """A row that only a failed run emitted is exempt: the observations of that run do not count."""
    fewer = {"jobs": {n: ROWS["jobs"][n] for n in (1, 2)}}
    failed = RunResult.of_messages([record(3)])
    failed.status, failed.error = 1, UnexpectedResponse("No.", where="GET /jobs page 2", hint="x")
    for first, wrong in (
        (failed, []),
        (
            RunResult.of_messages([record(3), record(1), record(2)], LOG_LINE),
            ["jobs: 1 deleted rows are still there at the end"],
        ),
    ):
        house = Warehouse(("jobs",))
        assert list(house.load(first, ROWS, ROWS)) == []
        assert list(house.load(RunResult.of_messages([record(1), record(2)], LOG_LINE), fewer, fewer)) == []
        assert list(house.differences(fewer, ["jobs"], exactly=True)) == wrong


def test_a_run_that_ends_without_a_word_is_found_out() -> None:
    """Nothing said of a stream, and an error of another library."""
    assert loaded(record(1), log_line="") == ["the run ended well and said nothing of jobs"]
    result = RunResult(error=KeyError("jobs"))
    assert "an unexpected error" in next(Warehouse(("jobs",)).load(result, ROWS, ROWS))
    assert list(no_unexpected_error(RunResult(stderr="Traceback (most recent call last):\n  x")))


def test_a_list_that_there_is_not_must_end_the_run() -> None:
    """With an error that names it."""
    error = UnexpectedResponse("No.", where="GET /teams page 1", hint="x")
    assert list(names_unavailable_list(RunResult(error=error), ["/teams"])) == []
    assert list(names_unavailable_list(RunResult(error=error), ["/users"]))
    assert list(names_unavailable_list(RunResult(), ["/teams"]))


def test_a_writing_that_is_wrong_is_found_out() -> None:
    """Two rows for a key, a record acknowledged and lost, numbers that do not add up, a replay that changes nothing."""
    once, twice = {"jobs": {1: {"id": 1, "notes": "k"}}}, {"jobs": {n: {"id": n, "notes": "k"} for n in (1, 2)}}
    due, none = [Expectation("jobs", ("k",), {"notes": "k"})], {"jobs": {}}
    assert (list(no_duplicates(due, once)), list(no_duplicates(due, twice))) == ([], ["jobs: 2 rows for 1 keys (k)"])
    assert list(no_lost_records(due, none, set(), set())) == list(no_lost_records(due, none, {"k"}, {"k"})) == []
    assert list(no_lost_records(due, none, {"k"}, set()))
    counts = {"read": 2, "created": 1, "rejected": 1, "uncertain": 0}
    assert not list(counts_add_up({"streams": {"jobs": counts}}, read={"jobs": 2}, rejects=1))
    assert list(counts_add_up({"streams": {"jobs": counts | {"read": 3}}}, read=None, rejects=1))
    assert list(counts_add_up({"streams": {"jobs": counts}}, read={"jobs": 3}, rejects=1))
    assert list(counts_add_up({"streams": {"jobs": counts}}, read={"jobs": 2}, rejects=0))
    assert list(converged(due, none, {"streams": {"jobs": counts}}))


def test_only_money_may_stay_in_doubt_and_must_say_so() -> None:
    """Not other records, and not money of which nothing is said."""
    report = {"streams": {"payments": {"uncertain": 1}}}
    money, other = (Expectation("payments", ("p",), {"amount": "1"}, is_money=is_money) for is_money in (True, False))
    none: dict[str, Any] = {"payments": {}}
    assert list(converged([money], none, report)) == []
    assert list(converged([other], none, report))
    assert list(converged([replace(other, stream="payments")], none, report, can_settle=False)) == []
    assert list(converged([money], none, {"streams": {"payments": {"uncertain": 0}}}))


def test_a_record_that_refers_to_an_uncertain_row_may_be_rejected() -> None:
    """Only where absence cannot be proved, and only if it is counted as rejected."""
    due, none = [Expectation("jobs", ("j",), {"notes": "x"})], {"jobs": {}}
    report = {"streams": {"customers": {"uncertain": 1}, "jobs": {"uncertain": 0, "rejected": 1}}}
    assert list(converged(due, none, report, can_settle=False)) == []
    assert list(converged(due, none, report))
    report["streams"]["jobs"]["rejected"] = 0
    assert list(converged(due, none, report, can_settle=False))


def test_an_input_that_cannot_be_written_must_be_refused_by_its_setting() -> None:
    """Not go on, not fail for another reason, not take a record."""
    due, none = [Expectation("jobs", ("k",), {"notes": "k"})], {"jobs": {}}
    right = RunResult(stderr="No.\n  where: setting match.jobs\n  do:    x", status=2)
    assert list(refused_by_setting(right, due, none, "setting match.jobs")) == []
    assert list(refused_by_setting(right, due, none, "setting match.customers"))
    assert list(refused_by_setting(replace(right, status=0), due, none, "setting match.jobs"))
    assert list(refused_by_setting(replace(right, stdout=singer_lines(state(1))), due, none, "setting match.jobs"))
    assert list(refused_by_setting(right, due, {"jobs": {1: {"id": 1, "notes": "k"}}}, "setting match.jobs"))
