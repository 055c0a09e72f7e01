"""The command: what it prints, how it serves, how it ends."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path

import pytest

import fieldpulse_sandbox
from fieldpulse_sandbox.__main__ import main
from fieldpulse_sandbox.behaviour.profiles import PROFILES
from fieldpulse_sandbox.behaviour.switches import Behaviour
from fieldpulse_sandbox.faults.fault import KINDS
from fieldpulse_sandbox.faults.random_faults import RandomFaults
from fieldpulse_sandbox.option_pairs import spoken
from fieldpulse_sandbox.options import behaviour_from, chaos_from, fault_from

ROOT = Path(fieldpulse_sandbox.__file__).parent.parent


@contextmanager
def _running(*options: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-W", "error", "-m", "fieldpulse_sandbox", "--port", "0", "--customers", "5", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            yield process
        finally:
            process.kill()


def _get(url: str) -> int:
    request = urllib.request.Request(f"{url}/jobs?limit=1", headers={"x-api-key": "k"})
    with urllib.request.urlopen(request, timeout=60) as reply:
        return int(reply.status)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_the_command_serves_prints_each_request_and_ends_cleanly(number: signal.Signals) -> None:
    """It says that it is a belief, prints a line for each request, and exits with 0 and no complaint."""
    with _running("--api-key", "k") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        first = process.stdout.readline()
        assert "not the API" in first
        assert "key=k" in first
        url = re.findall(r"http://127\.0\.0\.1:\d+", first)[0]
        assert _get(url) == 200
        assert re.fullmatch(r"GET /jobs\?limit=1 200 \d+\.\d ms\n", process.stdout.readline())
        process.send_signal(number)
        assert process.wait(timeout=60) == 0
        assert process.stdout.read() == ""
        assert process.stderr.read() == ""


def test_the_quiet_command_prints_no_requests() -> None:
    """With --quiet there is only the first line."""
    with _running("--api-key", "k", "--quiet") as process:
        assert process.stdout is not None
        url = re.findall(r"http://127\.0\.0\.1:\d+", process.stdout.readline())[0]
        assert _get(url) == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0
        assert process.stdout.read() == ""


def test_a_port_in_use_is_said_in_one_line() -> None:
    """A second sandbox on the same port ends with a message, not a traceback."""
    with _running("--api-key", "k") as process:
        assert process.stdout is not None
        port = re.findall(r"127\.0\.0\.1:(\d+)", process.stdout.readline())[0]
        with _running("--port", port) as second:
            assert second.wait(timeout=60) == 1
            assert second.stderr is not None
            assert re.fullmatch(r"fieldpulse-sandbox: cannot listen on .*\n", second.stderr.read())


def test_the_command_takes_switches_and_faults(tmp_path: Path) -> None:
    """A flag goes over the file, the file over the profile; a fault waits for its request and is named beside it."""
    file = tmp_path / "switches.json"
    file.write_text('{"default_limit": 2, "count_key": null, "lists_with_limit_50": ["jobs"]}', "utf-8")
    switched = ("--set", "lists_with_limit_50=none", "--set", "count_key=total_count")
    said = ("--profile", "hostile", "--behaviour", str(file), *switched)
    with _running("--api-key", "k", *said, "--fault", "error_status,path=/jobs,status=503,skip=1") as process:
        assert process.stdout is not None
        url = re.findall(r"http://127\.0\.0\.1:\d+", process.stdout.readline())[0]
        request = urllib.request.Request(f"{url}/jobs", headers={"x-api-key": "k"})
        with urllib.request.urlopen(request, timeout=60) as reply:
            answer = json.load(reply)
        assert len(answer["response"]) == 2
        assert answer["total_count"] > 2
        assert isinstance(answer["response"][0]["id"], str)
        with pytest.raises(urllib.error.HTTPError) as failed:
            _get(url)
        failed.value.close()
        assert failed.value.code == 503
        assert process.stdout.readline().startswith("GET /jobs 200")
        assert re.fullmatch(r"GET /jobs\?limit=1 503 \d+\.\d ms \(error_status\)\n", process.stdout.readline())


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        (["--set", "honour_sorts=false"], "no switch 'honour_sorts'; did you mean 'honour_sort'?"),
        (["--set", "time_format=isoz"], "time_format=isoz: did you mean 'iso_z'?"),
        (["--set", "honour_page=maybe"], "honour_page=maybe: allowed: true, false"),
        (["--set", "honour_page"], "'honour_page' gives no value; say NAME=VALUE"),
        (["--set", "max_limit=0"], "max_limit=0: at least 1 is needed"),
        (["--set", "max_limit=1.5"], "max_limit=1.5: allowed: a whole number"),
        (["--set", "date_skew_seconds=nan"], "date_skew_seconds=nan: a finite number is needed"),
        (
            ["--set", "time_zone=America/Chicgo"],
            "time_zone=America/Chicgo: no time zone 'America/Chicgo'; did you mean",
        ),
        (["--set", "missing_columns=job.notes"], "missing_columns=job.notes: no resource 'job'; did you mean 'jobs'?"),
        (["--set", "missing_columns=jobs.note"], "no column of jobs 'note'; did you mean 'notes'?"),
        (["--set", "missing_columns=jobs"], "missing_columns=jobs: no column of jobs ''\n"),
        (["--set", "required_on_create=jobs.job_typ"], "no column of jobs 'job_typ'; did you mean 'job_type'?"),
        (["--set", "unsortable_columns=update_at"], "no column 'update_at'; did you mean 'updated_at'?"),
        (["--set", "unfilterable_columns=jobs.id"], "unfilterable_columns=jobs.id: no column 'jobs.id'"),
        (["--set", "failing_filter_columns=id,qqqqqq"], "failing_filter_columns=id,qqqqqq: no column 'qqqqqq'\n"),
        (["--set", "unavailable_resources=*"], "unavailable_resources=*: no resource '*'; there are customers, "),
        (["--set", "always_count=jobs.notes"], "no resource 'jobs.notes'"),
        (["--profile", "hostil"], "no profile 'hostil'; did you mean 'hostile'?"),
        (["--fault", "redirct"], "no kind of fault 'redirct'; did you mean 'redirect'?"),
        (["--fault", "dropped_connection,methd=POST"], "no option of faults 'methd'; did you mean 'method'?"),
        (["--fault", "dropped_connection,method=post"], "method=post: allowed: GET, POST, PUT, DELETE, none"),
        (["--fault-methods", "GET,put"], "methods=GET,put: allowed: GET, POST, PUT, DELETE"),
        (["--fault", "dropped_connection,times=0"], "times=0: at least 1 is needed"),
        (["--fault-rate", "2"], "rate=2: at most 1 is possible"),
        (
            ["--fault-kinds", "dropped_connection,droped_connection"],
            "kinds=dropped_connection,droped_connection: did you mean 'dropped_connection'?",
        ),
        (["--behaviour", "{}/none.json"], "No such file or directory"),
        (["--behaviour", "{}/list.json"], "is no JSON object of switches"),
        (["--behaviour", "{}/wrong.json"], "no switch 'max_limt'; did you mean 'max_limit'?"),
        (["--behaviour", "{}/nested.json"], "max_limit={'most': 3}: allowed: a whole number"),
        (["--webhook-url", "ftp://x/y"], "argument --webhook-url: 'ftp://x/y' is no http or https address"),
        (["--webhook-url", "http://x:port/y"], "argument --webhook-url: 'http://x:port/y' is no http or https address"),
        (
            ["--webhook-url", "http://x/\xe9"],
            "argument --webhook-url: 'http://x/\xe9' is no http or https address in plain",
        ),
        (
            ["--webhook-url", "http://x/a b"],
            "argument --webhook-url: 'http://x/a b' is no http or https address in plain",
        ),
        (["--nonsense"], "unrecognized arguments: --nonsense"),
    ],
)
def test_what_cannot_be_meant_is_said_in_one_line(
    said: list[str], complaint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The line names what was said and the nearest name or what is allowed; the status is 2."""
    for name, text in (("list", "[]"), ("wrong", '{"max_limt": 3}'), ("nested", '{"max_limit": {"most": 3}}')):
        (tmp_path / f"{name}.json").write_text(text, "utf-8")
    with pytest.raises(SystemExit) as ended:
        main([one.format(tmp_path) for one in said])
    assert ended.value.code == 2
    line = capsys.readouterr().err
    assert complaint in line
    assert re.fullmatch(r"fieldpulse-sandbox: .*\n", line)


def test_the_help_explains_every_switch_profile_and_kind(capsys: pytest.CaptureFixture[str]) -> None:
    """What can be said is found there."""
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    for name in (*(one.name for one in fields(Behaviour)), *PROFILES, *KINDS):
        assert re.search(rf"^  {name} ", text, re.MULTILINE), name


@pytest.mark.parametrize("name", PROFILES)
def test_what_a_profile_turns_can_be_said(name: str) -> None:
    """Each value of each switch is read back from its own words."""
    behaviour = PROFILES[name]
    said = [f"{one.name}={spoken(getattr(behaviour, one.name))}" for one in fields(Behaviour)]
    assert behaviour_from("live-2026", None, said) == behaviour


def test_faults_by_chance_can_be_said() -> None:
    """Nothing said is no chaos; what is not said has its default."""
    assert chaos_from({"rate": None, "seed": None}) is None
    assert chaos_from({"rate": "0.5", "kinds": "dropped_connection,error_status", "seed": None}) == RandomFaults(
        rate=0.5, kinds=("dropped_connection", "error_status")
    )
    assert chaos_from({"methods": "none", "seed": "7"}) == RandomFaults(seed=7)


def test_a_fault_can_be_said_whole() -> None:
    """Every field has its words."""
    said = "concurrent_edit,method=GET,path=/jobs*,after_commit=true,times=2,skip=1,status=503,seconds=0.5"
    fault = fault_from(f"{said},location=/x,edit=touch,seed=3")
    assert (fault.kind, fault.method, fault.path, fault.after_commit) == ("concurrent_edit", "GET", "/jobs*", True)
    assert (fault.times, fault.skip, fault.status, fault.seconds) == (2, 1, 503, 0.5)
    assert (fault.location, fault.edit, fault.seed) == ("/x", "touch", 3)
