"""`fieldpulse runs`: the last runs, a line for each, and all facts of one."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from fieldpulse_api.errors import UserError
from fieldpulse_api.http.traffic import TrafficFacts
from fieldpulse_cli.main import commands
from fieldpulse_plugin.history.facts import RunFacts, StreamFacts, now
from fieldpulse_plugin.history.recorder import RunRecorder

TRAFFIC = TrafficFacts(requests=900, retries=3, throttled=2, latency_p50=0.2, latency_max=1.5, over_time=[(40, 0)])


@pytest.fixture(autouse=True)
def _stores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the commands find the stores of the test."""
    monkeypatch.chdir(tmp_path)
    for variable in ("TAP_FIELDPULSE_SNAPSHOT_URL", "TARGET_FIELDPULSE_LEDGER_URL"):
        monkeypatch.delenv(variable, raising=False)


def record_run(plugin: str, *streams: StreamFacts, status: int = 0) -> None:
    """Write a run into the store that the plugin has by default."""
    store = "snapshot" if plugin.startswith("tap") else "ledger"
    facts = RunFacts(account="42", requests_per_second=45, streams=list(streams), traffic=TRAFFIC, open_rejects=1)
    with RunRecorder(
        plugin, lambda: facts, store=store, store_url=f"sqlite:///.fieldpulse/{store}.db", keep_days=90
    ) as run:
        run.end(status, "Ended." if status else None)


@pytest.fixture
def two_runs() -> None:
    """Write a run of the tap, then one of the target."""
    read = StreamFacts(name="jobs", records=7, server_count=7, verdict="complete", new=2, deleted=1, ended_at=now())
    record_run("tap-fieldpulse", read)
    record_run("target-fieldpulse", StreamFacts(name="customers", records=3, outcomes={"created": 2, "rejected": 1}))


def command(*arguments: str) -> Result:
    return CliRunner().invoke(commands, ["runs", *arguments], catch_exceptions=False)


def runs_json(*arguments: str) -> list[dict[str, Any]]:
    runs: list[dict[str, Any]] = json.loads(command("--json", *arguments).stdout)["runs"]
    return runs


def test_without_any_run_nothing_is_listed() -> None:
    """A message says so; the JSON is empty."""
    result = command()
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "No run is recorded yet.\n")
    assert runs_json() == []


@pytest.mark.usefixtures("two_runs")
def test_the_runs_of_both_plugins_are_listed() -> None:
    """The latest first, a line for each, within 80 columns."""
    lines = [line.rstrip() for line in command().stdout.splitlines()]
    assert len(lines) == 4
    assert lines[2].endswith("2 created, 1 rejected")
    assert lines[3].endswith("1 list complete")
    assert max(map(len, lines)) <= 80
    assert len(command("--last", "1").stdout.splitlines()) == 3


def test_a_long_result_leaves_room_for_the_other_columns() -> None:
    """It ends in an ellipsis, as a long name does; the id is whole."""
    record_run("tap-fieldpulse", *(StreamFacts(name=letter * 30, verdict="incomplete") for letter in "abc"))
    (run,) = runs_json()
    line = command().stdout.splitlines()[2]
    assert line.startswith(f"{run['run_id'][:8]}  ")
    assert "  tap-fieldpulse  0 of 3 lists" in line
    assert line.endswith("…")


@pytest.mark.usefixtures("two_runs")
def test_a_run_is_printed_with_all_facts() -> None:
    """The beginning of its id names it; the JSON has the same facts as the list."""
    target, tap = runs_json()
    printed = " ".join(command(tap["run_id"][:8]).stdout.split())
    for part in ("900,", "budget of 45/s", "retries 3, throttled 2", "median 200 ms", "jobs 7 7 complete +2 -1"):
        assert part in printed
    printed = " ".join(command(target["run_id"]).stdout.split())
    for part in ("1 open at its end", "customers 3 2 created, 1 rejected"):
        assert part in printed
    assert json.loads(command("--json", tap["run_id"]).stdout) == tap


@pytest.mark.usefixtures("two_runs")
@pytest.mark.parametrize(("run", "what"), [("zz", "No run"), ("%", "No run"), ("", "No run"), ("\udce2", "No run")])
def test_a_run_that_is_not_named_by_its_id_is_refused(run: str, what: str) -> None:
    """The message says what to give."""
    with pytest.raises(UserError, match=what):
        command(run)


def test_an_ambiguous_beginning_is_refused_with_the_choices() -> None:
    """Of seventeen runs, two begin with the same of sixteen digits."""
    for _ in range(17):
        record_run("tap-fieldpulse")
    (digit, count), *_ = Counter(run["run_id"][0] for run in runs_json()).most_common()
    with pytest.raises(UserError, match="Several runs") as caught:
        command(digit)
    assert caught.value.hint.count(", ") == count - 1


@pytest.mark.usefixtures("two_runs")
def test_the_keys_of_the_json_are_those_of_the_documentation() -> None:
    """Each key that docs/operations/history.md names is there, and no other."""
    page = (Path(__file__).parents[3] / "docs/operations/history.md").read_text()
    record_run("tap-fieldpulse", StreamFacts(name="jobs"), status=1)
    result = CliRunner().invoke(commands, ["status", "--json"], catch_exceptions=False)
    status = json.loads(result.stdout)
    tap = next(each for each in status["pipelines"] if each["plugin"] == "tap-fieldpulse")
    objects = {
        "status": status,
        "pipeline": tap,
        "list": tap["lists"][0],
        "need": status["needs"][0],
        "run": tap["last_run"],
        "traffic": tap["last_run"]["traffic"],
        "stream": tap["last_run"]["streams"][0],
    }
    for name, value in objects.items():
        rows = [line.split("|")[2] for line in page.splitlines() if line.startswith(f"| {name} |")]
        assert re.findall(r"`(\w+)`", "".join(rows)) == list(value), name
