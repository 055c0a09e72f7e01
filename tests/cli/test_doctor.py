"""`fieldpulse doctor` finds out what is true of an account, either way, in at most 60 requests that only read."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from fieldpulse_api.account_profile import AccountProfile, WriteFacts
from fieldpulse_api.errors import ConfigError
from fieldpulse_api.http.client import Client, RetryPolicy
from fieldpulse_api.resources.catalogue import RESOURCES
from fieldpulse_cli.doctor.account_check import MOST_REQUESTS, TRIES, Examination
from fieldpulse_cli.doctor.findings import Finding
from fieldpulse_cli.doctor.write_probe import WriteProbe
from fieldpulse_plugin.settings import client_settings
from fieldpulse_sandbox.behaviour.profiles import PROFILES
from fieldpulse_sandbox.behaviour.switches import Behaviour
from fieldpulse_sandbox.data.store import Clock
from fieldpulse_sandbox.faults.fault import Fault
from fieldpulse_sandbox.sandbox import Sandbox
from fieldpulse_sandbox.server.gateway import RecordedRequest

NOW = 1_800_000_000.0


@contextmanager
def asked(
    *, clock: Clock | None = None, zone: str = "UTC", limit: int | None = MOST_REQUESTS, **switches: Any
) -> Iterator[tuple[Sandbox, Client]]:
    """Start an account that behaves in a way, and a client that repeats as little as the command's."""
    behaviour = Behaviour(**switches)
    given = {"clock": clock} if clock else {}
    with Sandbox(customers=60, behaviour=behaviour, **given) as box:
        config = {"api_key": box.key, "api_url": box.url, "timezone": zone, "rate_limit_store": "memory"}
        settings = client_settings(config | {"requests_per_second": 50})
        with closing(
            Client(settings, retry_policy=RetryPolicy(max_attempts=TRIES, first_wait_seconds=0.01), max_requests=limit)
        ) as client:
            yield box, client


@cache
def profile_of(switches: tuple[tuple[str, Any], ...]) -> AccountProfile:
    """Return the answers of an account that behaves in a way; it is asked once for all tests of this process."""
    with asked(**dict(switches)) as (_, client):
        return examined(client)[0]


@cache
def facts_of(switches: tuple[tuple[str, Any], ...]) -> tuple[WriteFacts, bool]:
    """Return what the write probe answers, and whether anything of it stayed in the account."""
    with asked(limit=None, **dict(switches)) as (box, client):
        before = {name: len(box.rows(name)) for name in ("customers", "locations", "subtasks")}
        probe = WriteProbe(client)
        list(probe.findings())
        return probe.facts, {name: len(box.rows(name)) for name in before} == before


def examined(client: Client) -> tuple[AccountProfile, list[Finding]]:
    examination = Examination(client)
    found = list(examination.findings())
    return examination.profile, found


def found(findings: list[Finding], about: str, check: str) -> Finding:
    (one,) = [one for one in findings if (one.about, one.check) == (about, check)]
    return one


def test_a_sound_account_is_found_sound() -> None:
    """Every list is asked, nothing is written, and nothing is wrong."""
    with asked() as (box, client):
        profile, findings = examined(client)
        assert {one.grade for one in findings} == {"ok"}
        assert set(profile.lists) == {one.name for one in RESOURCES}
        assert {request.method for request in box.requests} == {"GET"}


@pytest.mark.parametrize("name", [*PROFILES, "no sort", "no filter", "failing filter", "everything down"])
def test_no_more_than_sixty_requests_are_sent(name: str) -> None:
    """Whatever goes wrong."""
    worse: dict[str, dict[str, Any]] = {
        "no sort": {"honour_sort": False},
        "no filter": {"honour_filter": False},
        "failing filter": {"failing_filter_columns": ("updated_at",)},
        "everything down": {},
    }
    switches = worse[name] if name in worse else vars(PROFILES[name])
    with asked(**switches) as (box, client):
        if name == "everything down":
            box.add_fault(Fault("error_status", path="/[!c]*", status=503, times=999))
        examined(client)
        assert 30 <= len(box.requests) <= MOST_REQUESTS


LISTS = [
    # switches, list, fact, value
    ({}, "customers", "counts", "free"),
    ({}, "locations", "counts", "asked"),
    ({}, "job_qb_classes", "counts", "never"),
    ({"count_key": None}, "locations", "counts", "never"),
    ({"always_count": ("*",)}, "locations", "counts", "free"),
    ({"count_on_request": False}, "locations", "counts", "never"),
    ({}, "locations", "count_key", "total_count"),
    ({"count_key": "total_results"}, "locations", "count_key", "total_results"),
    *(({}, name, "pages", True) for name in ("users", "timesheets", "job_statuses", "jobs", "invoices")),
    *(({"honour_page": False}, name, "pages", False) for name in ("users", "timesheets", "job_statuses")),
    ({"honour_page": False}, "jobs", "pages", True),
    ({}, "jobs", "limits", True),
    ({"honour_limit": False}, "jobs", "limits", False),
    *(({}, name, "sorts", {"updated_at": True}) for name in ("jobs", "customers", "invoices", "payments")),
    *(({"honour_sort": False}, name, "sorts", {"updated_at": False}) for name in ("jobs", "invoices")),
    ({"honour_sort": False, "shuffle_unsorted": True}, "jobs", "sorts", {"updated_at": False}),
    ({"honour_sort": "sort_by"}, "jobs", "sorts", {"updated_at": True}),
    ({"honour_sort": "sort_by"}, "payments", "sorts", {"updated_at": False}),
    ({"honour_sort": "brackets"}, "jobs", "sorts", {"updated_at": False}),
    ({"honour_sort": "brackets"}, "customers", "sorts", {"updated_at": True}),
    ({}, "users", "sorts", {"id": True}),
    ({"honour_sort": False}, "users", "sorts", {"id": False}),
    ({}, "job_qb_classes", "sorts", {}),
    ({}, "jobs", "filters", True),
    ({"honour_filter": False}, "jobs", "filters", False),
    ({"unfilterable_columns": ("updated_at",)}, "jobs", "filters", False),
    ({"honour_sort": False}, "jobs", "filters", True),
    ({"honour_sort": False, "honour_filter": False}, "jobs", "filters", False),
    ({}, "jobs", "time_forms", ["bare"]),
    ({"time_format": "iso_z"}, "jobs", "time_forms", ["Z"]),
    ({"time_format": "offset"}, "jobs", "time_forms", ["offset"]),
    ({}, "customers", "missing_fields", []),
    ({"missing_columns": ("customers.notes",)}, "customers", "missing_fields", ["notes"]),
    ({}, "customers", "unknown_fields", []),
    ({}, "purchase_orders", "is_there", True),
    ({"unavailable_resources": ("purchase_orders",)}, "purchase_orders", "is_there", False),
    (
        {"unavailable_resources": ("purchase_orders",), "unknown_route_status": 404},
        "purchase_orders",
        "is_there",
        False,
    ),
    ({"unavailable_resources": ("customers",)}, "customers", "is_there", False),
    ({"unavailable_resources": ("customers",)}, "jobs", "is_there", True),
]


@pytest.mark.parametrize(("switches", "name", "fact", "value"), LISTS, ids=lambda one: str(one)[:60])
def test_what_a_list_does_is_found_out_either_way(
    switches: dict[str, Any], name: str, fact: str, value: object
) -> None:
    """Each open question about lists, answered as the account has it."""
    assert getattr(profile_of(tuple(switches.items())).lists[name], fact) == value


@pytest.mark.parametrize(
    ("fault", "is_there"),
    [
        (Fault("error_status", status=404), False),
        (Fault("error_status", status=403), None),
        (Fault("error_status", status=422), None),
        (Fault("error_status", status=503), None),
        (Fault("not_json"), None),
        (Fault("error_in_200"), None),
        (Fault("dropped_connection"), None),
    ],
    ids=lambda one: getattr(one, "kind", one),
)
def test_what_may_be_well_tomorrow_is_not_said_to_be_missing(fault: Fault, is_there: bool | None) -> None:
    """A profile that says so would keep the list from being read for good."""
    with asked() as (box, client):
        box.add_fault(replace(fault, path="/vendors", times=99))
        profile, findings = examined(client)
    assert profile.lists["vendors"].is_there is is_there
    assert found(findings, "vendors", "reachable").grade == "FAIL"


def test_a_key_that_is_revoked_meanwhile_is_no_reason_to_call_lists_missing() -> None:
    """The examination ends there, and there is no profile."""
    with asked() as (box, client):

        def revoke(_: RecordedRequest) -> None:
            if len(box.requests) == 5:
                box.key = "another"

        box.on_request = revoke
        profile, findings = examined(client)
    assert [(one.grade, one.about) for one in findings] == [("FAIL", "key")]
    assert not profile.lists


def test_an_address_where_no_list_is_is_not_called_an_account() -> None:
    """Nothing has shown that the key is accepted."""
    with asked() as (box, _):
        config = {"api_key": box.key, "api_url": f"{box.url}/wrong", "rate_limit_store": "memory"}
        with closing(
            Client(client_settings(config), retry_policy=RetryPolicy(max_attempts=TRIES), max_requests=60)
        ) as client:
            profile, findings = examined(client)
    (only,) = findings
    assert (only.grade, only.about) == ("FAIL", "key")
    assert "api_url" in only.hint
    assert not profile.lists


def test_a_server_that_does_not_tell_the_time_is_not_said_to_be_right() -> None:
    """Our own clock proves nothing."""
    with asked(date_header=False) as (_, client):
        assert found(examined(client)[1], "clock", "skew").grade == "warn"


def test_requests_that_are_sent_again_because_they_were_throttled_count() -> None:
    """Sixty is what the server sees."""
    with asked() as (box, client):
        box.add_fault(Fault("throttle_past_reset", times=80))
        profile, findings = examined(client)
        assert len(box.requests) == client.request_count == MOST_REQUESTS
    assert found(findings, "key", "accepted").grade == "FAIL"  # nothing answered
    assert not profile.lists


@pytest.mark.parametrize(("skip", "lists"), [(0, 0), (20, 30)])
def test_a_quota_that_is_spent_meanwhile_is_said_and_what_was_found_is_kept(skip: int, lists: int) -> None:
    """It is not the key that is wrong."""
    with asked() as (box, client):
        box.add_fault(Fault("quota_exceeded", skip=skip, times=99))
        profile, findings = examined(client)
    assert found(findings, "quota", "left").grade == "FAIL"
    assert len(profile.lists) == lists


def test_fields_that_no_catalogue_knows_are_named() -> None:
    """And their values are not."""
    with asked(unknown_columns=True) as (_, client):
        profile, findings = examined(client)
    assert profile.lists["jobs"].unknown_fields
    assert found(findings, "jobs", "unknown fields").grade == "warn"


ACCOUNTS = [
    ({}, "past_the_end", "empty"),
    ({"past_the_end": "last"}, "past_the_end", "rows"),
    ({"past_the_end": "null"}, "past_the_end", "empty"),
    ({}, "over_limit", "100"),
    ({"max_limit": 20}, "over_limit", "fewer"),
    ({"above_max_limit": "refuse"}, "over_limit", "refused"),
    ({"above_max_limit": "honour"}, "over_limit", "honoured"),
    ({}, "version_is_wrapped", False),
    ({"wrap_version": True}, "version_is_wrapped", True),
    ({}, "envelope_extras", ["error", "total_count"]),
]


@pytest.mark.parametrize(("switches", "fact", "value"), ACCOUNTS, ids=str)
def test_what_the_whole_account_does_is_found_out_either_way(
    switches: dict[str, Any], fact: str, value: object
) -> None:
    """Each open question that is not about one list."""
    assert getattr(profile_of(tuple(switches.items())), fact) == value


@pytest.mark.parametrize(
    ("account", "setting", "fits", "grade"),
    [
        ("UTC", "UTC", None, "ok"),
        ("America/Chicago", "America/Chicago", None, "ok"),
        ("Asia/Tokyo", "UTC", False, "FAIL"),
        ("America/Chicago", "UTC", None, "ok"),
    ],
)
def test_the_newest_change_tells_of_the_time_zone(account: str, setting: str, fits: bool | None, grade: str) -> None:
    """Times ahead of the server's clock are in another zone; times behind it may be old."""
    with asked(clock=lambda: NOW, time_zone=account, zone=setting) as (box, client):
        client.put(f"/customers/{box.rows('customers')[0]['id']}", {"company_name": "New"})
        profile, findings = examined(client)
    assert profile.times_fit_zone is fits
    assert found(findings, "timezone", "fits").grade == grade


WRITES = [
    ({}, "create_status", 201),
    ({"create_status": 200}, "create_status", 200),
    ({"create_returns_row": False}, "create_returns_row", False),
    ({"validation_status": "400"}, "validation_status", 400),
    ({"validation_status": "422"}, "validation_status", 422),
    ({"validation_status": "200"}, "validation_status", 200),
    ({}, "put_merges", True),
    ({}, "put_repeats_names", False),
    ({"names_required_on_put": ("customers",)}, "put_repeats_names", True),
    ({"put_null": "ignore"}, "null_clears", False),
    ({"put_null": "clear"}, "null_clears", True),
    ({}, "empty_clears", True),
    ({"put_empty_clears": False}, "empty_clears", False),
    ({"accepted_object_types": "short"}, "short_object_type", True),
    ({"accepted_object_types": "short"}, "class_object_type", False),
    ({"accepted_object_types": "class"}, "short_object_type", False),
    ({"accepted_object_types": "class"}, "class_object_type", True),
    ({"accepted_times": "unix"}, "unix_times", True),
    ({"accepted_times": "unix"}, "text_times", False),
    ({"accepted_times": "text"}, "unix_times", False),
    ({"accepted_times": "text"}, "text_times", True),
    ({"time_zone": "Asia/Tokyo"}, "times_are_utc", False),
    ({"time_zone": "Asia/Tokyo"}, "unix_times", True),
    ({}, "times_are_utc", True),
    ({}, "deleted_status", 404),
    ({"deleted_row_by_id": "row"}, "deleted_status", 200),
    ({"deleted_row_by_id": "error_in_200"}, "deleted_status", 200),
]


@pytest.mark.parametrize(("switches", "fact", "value"), WRITES, ids=str)
def test_what_writing_does_is_found_out_and_nothing_stays(switches: dict[str, Any], fact: str, value: object) -> None:
    """Each open question about writes, asked with rows that are deleted again."""
    facts, is_as_before = facts_of(tuple(switches.items()))
    assert getattr(facts, fact) == value
    assert is_as_before


@pytest.mark.parametrize("after_commit", [True, False])
@pytest.mark.parametrize(("method", "skip"), [("POST", 0), ("POST", 1), ("POST", 2), ("PUT", 0), ("DELETE", 1)])
def test_a_write_probe_that_breaks_off_leaves_nothing(method: str, skip: int, after_commit: bool) -> None:
    """Also what was created without an answer is found by its name and deleted."""
    with asked(limit=None) as (box, client):
        box.add_fault(Fault("dropped_connection", method=method, skip=skip, times=TRIES, after_commit=after_commit))
        findings = list(WriteProbe(client).findings())
        assert [row["id"] for row in box.rows("customers") if "doctor" in str(row)] == []
        assert any(one.grade == "FAIL" for one in findings)


@pytest.mark.parametrize("shuffled", [True, False])
def test_what_was_created_without_its_id_is_found_by_its_name(shuffled: bool) -> None:
    """In whatever order the list comes; and somebody is told."""
    with asked(limit=None, create_returns_row=False, honour_sort=False, shuffle_unsorted=shuffled) as (box, client):
        probe = WriteProbe(client)
        findings = list(probe.findings())
        assert [row["id"] for row in box.rows("customers") if "doctor" in str(row)] == []
    assert probe.facts.create_returns_row is False
    assert any(one.grade == "FAIL" for one in findings)


def test_a_write_probe_that_is_ended_by_a_signal_leaves_nothing(box: Sandbox, tmp_path: Path) -> None:
    """The command deletes what it made, and ends with the signal's status."""
    process: list[subprocess.Popen[str]] = []

    def end(request: RecordedRequest) -> None:
        if request.method == "PUT" and process:
            process[0].terminate()

    box.on_request = end
    settings = {"TAP_FIELDPULSE_API_KEY": box.key, "TAP_FIELDPULSE_API_URL": box.url}
    line = [sys.executable, "-m", "fieldpulse_cli.main", "doctor", "--write-probe", "--yes"]
    box.add_fault(Fault("slow_response", method="PUT", seconds=1))
    with (tmp_path / "output").open("w") as output:
        process.append(
            subprocess.Popen(line, env=os.environ | settings, cwd=tmp_path, stdout=output, stderr=output, text=True)
        )
        assert process[0].wait(timeout=100) == 143
    assert [row["id"] for row in box.rows("customers") if "doctor" in str(row)] == []


def test_what_cannot_be_deleted_is_named() -> None:
    """So that somebody can do it by hand."""
    with asked() as (box, client):
        box.add_fault(Fault("error_status", method="DELETE", path="/customers/*", status=500, times=99))
        findings = list(WriteProbe(client).findings())
        (left,) = [row["id"] for row in box.rows("customers") if "doctor" in str(row)]
        assert str(left) in found(findings, "write", "clean up").text


def test_a_profile_says_nothing_about_persons_or_the_key(tmp_path: Path) -> None:
    """It is to be sent to others: no text of any row, no key, no name is in it."""
    with asked(unknown_columns=True) as (box, client):
        examined(client)[0].write(tmp_path / "p.json")
        text = (tmp_path / "p.json").read_text()
        words = {
            str(value) for name in ("customers", "users", "jobs") for row in box.rows(name) for value in row.values()
        }
        said = set(re.findall(r'"([^"]*)"', text))
        assert not said & {word for word in words if len(word) > 4 and not word.startswith("20")}
        assert box.key not in text


def test_a_profile_is_read_as_it_was_written(tmp_path: Path) -> None:
    """What the doctor finds is what the plugins know."""
    with asked(honour_sort=False, unavailable_resources=("contracts",)) as (_, client):
        profile, _ = examined(client)
    profile.write(tmp_path / "p.json")
    assert AccountProfile.read(str(tmp_path / "p.json")) == profile


@pytest.mark.parametrize(
    "text", ["", "[]", '{"version": 2}', '{"lists": {"jobs": 1}}', '{"lists": {"jobs": {"sorts": []}}}', "[" * 9999]
)
def test_a_file_that_is_no_profile_is_refused(text: str, tmp_path: Path) -> None:
    """With what to do."""
    (tmp_path / "p.json").write_text(text)
    with pytest.raises(ConfigError, match="profile") as caught:
        AccountProfile.read(str(tmp_path / "p.json"))
    assert "--profile" in caught.value.hint


def command(box: Sandbox, folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("TAP_F", "TARGET_F"))}
    line = [sys.executable, "-m", "fieldpulse_cli.main", "doctor", *words]
    return subprocess.run(
        line, env=clean | environment, cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("prefix", ["TAP_FIELDPULSE_", "TARGET_FIELDPULSE_"])
@pytest.mark.parametrize("place", ["environment", ".env"])
def test_the_command_takes_the_settings_of_either_plugin(box: Sandbox, tmp_path: Path, prefix: str, place: str) -> None:
    """From the environment or from Meltano's file; it leaves nothing in the folder."""
    settings = {f"{prefix}API_KEY": box.key, f"{prefix}API_URL": box.url}
    if place == ".env":
        (tmp_path / ".env").write_text("".join(f"{name}='{value}'\n" for name, value in settings.items()))
        settings = {}
    ended = command(box, tmp_path, **settings)
    assert ended.returncode == 0, ended.stderr
    assert re.search(rf"ok +settings +asked with +{prefix}", ended.stdout)
    assert ("ledger store" in ended.stdout) is prefix.startswith("TARGET")
    assert {one.name for one in tmp_path.iterdir()} <= {".env"}
    assert len(box.requests) <= MOST_REQUESTS


def test_the_command_writes_json_and_a_profile(box: Sandbox, tmp_path: Path) -> None:
    """Findings with their checks, and the answers."""
    settings = {"TAP_FIELDPULSE_API_KEY": box.key, "TAP_FIELDPULSE_API_URL": box.url}
    ended = command(box, tmp_path, "--json", "--profile", "p.json", **settings)
    told = json.loads(ended.stdout)
    assert {"grade", "about", "check", "text"} == set(told["findings"][0])
    assert told["requests"] == len(box.requests)
    assert json.loads((tmp_path / "p.json").read_text()) == told["profile"]


@pytest.mark.parametrize(("words", "status", "is_written"), [(["--yes"], 0, True), ([], 130, False)])
def test_the_command_writes_to_the_account_only_when_told(
    box: Sandbox, tmp_path: Path, words: list[str], status: int, is_written: bool
) -> None:
    """It asks first; nobody there to answer means no."""
    settings = {"TAP_FIELDPULSE_API_KEY": box.key, "TAP_FIELDPULSE_API_URL": box.url}
    ended = command(box, tmp_path, "--write-probe", *words, **settings)
    assert ended.returncode == status, ended.stderr
    assert any(request.method == "POST" for request in box.requests) is is_written


@pytest.mark.parametrize(("key", "status", "said"), [("wrong-canary", 1, "FAIL  key"), (None, 2, "no API key")])
def test_the_command_says_what_is_wrong_with_its_exit_status(
    box: Sandbox, tmp_path: Path, key: str | None, status: int, said: str
) -> None:
    """1 for what the account is like, 2 for the settings; the key is never shown."""
    settings = {"TARGET_FIELDPULSE_API_URL": box.url} | ({"TARGET_FIELDPULSE_API_KEY": key} if key else {})
    ended = command(box, tmp_path, **settings)
    assert ended.returncode == status, ended.stderr
    assert said in ended.stdout + ended.stderr
    assert "wrong-canary" not in ended.stdout + ended.stderr


def test_a_store_that_a_run_is_writing_is_no_failure(box: Sandbox, tmp_path: Path) -> None:
    """Every five minutes there is one."""
    settings = {"TARGET_FIELDPULSE_API_KEY": box.key, "TARGET_FIELDPULSE_API_URL": box.url}
    with closing(sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)) as held:
        held.execute("begin immediate")
        ended = command(box, tmp_path, **settings, TARGET_FIELDPULSE_LEDGER_URL=f"sqlite:///{tmp_path}/ledger.db")
    assert ended.returncode == 0, ended.stdout
    assert re.search(r"warn +ledger store", ended.stdout)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("sqlite:////dev/null/no/ledger.db", "ledger store"),
        ("postgresql://nobody@127.0.0.1:9/none", "ledger store"),
        ("mysql://x", "ledger"),
    ],
)
def test_a_store_that_cannot_be_written_fails(box: Sandbox, tmp_path: Path, url: str, said: str) -> None:
    """Before a run finds out."""
    settings = {"TARGET_FIELDPULSE_API_KEY": box.key, "TARGET_FIELDPULSE_API_URL": box.url}
    ended = command(box, tmp_path, **settings, TARGET_FIELDPULSE_LEDGER_URL=url)
    assert ended.returncode == 1
    assert re.search(rf"FAIL  {said}.*\n +do: ", ended.stdout)
