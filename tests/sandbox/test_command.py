"""The command: its output, its options, its exit statuses."""

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
from fieldpulse_sandbox.options import behaviour_from, fault_from, option_text, random_faults_from
from fieldpulse_sandbox.sandbox import Sandbox

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
    with urllib.request.urlopen(request, timeout=60) as response:
        return int(response.status)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_the_command_serves_prints_each_request_and_ends_cleanly(number: signal.Signals) -> None:
    """The first line calls it a simulation; each request is a line; the exit status is 0."""
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
    """With `--quiet` only the first line is printed."""
    with _running("--api-key", "k", "--quiet") as process:
        assert process.stdout is not None
        url = re.findall(r"http://127\.0\.0\.1:\d+", process.stdout.readline())[0]
        assert _get(url) == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0
        assert process.stdout.read() == ""


def test_a_port_in_use_ends_with_one_line() -> None:
    """A second sandbox on the same port ends with a message, not a traceback."""
    with _running("--api-key", "k") as process:
        assert process.stdout is not None
        port = re.findall(r"127\.0\.0\.1:(\d+)", process.stdout.readline())[0]
        with _running("--port", port) as second:
            assert second.wait(timeout=60) == 1
            assert second.stderr is not None
            assert re.fullmatch(r"fieldpulse-sandbox: cannot listen on .*\n", second.stderr.read())


def test_the_command_accepts_switches_and_faults(tmp_path: Path) -> None:
    """An option takes precedence over the file, the file over the profile; the line of a request names its fault."""
    file = tmp_path / "switches.json"
    file.write_text('{"default_limit": 2, "count_key": null, "lists_with_limit_50": ["jobs"]}', "utf-8")
    switched = ("--set", "lists_with_limit_50=none", "--set", "count_key=total_count")
    options = ("--profile", "hostile", "--behaviour", str(file), *switched)
    with _running("--api-key", "k", *options, "--fault", "error_status,path=/jobs,status=503,skip=1") as process:
        assert process.stdout is not None
        url = re.findall(r"http://127\.0\.0\.1:\d+", process.stdout.readline())[0]
        request = urllib.request.Request(f"{url}/jobs", headers={"x-api-key": "k"})
        with urllib.request.urlopen(request, timeout=60) as response:
            answer = json.load(response)
        assert len(answer["response"]) == 2
        assert answer["total_count"] > 2
        assert isinstance(answer["response"][0]["id"], str)
        with pytest.raises(urllib.error.HTTPError) as failed:
            _get(url)
        failed.value.close()
        assert failed.value.code == 503
        assert process.stdout.readline().startswith("GET /jobs 200")
        assert re.fullmatch(r"GET /jobs\?limit=1 503 \d+\.\d ms \(error_status\)\n", process.stdout.readline())


INVALID = [
    (["--set", "honour_sorts=false"], "there is no switch 'honour_sorts'; did you mean 'honour_sort'?"),
    (["--set", "time_format=isoz"], "time_format=isoz is invalid; did you mean 'iso_z'?"),
    (["--set", "honour_page=maybe"], "honour_page=maybe is invalid; allowed: true, false"),
    (["--set", "honour_page"], "'honour_page' has no value; write NAME=VALUE"),
    (["--set", "max_limit=0"], "max_limit=0 is invalid; allowed: an integer of at least 1"),
    (["--set", "max_limit=1.5"], "max_limit=1.5 is invalid; allowed: an integer of at least 1"),
    (["--set", "date_skew_seconds=nan"], "date_skew_seconds=nan is invalid; allowed: a number of at least -31536000"),
    (["--set", "time_zone=America/Chicgo"], "there is no time zone 'America/Chicgo'; did you mean 'America/Chicago'?"),
    (["--set", "missing_columns=job.notes"], "there is no resource.column 'job.notes'; did you mean 'jobs.notes'?"),
    (["--set", "missing_columns=jobs.note"], "there is no resource.column 'jobs.note'; did you mean 'jobs.notes'?"),
    (["--set", "missing_columns=jobs"], "there is no resource.column 'jobs'"),
    (["--set", "required_on_create=jobs.job_typ"], "'jobs.job_typ'; did you mean 'jobs.job_type'?"),
    (["--set", "unsortable_columns=update_at"], "there is no column 'update_at'; did you mean 'updated_at'?"),
    (["--set", "unfilterable_columns=jobs.id"], "there is no column 'jobs.id'"),
    (["--set", "failing_filter_columns=id,qqqqqq"], "there is no column 'qqqqqq'\n"),
    (["--set", "unavailable_resources=*"], "there is no resource '*'; allowed: customers, "),
    (["--set", "always_count=jobs.notes"], "there is no list 'jobs.notes'"),
    (["--profile", "hostil"], "there is no profile 'hostil'; did you mean 'hostile'?"),
    (["--fault", "redirct"], "there is no kind of fault 'redirct'; did you mean 'redirect'?"),
    (["--fault", "redirect,methd=POST"], "there is no fault option 'methd'; did you mean 'method'?"),
    (["--fault", "redirect,method=post"], "method=post is invalid; allowed: DELETE, GET, POST, PUT, none"),
    (["--fault-methods", "GET,put"], "methods=GET,put is invalid; allowed: DELETE, GET, POST, PUT"),
    (["--fault", "redirect,times=0"], "times=0 is invalid; allowed: an integer of at least 1"),
    (["--fault-rate", "2"], "rate=2 is invalid; allowed: a number of at least 0 and at most 1"),
    (["--fault-kinds", "throttle,redirct"], "kinds=throttle,redirct is invalid; did you mean 'redirect'?"),
    (["--behaviour", "{}/none.json"], "No such file or directory"),
    (["--behaviour", "{}/list.json"], "is not a JSON object"),
    (["--behaviour", "{}/unknown.json"], "there is no switch 'max_limt'; did you mean 'max_limit'?"),
    (["--behaviour", "{}/nested.json"], "max_limit={'most': 3} is invalid; allowed: an integer of at least 1"),
    (["--webhook-url", "ftp://x/y"], "argument --webhook-url: 'ftp://x/y' is not an http or https URL"),
    (["--webhook-url", "http://x:port/y"], "argument --webhook-url: 'http://x:port/y' is not an http or https URL"),
    (["--webhook-url", "http://x/\xe9"], "'http://x/\xe9' is not an http or https URL in plain ASCII"),
    (["--webhook-url", "http://x/a b"], "'http://x/a b' is not an http or https URL in plain ASCII"),
    (["--nonsense"], "unrecognized arguments: --nonsense"),
]


@pytest.mark.parametrize(("arguments", "message"), INVALID)
def test_an_invalid_option_ends_with_one_line_and_status_2(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The line names the wrong value, and the nearest name or everything that is allowed."""
    for name, text in (("list", "[]"), ("unknown", '{"max_limt": 3}'), ("nested", '{"max_limit": {"most": 3}}')):
        (tmp_path / f"{name}.json").write_text(text, "utf-8")
    with pytest.raises(SystemExit) as ended:
        main([argument.format(tmp_path) for argument in arguments])
    assert ended.value.code == 2
    line = capsys.readouterr().err
    assert message in line
    assert re.fullmatch(r"fieldpulse-sandbox: .*\n", line)


@pytest.mark.parametrize("module", ["starlette", "uvicorn"])
def test_a_missing_extra_is_named(module: str) -> None:
    """Without the extra the command prints what to install, not a traceback."""
    code = (
        "import sys\n"
        "class Missing:\n"
        "    def find_spec(self, name, *_):\n"
        f"        if name.partition('.')[0] == {module!r}:\n"
        f"            raise ModuleNotFoundError(name={module!r})\n"
        "sys.meta_path.insert(0, Missing())\n"
        "from fieldpulse_sandbox.__main__ import main\n"
        "sys.exit(main([]))\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    message = f"fieldpulse-sandbox: {module} is not installed; run: pip install 'singer-fieldpulse[sandbox]'\n"
    assert ended.stderr == message


def test_the_help_explains_every_switch_profile_and_kind(capsys: pytest.CaptureFixture[str]) -> None:
    """Everything that an option accepts is in the help text."""
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    for name in (*(switch.name for switch in fields(Behaviour)), *PROFILES, *KINDS):
        assert re.search(rf"^  {name} ", text, re.MULTILINE), name


@pytest.mark.parametrize("name", PROFILES)
def test_each_value_of_a_profile_can_be_set(name: str) -> None:
    """Each value of each switch survives the way through the command line."""
    behaviour = PROFILES[name]
    pairs = [f"{switch.name}={option_text(getattr(behaviour, switch.name))}" for switch in fields(Behaviour)]
    assert behaviour_from("live-2026", None, pairs) == behaviour


def test_random_faults_have_options() -> None:
    """Without an option there are no random faults; an option that is absent has its default."""
    assert random_faults_from({"rate": None, "seed": None}) is None
    texts = {"rate": "0.5", "kinds": "dropped_connection,error_status", "seed": None}
    assert random_faults_from(texts) == RandomFaults(rate=0.5, kinds=("dropped_connection", "error_status"))
    assert random_faults_from({"methods": "none", "seed": "7"}) == RandomFaults(seed=7)


def test_every_field_of_a_fault_can_be_set() -> None:
    """A fault is one text with a kind and options."""
    text = "concurrent_edit,method=GET,path=/jobs*,after_commit=true,times=2,skip=1,status=503,seconds=0.5"
    fault = fault_from(f"{text},location=/x,edit=touch,seed=3")
    assert (fault.kind, fault.method, fault.path, fault.after_commit) == ("concurrent_edit", "GET", "/jobs*", True)
    assert (fault.times, fault.skip, fault.status, fault.seconds) == (2, 1, 503, 0.5)
    assert (fault.location, fault.edit, fault.seed) == ("/x", "touch", 3)


def test_a_row_is_changed_and_deleted_by_hand(sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """Also what the API does not let one write, such as the label of a pipeline status."""
    place = ["--url", sandbox.url, "--api-key", sandbox.key]
    stage, user = sandbox.rows("pipeline_statuses")[0]["id"], sandbox.rows("users")[0]["id"]
    assert main(["poke", "pipeline_statuses", str(stage), "status=On hold", *place]) == 0
    assert main(["poke", "users", str(user), "is_active=false", *place]) == 0
    assert sandbox.rows("pipeline_statuses")[0]["status"] == "On hold"
    assert sandbox.rows("users")[0]["is_active"] is False
    assert main(["poke", "users", str(user), "--delete", *place]) == 0
    assert user not in [row["id"] for row in sandbox.rows("users")]
    assert main(["poke", "users", str(user), "is_active=true", *place]) == 1
    assert "there is no such row" in capsys.readouterr().err
    assert main(["poke", "users", "1", "is_active=true", "--url", "http://127.0.0.1:9"]) == 1
    assert "no sandbox responds" in capsys.readouterr().err
