"""The existing row of a record, found by its id or by a match set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fieldpulse_sandbox.sandbox import Sandbox
from tests.harness.messages import record_message, schema_message, singer_lines
from tests.harness.target_runner import run_target
from tests.target.shared import CUSTOMERS, row_by_id, write_requests

Config = dict[str, Any]


def test_an_existing_customer_is_updated_instead_of_created(
    sandbox: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """The match of e-mail addresses ignores case."""
    existing = next(row for row in sandbox.rows("customers") if row["email"])
    text = singer_lines(
        CUSTOMERS, record_message("customers", external_id="x", first_name="New", email=existing["email"].upper())
    )
    assert run_target(target_config, text, tmp_path).counts == {"updated": 1}
    assert row_by_id(sandbox, "customers", existing["id"])["first_name"] == "New"
    assert write_requests(sandbox) == [f"PUT /customers/{existing['id']}"]


def test_an_ambiguous_match_rejects_the_record(sandbox: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """The error shows the ids of the rows, and no e-mail address."""
    first, second = sandbox.rows("customers")[:2]
    for row in (first, second):
        sandbox.store.patch("customers", row["id"], {"email": "twins@example.com"})
    result = run_target(
        target_config,
        singer_lines(
            CUSTOMERS, record_message("customers", external_id="x", first_name="T", email="twins@example.com")
        ),
        tmp_path,
    )
    assert result.counts == {"rejected": 1}
    assert f"{first['id']}, {second['id']}" in result.stderr
    assert "twins@example.com" not in result.stderr
    assert write_requests(sandbox) == []


def test_concurrent_records_with_one_email_create_one_customer(
    sandbox: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """A form that is submitted several times within a second creates one customer."""
    records = [
        record_message("customers", external_id=f"l{n}", first_name="Same", email="same@example.com") for n in range(8)
    ]
    counts = run_target(target_config | {"shared_rows": "allow"}, singer_lines(CUSTOMERS, *records), tmp_path).counts
    assert counts == {"created": 1, "unchanged": 7}


def test_a_record_with_an_id_updates_the_row_with_this_id(
    sandbox: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """The same record again writes nothing."""
    row = sandbox.rows("customers")[4]
    text = singer_lines(CUSTOMERS, record_message("customers", id=row["id"], notes="Called"))
    assert run_target(target_config, text, tmp_path).counts == {"updated": 1}
    assert run_target(target_config, text, tmp_path).counts == {"unchanged": 1}
    assert sandbox.rows("customers")[4]["notes"] == "Called"


def test_an_update_of_a_deleted_row_never_falls_back_to_a_create(
    sandbox: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """A create would duplicate rows whose id is wrong."""
    text = singer_lines(CUSTOMERS, record_message("customers", id=1, first_name="Gone"))
    result = run_target(target_config, text, tmp_path)
    assert (result.counts, result.status) == ({"rejected": 1}, 1)
    assert write_requests(sandbox) == []


@pytest.mark.parametrize(
    "message",
    [
        record_message("pipeline_statuses", customer_email=" ", pipeline_status="Won"),
        record_message("items", external_id="i", name="New", sku=" "),
    ],
    ids=["reference by e-mail", "match set"],
)
def test_blank_values_match_no_row(sandbox: Sandbox, target_config: Config, tmp_path: Path, message: Config) -> None:
    """They do not match a row with an empty column either."""
    for stream, column in (("customers", "email"), ("items", "sku")):
        for number, row in enumerate(sandbox.rows(stream)):
            sandbox.store.patch(stream, row["id"], {column: f"x{number}@example.com" if number else None})
    text = singer_lines(schema_message(message["stream"], *message["record"]), message)
    config = target_config | {"match": {"items": [["sku"]]}}
    assert "updated" not in run_target(config, text, tmp_path).counts


def test_a_phone_number_matches_with_and_without_country_code(
    sandbox: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """The number of the test is invalid in its country, and matches all the same."""
    sandbox.store.patch("customers", sandbox.rows("customers")[0]["id"], {"phone": "852 555 0117"})
    text = singer_lines(CUSTOMERS, record_message("customers", external_id="p", phone="+1 (852) 555-0117", notes="x"))
    assert run_target(target_config | {"match": {"customers": [["phone"]]}}, text, tmp_path).counts == {"updated": 1}


def test_values_that_fieldpulse_derives_match_in_the_same_run(
    sandbox: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """FieldPulse composes the display name of the first record, and the second record matches it."""
    records = (
        record_message("customers", external_id="d1", first_name="Dee", last_name="Dup"),
        record_message("customers", external_id="d2", display_name="Dee Dup", notes="x"),
    )
    config = target_config | {
        "match": {"customers": [["display_name"]]},
        "shared_rows": "allow",
        "requests_per_second": 1,
    }
    assert run_target(config, singer_lines(CUSTOMERS, *records), tmp_path).counts == {"created": 1, "updated": 1}


def test_a_value_that_was_not_written_does_not_match(sandbox: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """`fill_empty_only` left out the new e-mail address, so the next record with this address creates a row."""
    row = next(row for row in sandbox.rows("customers") if row["email"])
    records = (
        record_message("customers", id=row["id"], email="new@example.com", notes="x"),
        record_message("customers", external_id="b", first_name="B", email="new@example.com"),
    )
    config = target_config | {"fill_empty_only": True}
    assert run_target(config, singer_lines(CUSTOMERS, *records), tmp_path).counts.get("created") == 1
