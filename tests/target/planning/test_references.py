"""References by name instead of FieldPulse id."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import pytest

from fieldpulse_sandbox.faults.fault import Fault
from fieldpulse_sandbox.sandbox import Sandbox
from tests.harness.messages import record_message, schema_message, singer_lines
from tests.harness.target_runner import run_target
from tests.target.shared import newest_row, posts

Config = dict[str, Any]

JOB = ("external_id", "customer_id", "job_type", "job_status", "team", "assigned_to_email", "tags", "custom_fields")
CUSTOMER = ("external_id", "first_name", "pipeline_status", "lead_source", "tags", "assigned_to_email", "custom_fields")


def job(sandbox: Sandbox, **values: Any) -> dict[str, Any]:
    """Return the record of a job for the first customer."""
    return record_message(
        "jobs", **{"external_id": "j", "customer_id": sandbox.rows("customers")[0]["id"], "job_type": "T", **values}
    )


def get_count(sandbox: Sandbox, path: str) -> int:
    """Return the number of GET requests to a path."""
    return sum(request.method == "GET" and request.path == path for request in sandbox.requests)


@pytest.mark.parametrize("label", ["status", "name"])
def test_references_by_name_use_the_names_of_the_account(
    sandbox: Sandbox, target_config: Config, tmp_path: Path, label: Literal["status", "name"]
) -> None:
    """The target reads each list of names once for all records.

    The label of a pipeline status is in the column `status` or `name`.
    """
    sandbox.behaviour.pipeline_label = label
    stage, source, user = (
        sandbox.rows("pipeline_statuses")[1],
        sandbox.rows("lead_sources")[0],
        sandbox.rows("users")[1],
    )
    tag = next(row for row in sandbox.rows("tags") if row["type"] == "customer")
    values = {"Gate code": "1234", "number_of_units": 3, "Service plan": True, "Preferred day": "monday"}
    records = [
        record_message(
            "customers",
            external_id=f"n{number}",
            first_name=f"N{number}",
            pipeline_status=str(stage["name"]).upper(),
            lead_source=source["name"],
            tags=[tag["title"]],
            assigned_to_email=user["email"],
            custom_fields=values,
        )
        for number in range(5)
    ]
    result = run_target(target_config, singer_lines(schema_message("customers", *CUSTOMER), *records), tmp_path)
    assert result.counts == {"created": 5}, result.stderr
    row = newest_row(sandbox, "customers")
    assert (row["pipeline_status_id"], row["lead_source_id"]) == (stage["id"], source["id"])
    assert (row["tags"], row["assigned_to"]) == ([tag["id"]], user["id"])
    names = {field["id"]: field["name"] for field in sandbox.rows("custom_fields")}
    values = {names[entry["field_instance_id"]]: entry["value"] for entry in row["customfields"]}
    assert values == {"Gate code": "1234", "Number of units": "3", "Service plan": "1", "Preferred day": "Monday"}
    lists = ("/pipeline-status", "/lead-source", "/tags", "/users", "/custom-fields")
    assert max(get_count(sandbox, path) for path in lists) <= 3  # a page, its proof, and which account it is


@pytest.mark.parametrize("form", ["name", "label", "code", "text"])
def test_a_job_status_is_a_name_a_label_or_a_code(
    sandbox: Sandbox, target_config: Config, tmp_path: Path, form: str
) -> None:
    """Names of the account take precedence over labels; a name also sets its workflow."""
    status = sandbox.rows("job_statuses")[2]
    sandbox.store.patch("job_statuses", status["id"], {"name": "Waiting for parts"})
    job_status = {"name": "waiting for parts", "label": "COMPLETED", "code": 4, "text": "4.0"}[form]
    if form == "label":
        for row in sandbox.rows("job_statuses"):
            sandbox.store.patch("job_statuses", row["id"], {"name": f"Own {row['id']}"})
    result = run_target(
        target_config, singer_lines(schema_message("jobs", *JOB), job(sandbox, job_status=job_status)), tmp_path
    )
    assert result.counts == {"created": 1}, result.stderr
    row = newest_row(sandbox, "jobs")
    if form == "name":
        assert row["status_id"] == status["id"]
        assert row["status_workflow_id"] == sandbox.rows("job_status_workflows")[0]["id"]
    else:
        assert row["status"] == 4


def test_a_job_is_assigned_to_users_and_teams(sandbox: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """Users are referred to by e-mail address, and a team by its title."""
    users, team = sandbox.rows("users")[:2], sandbox.rows("teams")[0]
    emails = [user["email"] for user in users]
    text = singer_lines(schema_message("jobs", *JOB), job(sandbox, team=team["title"], assigned_to_email=emails))
    assert run_target(target_config, text, tmp_path).counts == {"created": 1}
    assignees = [(entry["user_id"], entry["team_id"]) for entry in newest_row(sandbox, "jobs")["assignments"]]
    assert assignees == [(users[0]["id"], None), (users[1]["id"], None), (None, team["id"])]


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"job_status": "Compleeted"}, "did you mean 'Completed'"),
        ({"team": "West End"}, "team is text of 8 characters; allowed:"),
        ({"assigned_to_email": "unknown@example.com"}, "no row of `users` has this e-mail"),
        ({"tags": ["Nope"]}, "tags is text of 4 characters; allowed: Warranty"),
        ({"team": [["B"]]}, "team is of type list; a name is expected"),
        ({"tags": [[]]}, "neither a name nor an id"),
        ({"custom_fields": {"Permit": "1"}}, "did you mean 'Permit number'"),
        ({"custom_fields": {"Crew size": "many"}}, "a number like 1234.5 or 1,234.50 is expected"),
        ({"custom_fields": "Permit"}, "an object of names and values is expected"),
        ({"job_status": 9}, "allowed: 1 New"),
        ({"start_time": "soon"}, "text of 4 characters; a time"),
    ],
)
def test_an_unknown_name_is_rejected_with_the_allowed_names(
    sandbox: Sandbox, target_config: Config, tmp_path: Path, values: Config, reason: str
) -> None:
    """The message suggests the nearest name, and shows no e-mail address."""
    result = run_target(
        target_config, singer_lines(schema_message("jobs", *JOB, *values), job(sandbox, **values)), tmp_path
    )
    assert result.counts == {"rejected": 1}
    rejects = Path(target_config["rejects_path"]).read_text()
    assert reason in json.loads(rejects.splitlines()[-1])["rejected"]
    assert "unknown@example.com" not in result.stderr
    assert posts(sandbox) == []


def test_a_missing_tag_is_created_once_for_all_records(sandbox: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """Its type is that of the referring stream. The response to its create is lost, and it is still created once."""
    sandbox.add_fault(Fault("dropped_connection", method="POST", path="/tags", after_commit=True))
    records = [
        record_message(
            "customers", external_id=f"t{number}", first_name=f"Tagged{number}", tags=["Brand  new", "brand NEW"]
        )
        for number in range(12)
    ]
    config = target_config | {"create_missing_references": ["tags"]}
    text = singer_lines(schema_message("customers", *CUSTOMER), *records)
    assert run_target(config, text, tmp_path).counts == {"created": 12}
    (tag,) = [row for row in sandbox.rows("tags") if row["title"] == "Brand new"]
    assert tag["type"] == "customer"
    tagged = [row["tags"] for row in sandbox.rows("customers") if str(row["first_name"]).startswith("Tagged")]
    assert tagged == [[tag["id"]]] * 12
    assert run_target(config, text, tmp_path).counts == {"unchanged": 12}


def test_create_missing_references_refuses_read_only_streams(target_config: Config, tmp_path: Path) -> None:
    """The error names the setting."""
    result = run_target(target_config | {"create_missing_references": ["lead_sources"]}, "", tmp_path)
    assert result.status == 2
    assert "create_missing_references" in result.stderr


def test_lists_and_objects_may_be_json_text(sandbox: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """Warehouses without nested types store lists and objects as text."""
    tag = next(row for row in sandbox.rows("tags") if row["type"] == "job")
    text = singer_lines(
        schema_message("jobs", *JOB),
        job(sandbox, tags=json.dumps([tag["title"]]), custom_fields='{"Permit number": "P-1"}'),
    )
    assert run_target(target_config, text, tmp_path).counts == {"created": 1}
    row = newest_row(sandbox, "jobs")
    assert row["tags"] == [tag["id"]]
    assert sandbox.store.tables["jobs"].rows[row["id"]]["customfields"][0]["value"] == "P-1"


def test_a_changed_custom_field_leaves_the_others(sandbox: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """FieldPulse replaces a custom field value only if the body has the id of the value."""
    sandbox.behaviour.custom_values_by_id = True
    schema = schema_message("customers", *CUSTOMER)

    def customer(**values: Any) -> str:
        return singer_lines(schema, record_message("customers", external_id="c", first_name="C", custom_fields=values))

    run_target(target_config, customer(**{"Gate code": "1", "Number of units": 2}), tmp_path)
    assert run_target(target_config, customer(**{"Gate code": "9", "Number of units": 2}), tmp_path).counts == {
        "updated": 1
    }
    assert sorted(entry["value"] for entry in newest_row(sandbox, "customers")["customfields"]) == ["2", "9"]
