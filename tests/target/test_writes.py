"""What becomes of a record: matched, merged, refused with its reason, or kept for a replay."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fieldpulse_api.resources.catalogue import RESOURCES, WRITABLE
from fieldpulse_api.resources.model import Resource
from fieldpulse_sandbox.faults.fault import Fault
from fieldpulse_sandbox.sandbox import Sandbox
from tests.harness.messages import record_message, schema_message, singer_lines, state_message
from tests.harness.target_runner import run_target

Config = dict[str, Any]

CUSTOMERS = schema_message("customers", "external_id", "id", "first_name", "email", "status", "notes")
JOBS = schema_message("jobs", "external_id", "customer_id", "customer_external_id", "job_type", "notes", "id")
MOVES = schema_message(
    "pipeline_statuses",
    "customer_id",
    "customer_external_id",
    "customer_email",
    "pipeline_status",
    "pipeline_status_id",
)


def posted(box: Sandbox) -> list[str]:
    return [f"{request.method} {request.path}" for request in box.requests if request.method != "GET"]


def test_a_customer_that_exists_is_updated_and_not_created_again(
    box: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """A lead whose e-mail FieldPulse has already, in other letters, is that customer."""
    known = next(row for row in box.rows("customers") if row["email"])
    text = singer_lines(
        CUSTOMERS, record_message("customers", external_id="x", first_name="New", email=known["email"].upper())
    )
    assert run_target(target_config, text, tmp_path).counts == {"updated": 1}
    assert next(row for row in box.rows("customers") if row["id"] == known["id"])["first_name"] == "New"
    assert posted(box) == [f"PUT /customers/{known['id']}"]


def test_a_match_that_is_not_unique_is_refused_and_not_guessed(
    box: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """The ids are named, the e-mail is not."""
    one, two = box.rows("customers")[:2]
    for row in (one, two):
        box.store.patch("customers", row["id"], {"email": "twins@example.com"})
    written = run_target(
        target_config,
        singer_lines(
            CUSTOMERS, record_message("customers", external_id="x", first_name="T", email="twins@example.com")
        ),
        tmp_path,
    )
    assert written.counts == {"rejected": 1}
    assert f"{one['id']}, {two['id']}" in written.stderr
    assert "twins@example.com" not in written.stderr
    assert posted(box) == []


def test_two_new_records_with_one_email_make_one_customer(box: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """A person who fills in the form twice within a second is one person."""
    leads = [
        record_message("customers", external_id=f"l{n}", first_name="Same", email="same@example.com") for n in range(8)
    ]
    counts = run_target(target_config, singer_lines(CUSTOMERS, *leads), tmp_path).counts
    assert counts == {"created": 1, "updated": 7}


def test_a_move_is_made_again_when_another_stream_undid_it(box: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """What a customer's own record says of its stage is not hidden by an earlier move."""
    customers = schema_message("customers", "external_id", "first_name", "pipeline_status_id")
    ids = {row["name"]: row["id"] for row in box.rows("pipeline_statuses")}
    move = singer_lines(MOVES, record_message("pipeline_statuses", customer_external_id="m", pipeline_status="Won"))
    run_target(
        target_config, singer_lines(customers, record_message("customers", external_id="m", first_name="M")), tmp_path
    )
    run_target(target_config, move, tmp_path)
    back = record_message("customers", external_id="m", first_name="M", pipeline_status_id=ids["Lost"])
    run_target(target_config, singer_lines(customers, back), tmp_path)
    assert run_target(target_config, move, tmp_path).counts == {"updated": 1}
    assert box.rows("customers")[-1]["pipeline_status_id"] == ids["Won"]


def test_a_row_is_named_by_fieldpulses_id(box: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """`id` always means FieldPulse's; the same record again is unchanged."""
    row = box.rows("customers")[4]
    text = singer_lines(CUSTOMERS, record_message("customers", id=row["id"], notes="Called"))
    assert run_target(target_config, text, tmp_path).counts == {"updated": 1}
    assert run_target(target_config, text, tmp_path).counts == {"unchanged": 1}
    assert box.rows("customers")[4]["notes"] == "Called"


def test_a_row_that_was_deleted_is_refused_and_never_created_anew(
    box: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """A failed update that falls through to a create makes duplicates."""
    text = singer_lines(CUSTOMERS, record_message("customers", id=1, first_name="Gone"))
    written = run_target(target_config, text, tmp_path)
    assert (written.counts, written.status) == ({"rejected": 1}, 1)
    assert posted(box) == ["PUT /customers/1"]


def test_a_job_is_changed_with_what_its_put_must_repeat(box: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """PUT /jobs wants customer_id, job_type and billing: they are read from the row and sent along."""
    job = box.rows("jobs")[0]
    assert (
        run_target(
            target_config, singer_lines(JOBS, record_message("jobs", id=job["id"], notes="Bring a ladder")), tmp_path
        ).status
        == 0
    )
    assert box.rows("jobs")[0]["notes"] == "Bring a ladder"
    assert box.rows("jobs")[0]["job_type"] == job["job_type"]


@pytest.mark.parametrize(
    ("message", "values", "said"),
    [
        (CUSTOMERS, {"external_id": "x", "email": "a@example.com"}, "one of first_name, last_name, display_name"),
        (CUSTOMERS, {"external_id": "x", "first_name": "A" * 256}, "256 characters; the maximum is 255"),
        (CUSTOMERS, {"external_id": "x", "first_name": "A", "status": "custommer"}, "allowed: lead"),
        (CUSTOMERS, {"external_id": "x", "first_name": "A", "email": "no address"}, "an e-mail address is expected"),
        (CUSTOMERS, {"external_id": "x", "first_name": ["A"]}, "text is expected"),
        (CUSTOMERS, {"id": "abc", "first_name": "A"}, "whole numbers"),
        (CUSTOMERS, {"id": -1, "first_name": "A"}, "whole numbers"),
        (CUSTOMERS, {"first_name": "A"}, "external_id"),
        (
            JOBS,
            {"external_id": "x", "customer_external_id": "nobody", "job_type": "T"},
            "send the record of `customers`",
        ),
        (JOBS, {"external_id": "x", "job_type": "T"}, "customer_id is required"),
        (JOBS, {"external_id": "x", "customer_id": 1, "job_type": "T"}, "FieldPulse"),
        (
            MOVES,
            {"customer_email": "nobody@example.com", "pipeline_status": "Won"},
            "no row of `customers` has this e-mail",
        ),
        (MOVES, {"pipeline_status": "Won"}, "one of customer_id, customer_external_id, customer_email"),
        (MOVES, {"customer_id": 1, "pipeline_status": "Wonn"}, "did you mean 'Won'"),
        (MOVES, {"customer_id": 1}, "one of pipeline_status_id, pipeline_status"),
    ],
)
def test_a_wrong_record_is_kept_with_its_reason_and_the_run_goes_on(
    target_config: Config, tmp_path: Path, message: Config, values: Config, said: str
) -> None:
    """The reason names field and rule; the state behind it leaves; the exit status says that there were some."""
    stream = message["stream"]
    text = singer_lines(
        message,
        record_message(stream, **values),
        state_message(1),
        CUSTOMERS,
        record_message("customers", external_id="ok", first_name="Ok"),
    )
    written = run_target(target_config, text, tmp_path)
    assert written.counts == {"rejected": 1, "created": 1}
    assert written.status == 1
    assert written.states == [{"bookmarks": 1}]
    kept = [json.loads(line) for line in Path(target_config["rejects_path"]).read_text().splitlines()]
    assert [one["type"] for one in kept] == ["SCHEMA", "RECORD"]
    assert kept[1]["record"] == values
    assert said in kept[1]["rejected"] + written.stderr


def test_rejects_can_be_replayed_once_their_cause_is_mended(
    box: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """The file is Singer; what is rejected again is not in it twice, and it is nobody else's to read."""
    job = record_message("jobs", external_id="j", customer_external_id="late", job_type="T")
    rejects = Path(target_config["rejects_path"])
    run_target(target_config, singer_lines(JOBS, job), tmp_path)
    run_target(target_config, rejects.read_text(), tmp_path)
    assert len(rejects.read_text().splitlines()) == 2
    assert rejects.stat().st_mode & 0o777 == 0o600
    run_target(
        target_config,
        singer_lines(CUSTOMERS, record_message("customers", external_id="late", first_name="L")),
        tmp_path,
    )
    assert run_target(target_config, rejects.read_text(), tmp_path).counts == {"created": 1}
    assert box.rows("jobs")[-1]["job_type"] == "T"


def test_rejections_can_be_left_out_of_the_exit_status(target_config: Config, tmp_path: Path) -> None:
    """They are counted and kept all the same."""
    text = singer_lines(CUSTOMERS, record_message("customers", external_id="x"))
    written = run_target(target_config | {"on_reject": "ignore"}, text, tmp_path)
    assert (written.counts, written.status) == ({"rejected": 1}, 0)


@pytest.mark.parametrize(
    "resource", [one for one in RESOURCES if one.name not in WRITABLE], ids=lambda resource: resource.name
)
def test_a_stream_that_cannot_be_written_is_refused_at_its_schema(
    box: Sandbox, target_config: Config, tmp_path: Path, resource: Resource
) -> None:
    """Before anything is sent, with the streams that can be."""
    written = run_target(
        target_config | {"unknown_streams": "discard"}, singer_lines(schema_message(resource.name, "id")), tmp_path
    )
    assert written.status == 2
    assert all(name in written.stderr for name in WRITABLE)
    assert box.requests == []


@pytest.mark.parametrize(
    "message",
    [
        schema_message("customers", "first_name"),
        schema_message("jobs", "job_type"),
        schema_message("pipeline_statuses", "id"),
    ],
)
def test_a_schema_that_names_no_row_is_refused(
    box: Sandbox, target_config: Config, tmp_path: Path, message: Config
) -> None:
    """With the properties that would."""
    written = run_target(target_config, singer_lines(message), tmp_path)
    assert written.status == 2
    assert "external_id" in written.stderr
    assert box.requests == []


def test_an_unknown_stream_is_refused_or_discarded_and_counted(target_config: Config, tmp_path: Path) -> None:
    """As the setting says; discarded records are skipped, not lost from the account."""
    text = singer_lines(schema_message("leads", "id"), record_message("leads", id=1), state_message(2))
    assert run_target(target_config, text, tmp_path).status == 2
    written = run_target(target_config | {"unknown_streams": "discard"}, text, tmp_path)
    assert (written.counts, written.status, written.states) == ({"skipped": 1}, 0, [{"bookmarks": 2}])


def test_a_dry_run_sends_nothing_and_says_what_it_would(box: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """Also for a job whose customer it would create first; no state, no ledger, no value."""
    text = singer_lines(
        CUSTOMERS,
        record_message("customers", external_id="d", first_name="Canary", email="canary@example.com"),
        JOBS,
        record_message("jobs", external_id="dj", customer_external_id="d", job_type="Check"),
        MOVES,
        record_message("pipeline_statuses", customer_email="canary@example.com", pipeline_status="Won"),
        state_message(3),
    )
    written = run_target(target_config | {"dry_run": True}, text, tmp_path)
    assert written.counts == {"created": 2, "updated": 1}
    assert written.stderr.count("dry run: would") == 3
    assert "canary@example.com" not in written.stderr
    assert written.states == []
    assert posted(box) == []
    assert run_target(target_config, text, tmp_path).counts == {"created": 2, "updated": 1}


def test_properties_that_cannot_be_written_are_named(target_config: Config, tmp_path: Path) -> None:
    """A column that has no effect is said once, not dropped in silence."""
    text = singer_lines(
        schema_message("customers", "external_id", "first_name", "shoe_size"),
        record_message("customers", external_id="s", first_name="S"),
    )
    assert "cannot be written: shoe_size" in run_target(target_config, text, tmp_path).stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{nonsense with canary@example.com\n", "not JSON"),
        ('["canary@example.com"]\n', "not a Singer message"),
        ('{"type": "RECORD", "record": {"email": "canary@example.com"}}\n', "lacks stream"),
        ('{"type": "SURPRISE", "email": "canary@example.com"}\n', "unknown type"),
        (
            '{"type": "RECORD", "stream": "customers", "record": {"email": "canary@example.com"}}\n',
            "before the SCHEMA",
        ),
        ('{"type": "SCHEMA", "stream": "customers"}\n', "lacks schema"),
        ('{"type": "SCHEMA", "stream": "customers", "schema": "canary@example.com"}\n', "not an object"),
        ('{"type": "RECORD", "stream": "customers", "record": null}\n', "not an object"),
        ('{"type": "RECORD", "stream": "customers", "record": ["canary@example.com"]}\n', "not an object"),
    ],
)
def test_broken_input_ends_the_run_without_being_shown(
    target_config: Config, tmp_path: Path, text: str, said: str
) -> None:
    """What was read before it is written; the line itself may hold anything, so it is not printed."""
    before = singer_lines(
        CUSTOMERS, record_message("customers", external_id="b", first_name="Before"), state_message(4)
    )
    written = run_target(target_config, (before if "nonsense" in text else "") + text, tmp_path)
    assert written.status == 1
    assert said in written.stderr
    assert "canary@example.com" not in written.stderr
    if "nonsense" in text:
        assert written.counts == {"created": 1}
        assert written.states == [{"bookmarks": 4}]


def test_a_batch_is_refused_and_not_dropped(target_config: Config, tmp_path: Path) -> None:
    """The SDK's base class would swallow it without a word."""
    batch = {"type": "BATCH", "stream": "customers", "encoding": {"format": "jsonl"}, "manifest": []}
    assert "BATCH" in run_target(target_config, singer_lines(CUSTOMERS, batch), tmp_path).stderr


def test_a_spent_quota_stops_the_run_and_its_state(box: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """Exit status 3; what was not written is not acknowledged, and the account still adds up."""
    box.add_fault(Fault("quota_exceeded", method="POST", skip=3))
    leads = [
        part
        for n in range(9)
        for part in (record_message("customers", external_id=f"q{n}", first_name="Q"), state_message(n))
    ]
    written = run_target(target_config, singer_lines(CUSTOMERS, *leads), tmp_path)
    assert written.status == 3
    assert written.counts["created"] <= 8
    assert all(one["bookmarks"] < written.counts["created"] for one in written.states)
    assert run_target(target_config, singer_lines(CUSTOMERS, *leads), tmp_path).status == 0
    assert sum(row["first_name"] == "Q" for row in box.rows("customers")) == 9


def test_a_bad_key_stops_the_run_with_status_2(target_config: Config, tmp_path: Path) -> None:
    """Not with one rejection for each record."""
    text = singer_lines(CUSTOMERS, record_message("customers", external_id="k", first_name="K"))
    written = run_target(target_config | {"api_key": "canary-wrong-key"}, text, tmp_path)
    assert written.status == 2
    assert "canary-wrong-key" not in written.stderr
