"""The settings `null_policy` and `fill_empty_only`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pytest

from fieldpulse_sandbox.sandbox import Sandbox
from tests.harness.messages import record_message, schema_message, singer_lines
from tests.harness.target_runner import run_target
from tests.target.shared import newest_row, row_by_id

Config = dict[str, Any]

CUSTOMERS = schema_message(
    "customers", "external_id", "first_name", "notes", "job_notes", "assigned_to", "custom_fields", "tags"
)


def customer(**values: Any) -> str:
    """Return the SCHEMA and the record of one customer."""
    return singer_lines(CUSTOMERS, record_message("customers", **{"external_id": "n", "first_name": "N", **values}))


def test_a_null_leaves_its_field_by_default(sandbox: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """It writes nothing."""
    run_target(target_config, customer(notes="Kept"), tmp_path)
    assert run_target(target_config, customer(notes=None), tmp_path).counts == {"unchanged": 1}
    assert newest_row(sandbox, "customers")["notes"] == "Kept"


@pytest.mark.parametrize("empty", ["", "  ", "\u200b", "\u00a0"], ids=ascii)
def test_empty_text_is_null_in_every_field(sandbox: Sandbox, target_config: Config, tmp_path: Path, empty: str) -> None:
    """A CSV file has no nulls. Its empty cells leave an existing customer as it is, and are not sent in a create."""
    schema = schema_message("customers", "external_id", "first_name", "email", "notes", "status", "custom_fields")
    row = next(row for row in sandbox.rows("customers") if row["email"] and row["status"])
    empty_cells = {"notes": empty, "status": empty, "custom_fields": {"Gate code": empty}}
    records = (
        record_message("customers", external_id="old", first_name="Olga", email=row["email"], **empty_cells),
        record_message("customers", external_id="new", first_name="Ann", email=empty, **empty_cells),
    )
    result = run_target(target_config, singer_lines(schema, *records), tmp_path)
    assert result.counts == {"updated": 1, "created": 1}
    bodies = [request.body or {} for request in sandbox.requests if request.method in ("POST", "PUT")]
    assert [body.keys() & {"notes", "status", "custom_fields"} for body in bodies] == [set(), set()]


def test_empty_text_is_null_in_custom_fields_of_the_api(
    sandbox: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """The property `customfields` has the API's own form."""
    row = next(row for row in sandbox.rows("customers") if row["customfields"])
    entry = {"field_instance_id": row["customfields"][0]["field_instance_id"], "value": ""}
    schema = schema_message("customers", "id", "customfields")
    result = run_target(
        target_config, singer_lines(schema, record_message("customers", id=row["id"], customfields=[entry])), tmp_path
    )
    assert result.counts == {"unchanged": 1}
    assert row_by_id(sandbox, "customers", row["id"])["customfields"] == row["customfields"]


def test_empty_text_clears_its_field_where_a_null_does(sandbox: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """The setting `null_policy` covers both."""
    config = target_config | {"null_policy": "clear"}
    run_target(config, customer(notes="One", job_notes="Two"), tmp_path)
    assert run_target(config, customer(notes="", job_notes="Two"), tmp_path).counts == {"updated": 1}
    row = newest_row(sandbox, "customers")
    assert (row["notes"] or "", row["job_notes"]) == ("", "Two")


@pytest.mark.parametrize("put_null", ["clear", "empty", "ignore"])
def test_a_null_clears_its_field_by_null_or_empty_text(
    sandbox: Sandbox, target_config: Config, tmp_path: Path, put_null: Literal["clear", "empty", "ignore"]
) -> None:
    """The target tests which value clears the field. The same record again writes nothing."""
    sandbox.behaviour.put_null = put_null
    config = target_config | {"null_policy": "clear"}
    assert run_target(config, customer(notes="One", job_notes="Two"), tmp_path).counts == {"created": 1}
    assert run_target(config, customer(notes=None, job_notes="Three"), tmp_path).counts == {"updated": 1}
    assert (newest_row(sandbox, "customers")["notes"] or "", newest_row(sandbox, "customers")["job_notes"]) == (
        "",
        "Three",
    )
    assert run_target(config, customer(notes=None, job_notes="Three"), tmp_path).counts == {"unchanged": 1}


def test_a_field_that_fieldpulse_does_not_clear_rejects_the_record(
    sandbox: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """Every such record is rejected, and its other fields are written."""
    user = sandbox.rows("users")[0]["id"]
    config = target_config | {"null_policy": "clear"}
    keys = [f"k{number}" for number in range(3)]

    def customers(**values: Any) -> str:
        return singer_lines(
            CUSTOMERS, *(record_message("customers", external_id=key, first_name=key, **values) for key in keys)
        )

    run_target(config, customers(assigned_to=user), tmp_path)
    result = run_target(config, customers(assigned_to=None, notes="Still"), tmp_path)
    assert (result.counts, result.status) == ({"rejected": 3}, 1)
    assert "assigned_to: neither null nor an empty text clears it" in result.stderr
    assert [row["notes"] for row in sandbox.rows("customers") if row["first_name"] in keys] == ["Still"] * 3


def test_an_empty_field_is_not_cleared_and_proves_nothing(
    sandbox: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """If a field was empty before, its null does not show which value clears."""
    sandbox.behaviour.put_null = "empty"
    config = target_config | {"null_policy": "clear"}
    keys = ("a", "b")
    texts = {"a": "", "b": "Text"}
    run_target(
        config,
        singer_lines(
            CUSTOMERS, *(record_message("customers", external_id=k, first_name=k, notes=texts[k]) for k in keys)
        ),
        tmp_path,
    )
    nulls = singer_lines(
        CUSTOMERS, *(record_message("customers", external_id=k, first_name=k, notes=None) for k in keys)
    )
    assert run_target(config | {"requests_per_second": 1}, nulls, tmp_path).status == 0
    assert [row["notes"] or "" for row in sandbox.rows("customers") if row["first_name"] in keys] == ["", ""]


def test_fill_empty_only_keeps_values_of_fieldpulse(sandbox: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """Each field that has a value in FieldPulse keeps it. The same record again writes nothing."""
    row = sandbox.rows("customers")[2]
    sandbox.store.patch("customers", row["id"], {"notes": "Theirs", "job_notes": "", "customfields": [], "tags": []})
    tag = sandbox.rows("tags")[0]["id"]
    values = {"notes": "Ours", "job_notes": "Ours", "tags": [tag], "custom_fields": {"Gate code": "1"}}
    text = singer_lines(CUSTOMERS, record_message("customers", id=row["id"], first_name="Ours", **values))
    config = target_config | {"fill_empty_only": True}
    assert run_target(config, text, tmp_path).counts == {"updated": 1}
    after = next(customer for customer in sandbox.rows("customers") if customer["id"] == row["id"])
    assert (after["notes"], after["job_notes"], after["first_name"]) == ("Theirs", "Ours", row["first_name"])
    assert after["tags"] == [tag]
    assert [value["value"] for value in after["customfields"]] == ["1"]
    since = len(sandbox.requests)
    assert run_target(config, text, tmp_path).counts == {"unchanged": 1}
    assert not [request for request in sandbox.requests[since:] if request.path.startswith("/customers/")]
    assert run_target(target_config, text, tmp_path).counts == {"updated": 1}
    assert next(customer for customer in sandbox.rows("customers") if customer["id"] == row["id"])["notes"] == "Ours"
