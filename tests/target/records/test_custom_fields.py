"""Custom fields of records, by name and in the raw form of the API."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fieldpulse_sandbox.sandbox import Sandbox
from tests.harness.messages import record_message, schema_message, singer_lines
from tests.harness.target_runner import run_target
from tests.target.shared import row_by_id

Config = dict[str, Any]


def test_custom_fields_by_name_take_precedence_over_raw_ones(
    sandbox: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """A tap emits both forms. Only the changed field is sent, and a later change of another field keeps it."""
    schema = schema_message("customers", "id", "customfields", "custom_fields")
    row = next(row for row in sandbox.rows("customers") if len(row["customfields"]) > 1)
    names = {field["id"]: field["name"] for field in sandbox.rows("custom_fields")}
    raw = row["customfields"]
    before = {names[value["field_instance_id"]]: value["value"] for value in raw}

    def send(**changes: Any) -> Config:
        record = record_message("customers", id=row["id"], customfields=raw, custom_fields={**before, **changes})
        return run_target(target_config, singer_lines(schema, record), tmp_path).counts

    assert send() == {"unchanged": 1}
    assert send(**{"Gate code": "NEW"}) == {"updated": 1}
    assert send(**{"Gate code": "NEW", "Number of units": 7}) == {"updated": 1}
    after = row_by_id(sandbox, "customers", row["id"])["customfields"]
    values_by_name = {names[value["field_instance_id"]]: value["value"] for value in after}
    assert (values_by_name["Gate code"], values_by_name["Number of units"]) == ("NEW", "7")


def test_a_custom_field_that_returns_to_its_old_value_is_written_again(
    sandbox: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """The raw form in the record may be older than the row, so it does not show the current value."""
    row = next(row for row in sandbox.rows("customers") if row["customfields"])
    names = {field["id"]: field["name"] for field in sandbox.rows("custom_fields")}
    field = next(value for value in row["customfields"] if names[value["field_instance_id"]] == "Gate code")
    schema = schema_message("customers", "id", "customfields", "custom_fields")
    for value in ("two", field["value"] or "one"):
        values = {"customfields": row["customfields"], "custom_fields": {"Gate code": value}}
        text = singer_lines(schema, record_message("customers", id=row["id"], **values))
        assert run_target(target_config, text, tmp_path).counts == {"updated": 1}
    after = row_by_id(sandbox, "customers", row["id"])
    assert value in [entry["value"] for entry in after["customfields"]]


def test_days_and_numbers_of_custom_fields_are_read_like_those_of_fields(
    sandbox: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """A text that is not a date stays: FieldPulse accepts it."""
    schema = schema_message("customers", "external_id", "first_name", "custom_fields")
    names = {field["id"]: field["name"] for field in sandbox.rows("custom_fields")}
    days = ["2026-03-01T00:00:00Z", "2026-03-02T03:00:00Z", "2026-03-01 23:00:00", "2026-03-01", "end of 2027"]
    records = [
        record_message(
            "customers",
            external_id=f"k{place}",
            first_name=f"Day{place}",
            custom_fields={"Contract until": day, "Number of units": "1,234.50"},
        )
        for place, day in enumerate(days)
    ]
    config = target_config | {"timezone": "America/Chicago"}
    assert run_target(config, singer_lines(schema, *records), tmp_path).counts == {"created": len(days)}
    rows = {row["first_name"]: row for row in sandbox.rows("customers")[-len(days) :]}
    written = [
        {names[entry["field_instance_id"]]: entry["value"] for entry in rows[f"Day{place}"]["customfields"]}
        for place in range(len(days))
    ]
    assert [each["Contract until"] for each in written] == ["2026-03-01"] * 4 + ["end of 2027"]
    assert {each["Number of units"] for each in written} == {"1234.5"}
