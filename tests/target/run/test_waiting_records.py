"""Records that come before the rows that they refer to: they wait, and no STATE passes them meanwhile."""

from __future__ import annotations

import json
import signal
from collections.abc import Mapping
from datetime import timezone
from pathlib import Path
from typing import Any

import pytest

from fieldpulse_api.errors import ReferenceNotFound
from fieldpulse_api.resources.catalogue import WRITABLE
from fieldpulse_sandbox.sandbox import Sandbox
from target_fieldpulse.records.field_codec import FieldCodec
from target_fieldpulse.records.parsed_record import ParsedRecord, RecordParser
from target_fieldpulse.run.waiting_records import Submission, WaitingRecords
from tests.harness.messages import record_message, schema_message, singer_lines, state_message
from tests.harness.target_runner import run_target
from tests.target.shared import newest_row, running_target, wait_until, write_requests

Config = dict[str, Any]

ASSETS = schema_message("assets", "external_id", "title", "customer_external_id")
COMMENTS = schema_message("comments", "external_id", "text", "job_external_id", "customer_external_id")
CONTACTS = schema_message("customer_contacts", "external_id", "first_name", "customer_external_id")
CUSTOMERS = schema_message("customers", "external_id", "first_name", "tags")
JOBS = schema_message("jobs", "external_id", "job_type", "customer_external_id", "location_external_id")
LOCATIONS = schema_message("locations", "external_id", "title", "customer_external_id", "job_external_id")
TAGS = schema_message("tags", "external_id", "title", "type")


def parse(values: Mapping[str, Any]) -> ParsedRecord:
    """Return a record of a customer."""
    return RecordParser(WRITABLE["customers"], FieldCodec(timezone.utc, "US")).parse(values)


def asset(key: str, title: str, customer: str) -> Config:
    """Return the record of a customer's asset."""
    return record_message("assets", external_id=key, title=title, customer_external_id=customer)


def customer(key: str, **values: Any) -> Config:
    """Return the record of a customer."""
    return record_message("customers", external_id=key, first_name="C", **values)


ALPHABETICAL = [
    ASSETS,
    asset("a", "Boiler", "c"),
    COMMENTS,
    record_message("comments", external_id="k", text="About the job", job_external_id="j"),
    CONTACTS,
    record_message("customer_contacts", external_id="p", first_name="P", customer_external_id="c"),
    CUSTOMERS,
    customer("c", tags=["Landlord by name"]),
    JOBS,
    record_message("jobs", external_id="j", job_type="T", customer_external_id="c", location_external_id="l"),
    LOCATIONS,
    record_message("locations", external_id="l", title="L", customer_external_id="c"),
    TAGS,
    record_message("tags", external_id="t", title="Landlord by name", type="customer"),
    state_message(1),
]
"""Each stream refers to a later one: comments to jobs, jobs to locations, locations to customers, those to tags."""


@pytest.mark.parametrize("settings", [{}, {"dry_run": True}, {"max_creates": 1}], ids=str)
def test_streams_may_come_in_alphabetical_order(
    sandbox: Sandbox, target_config: Config, tmp_path: Path, settings: Config
) -> None:
    """One run writes all of them, each once, and its dry run and its safety limits say so."""
    result = run_target(target_config | settings, singer_lines(*ALPHABETICAL), tmp_path)
    assert (result.counts, result.status) == ({"created": 7}, 0)
    assert result.states == ([] if "dry_run" in settings else [{"bookmarks": 1}])
    assert not Path(target_config["rejects_path"]).exists()
    if "dry_run" not in settings:
        job, location = newest_row(sandbox, "jobs"), newest_row(sandbox, "locations")
        assert newest_row(sandbox, "comments")["commentable_id"] == job["id"]
        assert job["customer_id"] == newest_row(sandbox, "customers")["id"] == location["object_id"]
        assert run_target(target_config, singer_lines(*ALPHABETICAL), tmp_path).counts == {"unchanged": 7}


def test_a_safety_limit_counts_waiting_records_before_the_first_write(
    sandbox: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """Two assets that wait for their customer are more than the limit of one."""
    text = singer_lines(ASSETS, asset("a1", "A", "c"), asset("a2", "A", "c"), CUSTOMERS, customer("c"))
    result = run_target(target_config | {"max_creates": 1}, text, tmp_path)
    assert result.status == 4
    assert write_requests(sandbox) == []


@pytest.mark.parametrize("dry_run", [False, True])
def test_records_that_refer_to_each_other_are_rejected(target_config: Config, tmp_path: Path, *, dry_run: bool) -> None:
    """The second message says that its row was rejected; the key is named, and an e-mail address is not."""
    text = singer_lines(
        CUSTOMERS,
        customer("c"),
        JOBS,
        record_message("jobs", external_id="j", job_type="T", customer_external_id="c", location_external_id="l"),
        LOCATIONS,
        record_message("locations", external_id="l", title="L", job_external_id="j"),
        ASSETS,
        asset("a", "A", "canary@example.com"),
        state_message(1),
    )
    result = run_target(target_config | {"dry_run": dry_run}, text, tmp_path)
    assert (result.counts, result.status) == ({"created": 1, "rejected": 3}, 1)
    assert result.states == ([] if dry_run else [{"bookmarks": 1}])
    assert "location_external_id: no record of `locations` with the external_id l was written (" in result.stderr
    assert "no record of `jobs` with the external_id j was written: it was rejected in this run" in result.stderr
    assert "canary" not in result.stderr


def test_an_older_version_never_overwrites_a_newer_one(sandbox: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """A record waits behind an earlier one of its key, and is written after that was written or rejected."""
    comment = record_message("comments", external_id="k", text="About the job", job_external_id="j")
    jobs = [
        record_message("jobs", external_id="j", job_type="Old", customer_external_id="never"),
        record_message("jobs", external_id="j", job_type="New", customer_external_id="c1"),
    ]
    text = singer_lines(
        CUSTOMERS,
        customer("c1"),
        ASSETS,
        asset("a", "Old", "c2"),
        asset("a", "New", "c1"),
        COMMENTS,
        comment,
        JOBS,
        *jobs,
        CUSTOMERS,
        customer("c2"),
    )
    result = run_target(target_config, text, tmp_path)
    assert result.counts == {"created": 5, "updated": 1, "rejected": 1}
    assert newest_row(sandbox, "assets")["title"] == "New"
    assert newest_row(sandbox, "jobs")["job_type"] == "New"
    assert newest_row(sandbox, "comments")["commentable_id"] == newest_row(sandbox, "jobs")["id"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_run_stopped_while_records_wait_loses_none(
    sandbox: Sandbox, target_config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    """No STATE behind the record was emitted, and no file is left in the temporary folder."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    large = [asset(f"a{n}", "x" * 250 + str(n), "c") for n in range(200)]
    text = singer_lines(ASSETS, *large, state_message(1), CUSTOMERS, customer("b"), state_message(2))
    with running_target(target_config, text, tmp_path) as process:
        wait_until(lambda: "POST /customers" in write_requests(sandbox))
        process.send_signal(number)
        output, log = process.communicate(timeout=30)
    assert output == ""
    assert [*temporary.iterdir()] == []
    if number == signal.SIGTERM:
        assert "read 201 = 1 created" in log.splitlines()[-1]
    again = singer_lines(ASSETS, *large[:3], CUSTOMERS, customer("b"), customer("c"), state_message(2))
    result = run_target(target_config, again, tmp_path)
    assert (result.status, result.states) == (0, [{"bookmarks": 2}])
    assert sum(row["first_name"] == "C" for row in sandbox.rows("customers")) == 2
    assert sum(row["title"].startswith("xxx") for row in sandbox.rows("assets")) == 3


def test_waiting_records_beyond_the_memory_are_on_disk() -> None:
    """Ten megabytes come back in their order. The file has no name, so that only this process can read it."""
    records = WaitingRecords(lambda record: [(record.key,)], lambda stream, values: parse(values))

    def raise_not_found(record: ParsedRecord) -> None:
        raise ReferenceNotFound("no row", where="", hint="", row_key=(record.key,))

    for number in range(2500):
        submission = Submission(parse({"external_id": str(number), "notes": "x" * 4000}), {})
        assert records.attempt(submission, raise_not_found) is None
    files = [str(path.readlink()) for path in Path("/proc/self/fd").iterdir() if path.is_symlink()]
    assert any("etilqs" in path and path.endswith("(deleted)") for path in files), files
    returned: list[str | None] = []
    records.retry(lambda submission: returned.append(submission.record.external_id), lambda: None)
    records.close()
    assert returned == [str(number) for number in range(2500)]


def test_a_waiting_record_is_replayed_as_it_came(target_config: Config, tmp_path: Path) -> None:
    """A record whose row never comes stands in the rejects file with its numbers and nested values."""
    schema = schema_message("jobs", "external_id", "job_type", "customer_external_id", "custom_fields")
    values = {"external_id": 7.5, "job_type": "T", "customer_external_id": "never", "custom_fields": {"a": [1, 0.10]}}
    run_target(target_config, singer_lines(schema, record_message("jobs", **values)), tmp_path)
    line = Path(target_config["rejects_path"]).read_text().splitlines()[-1]
    assert json.loads(line)["record"] == values
