"""The streams: a first run emits each row of the account once, and a later run emits what changed."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft7Validator

from fieldpulse_api.errors import ConfigError, IncompleteRead
from fieldpulse_api.resources.catalogue import BY_NAME, RESOURCES
from fieldpulse_api.resources.model import Resource
from fieldpulse_api.values.custom_fields import CUSTOM_FIELDS_PROPERTY
from fieldpulse_sandbox.sandbox import Sandbox
from tap_fieldpulse.tap import TapFieldPulse
from tests.harness.results import RunResult
from tests.harness.tap_runner import run_tap, select_streams

Config = dict[str, Any]

each = pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.name)


@pytest.fixture(scope="module")
def first_run(shared: Sandbox) -> RunResult:
    """Return what a first run emits of every stream; the requests of the account are those of this run."""
    shared.requests.clear()
    return run_tap(
        {"api_key": shared.key, "api_url": shared.url, "requests_per_second": 50, "rate_limit_store": "memory"}
    )


@each
def test_a_stream_emits_each_row_of_the_account_once(first_run: RunResult, shared: Sandbox, resource: Resource) -> None:
    """The emitted ids equal the ids of the account."""
    assert sorted(first_run.ids(resource.name)) == [row["id"] for row in shared.rows(resource.name)]


@each
def test_records_are_valid_by_the_announced_schema(first_run: RunResult, resource: Resource) -> None:
    """Formats are checked too, except for custom fields, whose values are free text."""
    schema = first_run.schemas[resource.name]
    strict = Draft7Validator(schema, format_checker=Draft7Validator.FORMAT_CHECKER)
    for record in first_run.records[resource.name]:
        Draft7Validator(schema).validate(record)
        strict.validate({name: value for name, value in record.items() if name != CUSTOM_FIELDS_PROPERTY})


@each
def test_the_bookmark_of_a_finished_stream_is_its_newest_change(first_run: RunResult, resource: Resource) -> None:
    """A full-table stream has no bookmark."""
    bookmark = first_run.state["bookmarks"][resource.name]
    if resource.parent:
        assert set(bookmark) == {"parents", "full_at"}
        return
    newest = (
        [record[resource.updated_column] for record in first_run.records[resource.name]]
        if resource.updated_column
        else []
    )
    wanted = {"replication_key": "updated_at", "replication_key_value": max(newest)} if newest else {}
    assert bookmark == wanted


def test_no_position_and_no_token_of_a_user_is_emitted(first_run: RunResult) -> None:
    """Of team members, only id and name are emitted."""
    text = repr(first_run.records)
    assert "last_known_location" not in text
    assert "api_token" not in text
    assert "sandbox-secret" not in text
    for team in first_run.records["teams"]:
        for person in team["members"] + team["managers"]:
            assert set(person) <= {"id", "first_name", "last_name"}


def test_amounts_are_exact(first_run: RunResult, shared: Sandbox) -> None:
    """All six decimal places are emitted."""
    emitted = {record["id"]: record["subtotal"] for record in first_run.records["invoices"]}
    assert emitted == {row["id"]: row["subtotal"] for row in shared.rows("invoices")}


def test_a_second_run_emits_the_changed_rows(sandbox: Sandbox, config: Config) -> None:
    """Of the other rows, at most the row at the bookmark is emitted again."""
    first = run_tap(config, "customers", "jobs")
    changed = [sandbox.rows("jobs")[3]["id"], sandbox.rows("jobs")[17]["id"]]
    for row_id in changed:
        sandbox.store.patch("jobs", row_id, {"subtitle": "Changed", "updated_at": sandbox.store.now()})
    second = run_tap(config, "customers", "jobs", state=first.state)
    assert set(changed) <= set(second.ids("jobs"))
    assert len(second.records["jobs"]) <= 3
    assert len(second.records["customers"]) <= 1


def test_a_start_date_in_the_future_is_refused(config: Config) -> None:
    """As such a bookmark is: changes until then would be skipped."""
    with pytest.raises(ConfigError, match="in the future"):
        TapFieldPulse(config=config | {"start_date": "2090-01-01T00:00:00Z"})


@pytest.mark.parametrize(
    ("second", "is_logged"), [("2026-05-01T00:00:00Z", True), (None, True), ("2026-08-01T00:00:00Z", False)]
)
def test_a_start_date_that_is_moved_back_is_logged(
    config: Config, caplog: pytest.LogCaptureFixture, second: str | None, is_logged: bool
) -> None:
    """The bookmark stands, so the older rows are not read. The log says so in every run until the state is removed."""
    first = run_tap(config | {"start_date": "2026-07-01T00:00:00Z"}, "jobs")
    state = first.state
    for _ in range(2):
        caplog.clear()
        state = run_tap(config | ({"start_date": second} if second else {}), "jobs", state=state).state
        assert ("start_date was moved back" in caplog.text) is is_logged
    caplog.clear()
    run_tap(config | {"start_date": "2026-01-01T00:00:00Z"}, "jobs", state={"bookmarks": {}})
    assert "start_date was moved back" not in caplog.text


def test_a_start_date_excludes_older_rows(sandbox: Sandbox, config: Config) -> None:
    """Rows that last changed before it are not read."""
    times = sorted(row["updated_at"] for row in sandbox.rows("jobs"))
    emitted = run_tap(config | {"start_date": times[-5].replace(" ", "T") + "Z"}, "jobs")
    assert sorted(emitted.ids("jobs")) == sorted(
        row["id"] for row in sandbox.rows("jobs") if row["updated_at"] >= times[-5]
    )


@pytest.mark.parametrize(("setting", "raises"), [("warn", False), ("fail", True)])
def test_an_incomplete_stream_is_logged_or_fails_the_run(
    sandbox: Sandbox,
    config: Config,
    setting: str,
    raises: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """`fail` ends the run, and `warn` logs a warning and continues with the next stream."""
    sandbox.behaviour.honour_page = False
    sandbox.behaviour.max_limit = 3
    config["completeness"] = setting
    if raises:
        with pytest.raises(IncompleteRead) as caught:
            run_tap(config, "timesheets")
        assert caught.value.exit_status == 1
        return
    emitted = run_tap(config, "timesheets")
    assert "is incomplete" in caplog.text
    assert "replication_key_value" not in emitted.state["bookmarks"]["timesheets"]


def test_an_unknown_column_is_emitted_and_logged_once(
    sandbox: Sandbox, config: Config, caplog: pytest.LogCaptureFixture
) -> None:
    """One warning is logged per stream, not per row."""
    for row in sandbox.rows("tags"):
        sandbox.store.patch("tags", row["id"], {"brand_new": 1})
    emitted = run_tap(config, "tags")
    assert all(record["unexpected_fields"] == {"brand_new": 1} for record in emitted.records["tags"])
    assert len([record for record in caplog.records if "brand_new" in record.getMessage()]) == 1


def test_a_deselected_property_is_not_emitted(sandbox: Sandbox, config: Config) -> None:
    """A property that the catalog does not contain is emitted."""
    for row in sandbox.rows("tags"):
        sandbox.store.patch("tags", row["id"], {"brand_new": 1})
    catalog = select_streams(TapFieldPulse(config=dict(config)), ["tags"])
    for entry in catalog["streams"]:
        for metadata in entry["metadata"]:
            if metadata["breadcrumb"] == ["properties", "title"]:
                metadata["metadata"]["selected"] = False
    records = run_tap(config, catalog=catalog).records["tags"]
    assert records
    assert all("title" not in record and "color" in record for record in records)
    assert all(record["unexpected_fields"] == {"brand_new": 1} for record in records)


def test_a_stream_map_changes_records(config: Config) -> None:
    """The stream maps of the SDK work as in any tap."""
    config |= {"stream_maps": {"tags": {"title": None, "shout": "title.upper()"}}}
    assert all("title" not in record and record["shout"] for record in run_tap(config, "tags").records["tags"])


def test_the_end_of_a_stream_is_logged_as_one_line_of_counts(
    sandbox: Sandbox, config: Config, caplog: pytest.LogCaptureFixture
) -> None:
    """It has records, pages, the server's count, duplicates, seconds and the verdict."""
    with caplog.at_level("INFO"):
        run_tap(config, "customers")
    (line,) = [record.getMessage() for record in caplog.records if "pages=" in record.getMessage()]
    assert line.startswith("customers: records=30 pages=2 server_count=30 duplicates=0 seconds=")
    assert line.endswith("complete")


def test_the_end_of_a_run_is_logged_as_one_line_for_all_streams(
    config: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """It has the streams by verdict, records, requests and seconds."""
    with caplog.at_level("INFO"):
        run_tap(config, "customers", "tags")
    (line,) = [record.getMessage() for record in caplog.records if record.getMessage().startswith("Run ")]
    assert line.startswith("Run finished: streams=2 records=")
    assert "complete=2 unproven=0 incomplete=0 requests=" in line


def test_only_documented_parameters_are_sent_besides_page(shared: Sandbox, first_run: RunResult) -> None:
    """The server ignores unknown parameters, so the tap sends none."""
    for request in shared.requests:
        values = {name for each in RESOURCES if each.path == request.path for name, _ in each.with_custom_fields_params}
        allowed = {"page", "limit", "calculate_count", "sort_by", "sort_dir", *values}
        assert {name for name in request.query if not name.startswith("sort[")} <= allowed
    for name, resource in BY_NAME.items():
        asked = [request for request in shared.requests if request.path == resource.path]
        assert resource.parent or asked, name
        assert resource.supports_count or not any("calculate_count" in request.query for request in asked)


def test_a_list_without_a_documented_page_is_read_with_the_largest_page_size(sandbox: Sandbox, config: Config) -> None:
    """Rows beyond its first page may be unreachable, whatever `page_size` is."""
    sandbox.behaviour.honour_page = False
    assert len(run_tap(config | {"page_size": 3}, "timesheets").records["timesheets"]) == len(
        sandbox.rows("timesheets")
    )
