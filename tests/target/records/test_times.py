"""Times and days of records: every form that a source writes, and what none of them may become."""

from __future__ import annotations

from datetime import datetime, timezone, tzinfo
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from fieldpulse_api.errors import RecordInvalid
from fieldpulse_api.resources.write_model import Field, FieldType
from fieldpulse_sandbox.sandbox import Sandbox
from target_fieldpulse.records.field_codec import FieldCodec
from tests.harness.messages import record_message, schema_message, singer_lines
from tests.harness.target_runner import run_target
from tests.target.shared import newest_row, write_requests

Config = dict[str, Any]

CHICAGO = ZoneInfo("America/Chicago")
TIME, TEXT_TIME, DAY = (Field("at", kind) for kind in (FieldType.TIME, FieldType.TEXT_TIME, FieldType.DATE))


def seconds(text: str) -> int:
    """Return UNIX seconds of a time in UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=timezone.utc).timestamp())


def wire(field: Field, value: Any, zone: tzinfo = CHICAGO) -> Any:
    return FieldCodec(zone).to_wire(field, value)


@pytest.mark.parametrize(
    "value",
    [
        "2026-12-01T15:00:00Z",
        "2026-12-01 15:00:00 UTC",
        "2026-12-01 15:00:00 gmt",
        "2026-12-01 15:00:00+00",
        "2026-12-01 15:00:00 +00",
        "2026-12-01 15:00:00.0000000 +00:00",
        "2026-12-01 15:00:00 -0000",
        "2026-12-01T09:00:00-06:00",
        "2026-12-01T15:00Z",
        "2026-12-01T15:00:00,123456789Z",
        " 2026-12-01T15:00:00.1Z ",
        "2026-12-01 09:00:00",
        "2026-12-01T09:00",
        "2026-12-01 9:00",
        "2026-12-01 09:00:00.000000000",
        1796137200,
        "1796137200",
        "1796137200000",
        1796137200000,
        1796137200999,
        Decimal("1796137200.0"),
        Decimal("1796137200.999999999999999999999999999999"),
        "1796137200.5",
        1796137200.25,
        Decimal("1.7961372E+9"),
    ],
    ids=repr,
)
def test_every_form_of_a_time_is_one_second(value: Any) -> None:
    """A time without a zone is in the zone of the settings. Fractions are cut, and never round a second up."""
    assert wire(TIME, value) == 1796137200
    assert wire(TEXT_TIME, value) == "2026-12-01 15:00:00"


@pytest.mark.parametrize(
    ("value", "in_utc"),
    [
        ("2026-07-01 09:00:00", "2026-07-01T14:00:00"),
        ("2026-03-01", "2026-03-01T06:00:00"),
        ("2026-11-01 01:30:00", "2026-11-01T06:30:00"),
        ("2026-03-08 02:30:00", "2026-03-08T08:30:00"),
        ("1999-12-31T23:59:59.999999Z", "1999-12-31T23:59:59"),
        ("1931-05-01T00:00:00Z", "1931-05-01T00:00:00"),
    ],
    ids=["summer", "day", "hour that comes twice", "hour that is left out", "no rounding", "before 1970"],
)
def test_a_time_without_a_zone_is_in_the_zone_of_the_settings(value: str, in_utc: str) -> None:
    """Of a repeated hour the first is meant; a time that does not exist is an hour later."""
    assert wire(TIME, value) == seconds(in_utc)


def test_a_time_that_was_sent_is_found_in_a_row_of_another_zone() -> None:
    """A text is sent in UTC, and rows are in the zone of the account."""
    codec = FieldCodec(CHICAGO, api_zone=CHICAGO)
    sent = {field: codec.to_wire(field, "2026-12-01T15:00:00Z") for field in (TIME, TEXT_TIME)}
    assert all(codec.equals(field, value, "2026-12-01 09:00:00") for field, value in sent.items())
    assert not any(codec.equals(field, value, "2026-12-01 15:00:00") for field, value in sent.items())


@pytest.mark.parametrize(
    ("value", "day"),
    [
        ("2026-03-01", "2026-03-01"),
        ("2026-03-01T00:00:00Z", "2026-03-01"),
        ("2026-03-01 00:00:00.000 +00:00", "2026-03-01"),
        ("2026-03-01 00:00:00 UTC", "2026-03-01"),
        ("2026-03-01T00:00:00", "2026-03-01"),
        ("2026-03-01 23:59:00", "2026-03-01"),
        ("2026-03-01T00:00:00-06:00", "2026-03-01"),
        ("2026-03-01T03:00:00Z", "2026-02-28"),
        ("2026-03-02T05:59:59+00:00", "2026-03-01"),
        (1772323200000, "2026-03-01"),
        (1772323201, "2026-02-28"),
        ("0000-00-00", None),
    ],
    ids=repr,
)
def test_a_day_stays_that_day(value: Any, day: str | None) -> None:
    """Midnight in UTC is how sources write a plain day; of another time, the day in the zone counts."""
    assert wire(DAY, value) == day


FORM = "a time in ISO 8601 form, like 2026-12-01T15:00:00Z, or UNIX seconds is expected"
YEARS = "it is not within the years 1900 to 2199; a database may have written infinity so"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("12/01/2026 3:00 PM", f"at is text of 18 characters; {FORM}"),
        ("tomorrow", f"at is text of 8 characters; {FORM}"),
        ("20261201", f"at is text of 8 characters; {FORM}"),
        (20261201, f"at is of type int; {FORM}"),
        (17961372001, f"at is of type int; {FORM}"),
        ("1796137200000000", f"at is text of 16 characters; {FORM}"),
        ("2026-12-01T15:00.5", f"at is text of 18 characters; {FORM}"),
        ("2026-02-30T00:00:00Z", f"at is text of 20 characters; {FORM}"),
        (-1, f"at is of type int; {FORM}"),
        (0, f"at is of type int; {FORM}"),
        (True, f"at is of type bool; {FORM}"),
        (float("nan"), f"at is of type float; {FORM}"),
        ("infinity", f"at is text of 8 characters; {YEARS}"),
        ("-Infinity", f"at is text of 9 characters; {YEARS}"),
        ("9999-12-31T23:59:59.999999+00:00", f"at is text of 32 characters; {YEARS}"),
        ("0001-01-01T00:00:00+00:00", f"at is text of 25 characters; {YEARS}"),
        ("9999-12-31", f"at is text of 10 characters; {YEARS}"),
    ],
    ids=repr,
)
def test_a_value_that_is_no_time_is_refused_with_the_forms_that_are(value: Any, message: str) -> None:
    """The message describes the value, and shows none of it."""
    with pytest.raises(RecordInvalid) as caught:
        wire(TIME, value)
    assert caught.value.what == message


JOBS = schema_message("jobs", "external_id", "customer_id", "job_type", "start_time", "end_time", "due_date")


def job(sandbox: Sandbox, **values: Any) -> str:
    required = {"external_id": "j", "customer_id": sandbox.rows("customers")[0]["id"], "job_type": "Tune-up"}
    return singer_lines(JOBS, record_message("jobs", **required, **values))


@pytest.mark.parametrize("is_dry", [False, True])
def test_a_job_at_nine_in_chicago_is_booked_for_nine_in_chicago(
    sandbox: Sandbox, target_config: Config, tmp_path: Path, *, is_dry: bool
) -> None:
    """FieldPulse has times in UTC. The run says which zone holds, and how many times needed it."""
    text = job(sandbox, start_time="2026-12-01 09:00:00", end_time="2026-12-01T16:00:00Z", due_date="2026-12-02")
    result = run_target(target_config | {"timezone": "America/Chicago", "dry_run": is_dry}, text, tmp_path)
    assert result.counts == {"created": 1}
    assert "times without a zone are in America/Chicago" in result.stderr
    assert "jobs: times without a zone, read in America/Chicago (setting timezone): 2" in result.stderr
    if is_dry:
        assert "start_time 2026-12-01 09:00 Chicago, end_time 2026-12-01 10:00 Chicago" in result.stderr
    else:
        row = newest_row(sandbox, "jobs")
        assert row["start_time"] == "2026-12-01 15:00:00"
        assert row["end_time"] == "2026-12-01 16:00:00"
        assert row["due_date"] == "2026-12-02 06:00:00"


def test_rows_are_in_the_zone_of_the_api_whatever_the_zone_of_records_is(
    sandbox: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """A dry run compares with the row, which is in UTC: the same time is not a change."""
    text = job(sandbox, start_time="2026-12-01 09:00:00")
    zone = {"timezone": "America/Chicago"}
    run_target(target_config | zone, text, tmp_path)
    row = newest_row(sandbox, "jobs")
    again = singer_lines(JOBS, record_message("jobs", id=row["id"], start_time="2026-12-01 09:00:00", job_type="New"))
    result = run_target(target_config | zone | {"dry_run": True}, again, tmp_path)
    assert "job_type" in result.stderr
    assert "start_time" not in result.stderr.split("would update")[1].splitlines()[0]


@pytest.mark.parametrize("value", ["2190-01-01T00:00:00Z", "9999-12-31T23:59:59.999999+00:00", "infinity"])
def test_a_deletion_in_the_future_deletes_nothing_and_is_rejected(
    sandbox: Sandbox, target_config: Config, tmp_path: Path, value: str
) -> None:
    """Tables with a time of validity have it in every row. Nothing is lost: the record is in the rejects file."""
    row = sandbox.rows("customers")[0]
    schema = schema_message("customers", "id", "notes", "deleted_at")
    text = singer_lines(schema, record_message("customers", id=row["id"], notes="Here", deleted_at=value))
    result = run_target(target_config | {"hard_delete": True}, text, tmp_path)
    assert result.counts == {"rejected": 1}
    assert write_requests(sandbox) == []
    assert "(field deleted_at)" in result.stderr
    assert value in (tmp_path / "rejects.singer").read_text()


@pytest.mark.parametrize("value", ["false", "f", "0", "No"])
def test_a_flag_that_says_no_is_not_a_deletion(
    sandbox: Sandbox, target_config: Config, tmp_path: Path, value: str
) -> None:
    """Files write a flag as text."""
    row = sandbox.rows("customers")[0]
    schema = schema_message("customers", "id", "notes", "deleted_at")
    text = singer_lines(schema, record_message("customers", id=row["id"], notes="Here", deleted_at=value))
    assert run_target(target_config | {"hard_delete": True}, text, tmp_path).counts == {"updated": 1}
