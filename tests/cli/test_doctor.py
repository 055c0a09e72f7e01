"""`fieldpulse doctor`: each open question is answered as the account behaves, in at most 60 requests that only read."""

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
from fieldpulse_api.http.client import Client
from fieldpulse_api.http.retry import RetryPolicy
from fieldpulse_api.resources.catalogue import RESOURCES
from fieldpulse_cli.doctor.account_check import MAX_ATTEMPTS, MAX_REQUESTS, AccountCheck
from fieldpulse_cli.doctor.findings import Finding
from fieldpulse_cli.doctor.write_probe import WriteProbe
from fieldpulse_cli.main import commands
from fieldpulse_plugin.settings import client_settings
from fieldpulse_plugin.stores.private_files import replace_file
from fieldpulse_sandbox.behaviour.account_profile import office_names_like
from fieldpulse_sandbox.behaviour.profiles import PROFILES
from fieldpulse_sandbox.behaviour.switches import Behaviour
from fieldpulse_sandbox.data.store import Clock
from fieldpulse_sandbox.faults.fault import Fault
from fieldpulse_sandbox.options import account_profile_from, behaviour_from
from fieldpulse_sandbox.sandbox import Sandbox
from fieldpulse_sandbox.schema.table_shapes import SHAPES
from fieldpulse_sandbox.server.recorded_request import RecordedRequest

NOW = 1_800_000_000.0


@contextmanager
def account(
    *, clock: Clock | None = None, zone: str = "UTC", limit: int | None = MAX_REQUESTS, **switches: Any
) -> Iterator[tuple[Sandbox, Client]]:
    """Start an account with these behaviour switches, and a client that retries as little as the command's."""
    behaviour = Behaviour(**switches)
    options = {"clock": clock} if clock else {}
    with Sandbox(customers=60, behaviour=behaviour, **options) as sandbox:
        config = {"api_key": sandbox.key, "api_url": sandbox.url, "timezone": zone, "rate_limit_store": "memory"}
        settings = client_settings(config | {"requests_per_second": 50})
        retry_policy = RetryPolicy(max_attempts=MAX_ATTEMPTS, first_wait_seconds=0.01)
        with closing(Client(settings, retry_policy=retry_policy, max_requests=limit)) as client:
            yield sandbox, client


@cache
def profile_of(switches: tuple[tuple[str, Any], ...]) -> AccountProfile:
    """Return the profile of an account with these switches; it is checked once for all tests of this process."""
    with account(**dict(switches)) as (_, client):
        return check(client)[0]


@cache
def facts_of(switches: tuple[tuple[str, Any], ...]) -> tuple[WriteFacts, bool]:
    """Return the facts of a write probe, and whether it left the account as it was."""
    with account(limit=None, **dict(switches)) as (sandbox, client):
        before = {name: len(sandbox.rows(name)) for name in ("customers", "locations", "subtasks")}
        probe = WriteProbe(client)
        list(probe.findings())
        return probe.facts, {name: len(sandbox.rows(name)) for name in before} == before


def check(client: Client) -> tuple[AccountProfile, list[Finding]]:
    account_check = AccountCheck(client)
    findings = list(account_check.findings())
    return account_check.profile, findings


def find(findings: list[Finding], about: str, check: str) -> Finding:
    (finding,) = [finding for finding in findings if (finding.about, finding.check) == (about, check)]
    return finding


def test_an_account_without_problems_has_no_warning() -> None:
    """Every list is read and nothing is written."""
    with account() as (sandbox, client):
        profile, findings = check(client)
        assert {finding.grade for finding in findings} == {"ok", "unknown"}
        assert set(profile.lists) == {resource.name for resource in RESOURCES}
        assert {request.method for request in sandbox.requests} == {"GET"}


@pytest.mark.parametrize("name", [*PROFILES, "no sort", "no filter", "failing filter", "everything down"])
def test_no_more_than_sixty_requests_are_sent(name: str) -> None:
    """In every profile of the sandbox, and when requests fail."""
    worse: dict[str, dict[str, Any]] = {
        "no sort": {"honour_sort": False},
        "no filter": {"honour_filter": False},
        "failing filter": {"failing_filter_columns": ("updated_at",)},
        "everything down": {},
    }
    switches = worse[name] if name in worse else vars(PROFILES[name])
    with account(**switches) as (sandbox, client):
        if name == "everything down":
            sandbox.add_fault(Fault("error_status", path="/[!c]*", status=503, times=999))
        check(client)
        assert 30 <= len(sandbox.requests) <= MAX_REQUESTS


LISTS = [
    # switches, list, fact, value
    ({}, "customers", "counts_rows", "always"),
    ({}, "locations", "counts_rows", "on_request"),
    ({}, "job_qb_classes", "counts_rows", "never"),
    ({"count_key": None}, "locations", "counts_rows", "never"),
    ({"always_count": ("*",)}, "locations", "counts_rows", "always"),
    ({"count_on_request": False}, "locations", "counts_rows", "never"),
    ({}, "locations", "count_key", "total_count"),
    ({"count_key": "total_results"}, "locations", "count_key", "total_results"),
    *(({}, name, "obeys_page", True) for name in ("users", "timesheets", "job_statuses", "jobs", "invoices")),
    *(({"honour_page": False}, name, "obeys_page", False) for name in ("users", "timesheets", "job_statuses")),
    ({"honour_page": False}, "jobs", "obeys_page", True),
    ({}, "jobs", "obeys_limit", True),
    ({"honour_limit": False}, "jobs", "obeys_limit", False),
    *(({}, name, "sorts_by", {"updated_at": True}) for name in ("jobs", "customers", "invoices", "payments")),
    *(({"honour_sort": False}, name, "sorts_by", {"updated_at": False}) for name in ("jobs", "invoices")),
    ({"honour_sort": False, "shuffle_unsorted": True}, "jobs", "sorts_by", {"updated_at": False}),
    ({"honour_sort": "sort_by"}, "jobs", "sorts_by", {"updated_at": True}),
    ({"honour_sort": "sort_by"}, "payments", "sorts_by", {"updated_at": False}),
    ({"honour_sort": "brackets"}, "jobs", "sorts_by", {"updated_at": False}),
    ({"honour_sort": "brackets"}, "customers", "sorts_by", {"updated_at": True}),
    ({}, "users", "sorts_by", {"id": True}),
    ({"honour_sort": False}, "users", "sorts_by", {"id": False}),
    ({}, "job_qb_classes", "sorts_by", {}),
    ({}, "jobs", "obeys_filter", True),
    ({"honour_filter": False}, "jobs", "obeys_filter", False),
    ({"unfilterable_columns": ("updated_at",)}, "jobs", "obeys_filter", False),
    ({"honour_sort": False}, "jobs", "obeys_filter", True),
    ({"honour_sort": False, "honour_filter": False}, "jobs", "obeys_filter", False),
    ({}, "jobs", "time_formats", ["bare"]),
    ({"time_format": "iso_z"}, "jobs", "time_formats", ["Z"]),
    ({"time_format": "offset"}, "jobs", "time_formats", ["offset"]),
    ({}, "customers", "missing_fields", []),
    ({"missing_columns": ("customers.notes",)}, "customers", "missing_fields", ["notes"]),
    ({}, "customers", "unknown_fields", []),
    ({}, "purchase_orders", "is_available", True),
    ({"unavailable_resources": ("purchase_orders",)}, "purchase_orders", "is_available", False),
    (
        {"unavailable_resources": ("purchase_orders",), "unknown_route_status": 404},
        "purchase_orders",
        "is_available",
        False,
    ),
    ({"unavailable_resources": ("customers",)}, "customers", "is_available", False),
    ({"unavailable_resources": ("customers",)}, "jobs", "is_available", True),
]


@pytest.mark.parametrize(("switches", "name", "fact", "value"), LISTS, ids=lambda value: str(value)[:60])
def test_the_behaviour_of_a_list_is_recognised(switches: dict[str, Any], name: str, fact: str, value: object) -> None:
    """Each open question about lists has the answer of the account."""
    assert getattr(profile_of(tuple(switches.items())).lists[name], fact) == value


@pytest.mark.parametrize(
    ("fault", "is_available"),
    [
        (Fault("error_status", status=404), False),
        (Fault("error_status", status=403), None),
        (Fault("error_status", status=422), None),
        (Fault("error_status", status=503), None),
        (Fault("not_json"), None),
        (Fault("error_in_200"), None),
        (Fault("dropped_connection"), None),
    ],
    ids=lambda value: getattr(value, "kind", value),
)
def test_a_temporary_error_is_not_recorded_as_a_missing_list(fault: Fault, is_available: bool | None) -> None:
    """With such a profile the tap would never read the list again."""
    with account() as (sandbox, client):
        sandbox.add_fault(replace(fault, path="/vendors", times=99))
        profile, findings = check(client)
    assert profile.lists["vendors"].is_available is is_available
    assert find(findings, "vendors", "reachable").grade == "FAIL"


def test_a_key_revoked_during_the_check_makes_no_list_missing() -> None:
    """The check ends there, without a profile."""
    with account() as (sandbox, client):

        def revoke(_: RecordedRequest) -> None:
            if len(sandbox.requests) == 5:
                sandbox.key = "another"

        sandbox.on_request = revoke
        profile, findings = check(client)
    assert [(finding.grade, finding.about) for finding in findings] == [("FAIL", "key")]
    assert not profile.lists


def test_a_url_without_lists_does_not_prove_the_key() -> None:
    """The key counts as accepted only where a list has answered."""
    with account() as (sandbox, _):
        config = {"api_key": sandbox.key, "api_url": f"{sandbox.url}/wrong", "rate_limit_store": "memory"}
        with closing(
            Client(client_settings(config), retry_policy=RetryPolicy(max_attempts=MAX_ATTEMPTS), max_requests=60)
        ) as client:
            profile, findings = check(client)
    (only,) = findings
    assert (only.grade, only.about) == ("FAIL", "key")
    assert "api_url" in only.hint
    assert not profile.lists


def test_a_server_without_a_date_header_is_a_warning() -> None:
    """The clock of this machine proves nothing."""
    with account(date_header=False) as (_, client):
        assert find(check(client)[1], "clock", "skew").grade == "warn"


def test_throttled_requests_count_towards_the_limit() -> None:
    """The limit is on what the server receives."""
    with account() as (sandbox, client):
        sandbox.add_fault(Fault("throttle_past_reset", times=80))
        profile, findings = check(client)
        assert len(sandbox.requests) == client.request_count == MAX_REQUESTS
    assert find(findings, "key", "accepted").grade == "FAIL"  # nothing answered
    assert not profile.lists


@pytest.mark.parametrize(("skip", "lists"), [(0, 0), (20, 30)])
def test_an_exceeded_quota_keeps_the_findings_so_far(skip: int, lists: int) -> None:
    """And it is not reported as a wrong key or URL."""
    with account() as (sandbox, client):
        sandbox.add_fault(Fault("quota_exceeded", skip=skip, times=99))
        profile, findings = check(client)
    assert find(findings, "quota", "left").grade == "FAIL"
    assert [finding.grade for finding in findings if finding.about == "key"] == ["ok"] * bool(lists)
    assert len(profile.lists) == lists


def test_unknown_columns_are_named() -> None:
    """Their values are not."""
    with account(unknown_columns=True) as (_, client):
        profile, findings = check(client)
    assert profile.lists["jobs"].unknown_fields
    assert find(findings, "jobs", "unknown fields").grade == "warn"


ACCOUNTS = [
    ({}, "past_last_page", "empty"),
    ({"past_the_end": "last"}, "past_last_page", "rows"),
    ({"past_the_end": "null"}, "past_last_page", "empty"),
    ({}, "over_limit", "100"),
    ({"max_limit": 20}, "over_limit", "fewer"),
    ({"above_max_limit": "refuse"}, "over_limit", "refused"),
    ({"above_max_limit": "honour"}, "over_limit", "honoured"),
    ({}, "users_over_limit", None),
    ({}, "has_count_headers", False),
    ({"count_headers": True}, "has_count_headers", True),
    ({}, "lists_deleted_rows", False),
    ({"honour_deleted": True}, "lists_deleted_rows", True),
    ({}, "asn_form", "indexed"),
    ({"asn_form": "flat"}, "asn_form", "flat"),
    ({"honour_filter": False}, "asn_form", "ignored"),
    ({}, "version_is_wrapped", False),
    ({"wrap_version": True}, "version_is_wrapped", True),
    ({}, "envelope_extras", ["error", "total_count"]),
]


@pytest.mark.parametrize(("switches", "fact", "value"), ACCOUNTS, ids=str)
def test_the_behaviour_of_the_account_is_recognised(switches: dict[str, Any], fact: str, value: object) -> None:
    """Each open question that concerns more than one list."""
    assert getattr(profile_of(tuple(switches.items())), fact) == value


@pytest.mark.parametrize(
    ("account_zone", "setting", "fits", "grade"),
    [
        ("UTC", "UTC", None, "ok"),
        ("America/Chicago", "America/Chicago", None, "ok"),
        ("Asia/Tokyo", "UTC", False, "FAIL"),
        ("America/Chicago", "UTC", None, "ok"),
    ],
)
def test_the_newest_change_shows_a_wrong_time_zone(
    account_zone: str, setting: str, fits: bool | None, grade: str
) -> None:
    """Timestamps ahead of the server's clock are in another zone; those behind it may be old."""
    with account(clock=lambda: NOW, time_zone=account_zone, zone=setting) as (sandbox, client):
        client.put(f"/customers/{sandbox.rows('customers')[0]['id']}", {"company_name": "New"})
        profile, findings = check(client)
    assert profile.times_match_zone is fits
    assert find(findings, "timezone", "fits").grade == grade


WRITES = [
    ({}, "create_status", 201),
    ({"create_status": 200}, "create_status", 200),
    ({"create_returns_row": False}, "create_returns_row", False),
    ({"validation_status": "400"}, "validation_status", 400),
    ({"validation_status": "422"}, "validation_status", 422),
    ({"validation_status": "200"}, "validation_status", 200),
    ({}, "put_merges", True),
    ({}, "put_requires_names", False),
    ({"required_on_put": ("customers",)}, "put_requires_names", True),
    ({"put_null": "ignore"}, "null_clears", False),
    ({"put_null": "clear"}, "null_clears", True),
    ({}, "empty_clears", True),
    ({"put_empty_clears": False}, "empty_clears", False),
    ({"accepted_object_types": "short"}, "accepts_short_object_type", True),
    ({"accepted_object_types": "short"}, "accepts_class_object_type", False),
    ({"accepted_object_types": "class"}, "accepts_short_object_type", False),
    ({"accepted_object_types": "class"}, "accepts_class_object_type", True),
    ({"accepted_times": "unix"}, "accepts_unix_times", True),
    ({"accepted_times": "unix"}, "accepts_text_times", False),
    ({"accepted_times": "text"}, "accepts_unix_times", False),
    ({"accepted_times": "text"}, "accepts_text_times", True),
    ({"time_zone": "Asia/Tokyo"}, "times_are_utc", False),
    ({"time_zone": "Asia/Tokyo"}, "accepts_unix_times", True),
    ({}, "times_are_utc", True),
    ({}, "get_deleted_status", 404),
    ({"deleted_row_by_id": "row"}, "get_deleted_status", 200),
    ({"deleted_row_by_id": "error_in_200"}, "get_deleted_status", 200),
]


@pytest.mark.parametrize(("switches", "fact", "value"), WRITES, ids=str)
def test_the_behaviour_of_writes_is_recognised(switches: dict[str, Any], fact: str, value: object) -> None:
    """Each open question about writes, and every created row is deleted again."""
    facts, is_unchanged = facts_of(tuple(switches.items()))
    assert getattr(facts, fact) == value
    assert is_unchanged


@pytest.mark.parametrize("after_commit", [True, False])
@pytest.mark.parametrize(("method", "skip"), [("POST", 0), ("POST", 1), ("POST", 2), ("PUT", 0), ("DELETE", 1)])
def test_an_interrupted_write_probe_leaves_no_row(method: str, skip: int, after_commit: bool) -> None:
    """A row whose create had no response is found by its name and deleted."""
    with account(limit=None) as (sandbox, client):
        sandbox.add_fault(
            Fault("dropped_connection", method=method, skip=skip, times=MAX_ATTEMPTS, after_commit=after_commit)
        )
        findings = list(WriteProbe(client).findings())
        assert [row["id"] for row in sandbox.rows("customers") if "doctor" in str(row)] == []
        assert any(finding.grade == "FAIL" for finding in findings)


@pytest.mark.parametrize("shuffled", [True, False])
def test_a_row_created_without_an_id_in_the_response_is_found_by_name(shuffled: bool) -> None:
    """In any order of the list, and a finding reports it."""
    with account(limit=None, create_returns_row=False, honour_sort=False, shuffle_unsorted=shuffled) as (
        sandbox,
        client,
    ):
        probe = WriteProbe(client)
        findings = list(probe.findings())
        assert [row["id"] for row in sandbox.rows("customers") if "doctor" in str(row)] == []
    assert probe.facts.create_returns_row is False
    assert any(finding.grade == "FAIL" for finding in findings)


def test_a_write_probe_ended_by_a_signal_leaves_no_row(sandbox: Sandbox, tmp_path: Path) -> None:
    """The command deletes the rows it created, and exits with the status of the signal."""
    process: list[subprocess.Popen[str]] = []

    def end(request: RecordedRequest) -> None:
        if request.method == "PUT" and process:
            process[0].terminate()

    sandbox.on_request = end
    settings = {"TAP_FIELDPULSE_API_KEY": sandbox.key, "TAP_FIELDPULSE_API_URL": sandbox.url}
    line = [sys.executable, "-m", "fieldpulse_cli", "doctor", "--write-probe", "--yes"]
    sandbox.add_fault(Fault("slow_response", method="PUT", seconds=1))
    with (tmp_path / "output").open("w") as output:
        process.append(
            subprocess.Popen(line, env=os.environ | settings, cwd=tmp_path, stdout=output, stderr=output, text=True)
        )
        assert process[0].wait(timeout=100) == 143
    assert [row["id"] for row in sandbox.rows("customers") if "doctor" in str(row)] == []


def test_a_row_that_cannot_be_deleted_is_named() -> None:
    """So that a person can delete it."""
    with account() as (sandbox, client):
        sandbox.add_fault(Fault("error_status", method="DELETE", path="/customers/*", status=500, times=99))
        findings = list(WriteProbe(client).findings())
        (row_id,) = [row["id"] for row in sandbox.rows("customers") if "doctor" in str(row)]
        assert str(row_id) in find(findings, "write", "clean up").text


def test_a_profile_contains_no_personal_data_and_no_key(tmp_path: Path) -> None:
    """Users send profiles to the maintainers: no text of any row is in it."""
    with account(unknown_columns=True) as (sandbox, client):
        (tmp_path / "p.json").write_bytes(check(client)[0].to_json())
        text = (tmp_path / "p.json").read_text()
        words = {
            str(value)
            for name in ("customers", "users", "jobs")
            for row in sandbox.rows(name)
            for value in row.values()
        }
        texts = set(re.findall(r'"([^"]*)"', text))
        assert not texts & {word for word in words if len(word) > 4 and not word.startswith("20")}
        assert sandbox.key not in text


def test_a_written_profile_reads_back_equal(tmp_path: Path) -> None:
    """The plugins see what the doctor found."""
    with account(honour_sort=False, unavailable_resources=("contracts",)) as (_, client):
        profile, _ = check(client)
    (tmp_path / "p.json").write_bytes(profile.to_json())
    assert AccountProfile.read(str(tmp_path / "p.json")) == profile


@pytest.mark.parametrize(
    "text", ["", "[]", '{"version": 2}', '{"lists": {"jobs": 1}}', '{"lists": {"jobs": {"sorts_by": []}}}', "[" * 9999]
)
def test_a_file_that_is_not_a_profile_is_rejected(text: str, tmp_path: Path) -> None:
    """The hint says how to write one."""
    (tmp_path / "p.json").write_text(text)
    with pytest.raises(ConfigError, match="profile") as caught:
        AccountProfile.read(str(tmp_path / "p.json"))
    assert "--profile" in caught.value.hint


def command(sandbox: Sandbox, folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("TAP_F", "TARGET_F"))}
    line = [sys.executable, "-m", "fieldpulse_cli", "doctor", *words]
    return subprocess.run(
        line, env=clean | environment, cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("prefix", ["TAP_FIELDPULSE_", "TARGET_FIELDPULSE_"])
@pytest.mark.parametrize("place", ["environment", ".env"])
def test_the_command_accepts_settings_of_either_plugin(
    sandbox: Sandbox, tmp_path: Path, prefix: str, place: str
) -> None:
    """From the environment or from `.env`; it leaves no file in the folder."""
    settings = {f"{prefix}API_KEY": sandbox.key, f"{prefix}API_URL": sandbox.url}
    if place == ".env":
        (tmp_path / ".env").write_text("".join(f"{name}='{value}'\n" for name, value in settings.items()))
        settings = {}
    ended = command(sandbox, tmp_path, **settings)
    assert ended.returncode == 0, ended.stderr
    assert re.search(rf"ok +settings +source +{prefix}", ended.stdout)
    assert ("ledger store" in ended.stdout) is prefix.startswith("TARGET")
    assert {path.name for path in tmp_path.iterdir()} <= {".env"}
    assert len(sandbox.requests) <= MAX_REQUESTS


def test_the_command_writes_json_and_a_profile(sandbox: Sandbox, tmp_path: Path) -> None:
    """The JSON has the findings and the same profile."""
    settings = {"TAP_FIELDPULSE_API_KEY": sandbox.key, "TAP_FIELDPULSE_API_URL": sandbox.url}
    ended = command(sandbox, tmp_path, "--json", "--profile", "p.json", **settings)
    result = json.loads(ended.stdout)
    assert {"grade", "about", "check", "text"} == set(result["findings"][0])
    assert result["requests"] == len(sandbox.requests)
    assert json.loads((tmp_path / "p.json").read_text()) == result["profile"]


@pytest.mark.parametrize(("words", "status", "is_written"), [(["--yes"], 0, True), ([], 130, False)])
def test_the_command_writes_to_the_account_only_when_confirmed(
    sandbox: Sandbox, tmp_path: Path, words: list[str], status: int, is_written: bool
) -> None:
    """Without a terminal to confirm on, it ends."""
    settings = {"TAP_FIELDPULSE_API_KEY": sandbox.key, "TAP_FIELDPULSE_API_URL": sandbox.url}
    ended = command(sandbox, tmp_path, "--write-probe", *words, **settings)
    assert ended.returncode == status, ended.stderr
    assert any(request.method == "POST" for request in sandbox.requests) is is_written


@pytest.mark.parametrize(
    ("key", "status", "message"), [("wrong-canary", 1, "FAIL     key"), (None, 2, "API key is missing")]
)
def test_the_exit_status_tells_account_problems_from_wrong_settings(
    sandbox: Sandbox, tmp_path: Path, key: str | None, status: int, message: str
) -> None:
    """1 for a failed check, 2 for settings; the key is never shown."""
    settings = {"TARGET_FIELDPULSE_API_URL": sandbox.url} | ({"TARGET_FIELDPULSE_API_KEY": key} if key else {})
    ended = command(sandbox, tmp_path, **settings)
    assert ended.returncode == status, ended.stderr
    assert message in ended.stdout + ended.stderr
    assert "wrong-canary" not in ended.stdout + ended.stderr


def test_a_store_locked_by_a_run_is_only_a_warning(sandbox: Sandbox, tmp_path: Path) -> None:
    """A pipeline that runs every five minutes often has one."""
    settings = {"TARGET_FIELDPULSE_API_KEY": sandbox.key, "TARGET_FIELDPULSE_API_URL": sandbox.url}
    with closing(sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)) as connection:
        connection.execute("begin immediate")
        ended = command(sandbox, tmp_path, **settings, TARGET_FIELDPULSE_LEDGER_URL=f"sqlite:///{tmp_path}/ledger.db")
    assert ended.returncode == 0, ended.stdout
    assert re.search(r"warn +ledger store", ended.stdout)


@pytest.mark.parametrize(
    ("url", "about"),
    [
        ("sqlite:////dev/null/no/ledger.db", "ledger store"),
        ("postgresql://nobody@127.0.0.1:9/none", "ledger store"),
        ("mysql://x", "ledger"),
    ],
)
def test_a_store_that_cannot_be_written_fails_the_check(sandbox: Sandbox, tmp_path: Path, url: str, about: str) -> None:
    """A run would fail on it later."""
    settings = {"TARGET_FIELDPULSE_API_KEY": sandbox.key, "TARGET_FIELDPULSE_API_URL": sandbox.url}
    ended = command(sandbox, tmp_path, **settings, TARGET_FIELDPULSE_LEDGER_URL=url)
    assert ended.returncode == 1
    assert re.search(rf"FAIL     {about}.*\n +do: ", ended.stdout)


LIKE = [
    {},
    {"honour_sort": False},
    {"honour_sort": "sort_by"},
    {"honour_sort": "brackets"},
    {"count_key": "total_results", "always_count": ("*",)},
    {"count_on_request": False},
    {"honour_limit": False},
    {"honour_page": False, "count_headers": True},
    {"above_max_limit": "honour", "past_the_end": "last"},
    {"time_format": "iso_z", "extra_envelope_keys": True, "wrap_version": True},
    {"asn_form": "flat", "honour_deleted": True},
    {"unavailable_resources": ("purchase_orders",), "missing_columns": ("customers.notes",)},
    {"unfilterable_columns": ("updated_at",)},
]


@pytest.mark.parametrize("switches", LIKE, ids=str)
def test_a_sandbox_like_an_account_gives_the_doctor_the_same_answers(tmp_path: Path, switches: dict[str, Any]) -> None:
    """People rehearse on their own account: its profile sets the switches."""
    profile = profile_of(tuple(switches.items()))
    (tmp_path / "profile.json").write_bytes(profile.to_json())
    behaviour = behaviour_from("live-2026", None, [], account_profile_from(tmp_path / "profile.json"))
    again = profile_of(tuple(vars(behaviour).items()))
    assert again.to_dict() | {"checked_at": ""} == profile.to_dict() | {"checked_at": ""}


@pytest.mark.parametrize(
    "switches", [{}, {"create_status": 200, "put_null": "clear"}, {"accepted_times": "unix"}], ids=str
)
def test_a_sandbox_like_an_account_writes_like_it(tmp_path: Path, switches: dict[str, Any]) -> None:
    facts, _ = facts_of(tuple(switches.items()))
    (tmp_path / "profile.json").write_bytes(AccountProfile(writes=facts).to_json())
    behaviour = behaviour_from("live-2026", None, [], account_profile_from(tmp_path / "profile.json"))
    assert facts_of(tuple(vars(behaviour).items()))[0] == facts


def test_a_sandbox_like_an_account_has_its_names(shared: Sandbox, tmp_path: Path) -> None:
    """`--with-names` keeps the office's statuses, fields and tags, and whose they are in no column."""
    with Sandbox(customers=20) as sandbox:
        for name, column in {"job_statuses": "name", "tags": "title", "custom_fields": "name"}.items():
            sandbox.store.tables[name].rows[sandbox.rows(name)[0]["id"]][column] = "Our own word"
        sandbox.store.tables["lead_sources"].rows.clear()
        settings = {"TAP_FIELDPULSE_API_KEY": sandbox.key, "TAP_FIELDPULSE_API_URL": sandbox.url}
        result = command(sandbox, tmp_path, "--profile", "north.json", "--with-names", **settings)
        assert result.returncode == 0, result.stdout
        profile = account_profile_from(tmp_path / "north.json")
        expected = {resource.name: sandbox.rows(resource.name) for resource in RESOURCES if resource.has_office_names}
    assert "company_id" not in json.dumps(profile["office_names"])
    with Sandbox(customers=20, office_names=office_names_like(profile)) as again:
        for name, rows in expected.items():
            columns = {"id", "name", "title", "status", "type", "status_ids", "settings"} & {*SHAPES[name]}
            columns -= {"name"} if name == "pipeline_statuses" else set()  # the list does not show it
            assert [[row.get(key) for key in columns] for row in again.rows(name)] == [
                [row.get(key) for key in columns] for row in rows
            ], name
        jobs = again.rows("jobs")
    assert {job["status_id"] for job in jobs} <= {row["id"] for row in expected["job_statuses"]}


def test_names_without_a_file_to_keep_them_are_refused(shared: Sandbox, tmp_path: Path) -> None:
    result = command(shared, tmp_path, "--with-names")
    assert result.returncode == 2
    assert "--with-names needs --profile" in result.stderr


def test_a_large_account_shows_its_weight() -> None:
    """The users that come with a limit above 100, and how many teams fit into one response."""
    with Sandbox(customers=20, users=377, behaviour=Behaviour(above_max_limit="honour")) as sandbox:
        config = {"api_key": sandbox.key, "api_url": sandbox.url, "rate_limit_store": "memory"}
        with closing(
            Client(client_settings(config | {"requests_per_second": 50}), max_requests=MAX_REQUESTS)
        ) as client:
            profile, findings = check(client)
    assert profile.users_over_limit == "honoured"
    assert profile.lists["teams"].page_size == 5
    assert "rows are requested at once" in find(findings, "teams", "weight").text


def test_the_report_has_a_line_for_each_list_and_a_verdict(shared: Sandbox, tmp_path: Path) -> None:
    settings = {"TAP_FIELDPULSE_API_KEY": shared.key, "TAP_FIELDPULSE_API_URL": shared.url}
    lines = command(shared, tmp_path, **settings).stdout.splitlines()
    for resource in RESOURCES:
        assert sum(line.split()[:1] == [resource.name] for line in lines) == 1, resource.name
    assert lines[-2].startswith("Verdict: ready (")
    assert lines[-1].startswith("Next: run `fieldpulse doctor --profile")


def test_a_second_account_is_named_by_its_plugin(shared: Sandbox, tmp_path: Path) -> None:
    """Meltano names the variables of an inherited plugin after it."""
    prefix = "TAP_FIELDPULSE__NORTH_"
    settings = {f"{prefix}API_KEY": shared.key, f"{prefix}API_URL": shared.url}
    result = command(shared, tmp_path, "--plugin", "tap-fieldpulse--north", **settings)
    assert result.returncode == 0, result.stdout
    assert prefix in result.stdout
    wrong = command(shared, tmp_path, "--plugin", "tap-hubspot", **settings)
    assert wrong.returncode == 2
    assert "--plugin tap-hubspot" in wrong.stderr


def test_the_target_s_zone_of_the_api_is_not_that_of_its_records(sandbox: Sandbox, tmp_path: Path) -> None:
    """Rows are in UTC, whatever the zone of a source is."""
    settings = {"TARGET_FIELDPULSE_API_KEY": sandbox.key, "TARGET_FIELDPULSE_API_URL": sandbox.url}
    ended = command(sandbox, tmp_path, **settings, TARGET_FIELDPULSE_TIMEZONE="America/Chicago")
    assert "if timestamps are in UTC" in ended.stdout
    ended = command(sandbox, tmp_path, **settings, TARGET_FIELDPULSE_API_TIMEZONE="Asia/Tokyo")
    assert "if timestamps are in Asia/Tokyo" in ended.stdout


@pytest.mark.parametrize("name", ["key", "link-to-key", ".env", "ledger.db"])
def test_a_profile_replaces_no_file_of_the_settings(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """It would destroy the key or the ledger; no request is sent before that is checked."""
    monkeypatch.chdir(tmp_path)
    for path, content in (("key", sandbox.key), (".env", ""), ("ledger.db", "rows")):
        Path(path).write_text(content)
    Path("link-to-key").symlink_to("key")
    monkeypatch.setenv("TAP_FIELDPULSE_API_KEY_FILE", "key")
    monkeypatch.setenv("TAP_FIELDPULSE_API_URL", sandbox.url)
    monkeypatch.setenv("TARGET_FIELDPULSE_LEDGER_URL", "sqlite:///ledger.db")
    with pytest.raises(ConfigError, match="lead to the same file"):
        commands.main(["doctor", "--profile", name], standalone_mode=False)
    assert (Path("key").read_text(), Path("ledger.db").read_text()) == (sandbox.key, "rows")
    assert not sandbox.requests


def test_a_profile_goes_where_a_link_or_a_pipe_leads(tmp_path: Path) -> None:
    """The link stays, and a device is not replaced by a file."""
    (tmp_path / "link").symlink_to("profile.json")
    replace_file(tmp_path / "link", AccountProfile().to_json())
    assert (tmp_path / "link").is_symlink()
    assert AccountProfile.read(str(tmp_path / "profile.json")) == AccountProfile()
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    replace_file(tmp_path / "pipe", AccountProfile().to_json())
    assert os.read(reader, 9).startswith(b"{")
    assert (tmp_path / "pipe").is_fifo()
    os.close(reader)
