"""Input states: a state of another tap or version is rejected, or all rows are read, never fewer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fieldpulse_sandbox.sandbox import Sandbox
from tap_fieldpulse.tap import TapFieldPulse
from tests.harness.commands import run_command
from tests.harness.odd_values import BROKEN_VALUES, NO_JSON, odd
from tests.harness.results import RunResult
from tests.harness.tap_runner import select_streams

Config = dict[str, Any]
KEYS = [
    *("replication_key", "replication_key_value", "replication_key_signpost", "starting_replication_value"),
    *(
        "progress_markers",
        "partitions",
        "filters",
        "events",
        "snapshot",
        "sources",
        "parents",
        "full_at",
        "of_a_newer_version",
    ),
]
STREAMS = ["tags", "change_events", "customer_contacts", "contacts"]


@pytest.fixture(scope="module")
def command(shared: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], Path]:
    folder = tmp_path_factory.mktemp("states")
    config = {"api_key": shared.key, "api_url": shared.url, "requests_per_second": 50, "rate_limit_store": "memory"}
    config["snapshot_url"] = f"sqlite:///{folder}/snapshot.db"
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "catalog.json").write_text(json.dumps(select_streams(TapFieldPulse(config=dict(config)), ["tags"])))
    files = [f"--{name}={folder}/{name}.json" for name in ("config", "catalog", "state")]
    return files, folder / "state.json"


def run(command: tuple[list[str], Path], state: str) -> RunResult:
    arguments, path = command
    path.write_text(state)
    return run_command(TapFieldPulse, *arguments)


def has_all_tags(ended: RunResult, shared: Sandbox) -> bool:
    return RunResult(ended.stdout).ids("tags") == [row["id"] for row in shared.rows("tags")]


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(bookmarks=st.dictionaries(st.sampled_from(STREAMS), st.dictionaries(st.sampled_from(KEYS), odd), min_size=1))
def test_an_arbitrary_state_is_rejected_or_reads_all_rows(
    bookmarks: dict[str, dict[str, str]], command: tuple[list[str], Path], shared: Sandbox
) -> None:
    """Only a valid bookmark counts, and unknown keys cause no missing row."""
    streams = (
        json.dumps(stream) + ":{" + ",".join(f"{json.dumps(name)}:{value}" for name, value in bookmark.items()) + "}"
        for stream, bookmark in bookmarks.items()
    )
    ended = run(command, '{"bookmarks":{' + ",".join(streams) + "}}")
    assert ended.is_explained, ended.stderr
    assert ended.status == 2 or has_all_tags(ended, shared)


@pytest.mark.parametrize("text", [*BROKEN_VALUES, *NO_JSON], ids=lambda text: text[:20])
@pytest.mark.parametrize("form", ["%s", '{"bookmarks":{"tags":%s}}', '{"bookmarks":{"tags":{"x":%s}}}'])
def test_a_state_that_is_not_strict_json_is_rejected(command: tuple[list[str], Path], form: str, text: str) -> None:
    """The message has three parts and names the option, however deep the invalid value is."""
    ended = run(command, form % text)
    assert (ended.status, ended.is_explained, "--state" in ended.stderr) == (2, True, True), ended.stderr


@pytest.mark.parametrize("text", ["null", "[]", "5", '"x"', '{"a":1}', '{"bookmarks":[]}', '{"bookmarks":{"tags":[]}}'])
def test_json_that_is_not_a_state_is_rejected(command: tuple[list[str], Path], text: str) -> None:
    """The message names `--state`."""
    ended = run(command, text)
    assert (ended.status, ended.is_explained, "--state" in ended.stderr) == (2, True, True), ended.stderr


@pytest.mark.parametrize(
    "time",
    ["9999-12-31T23:59:59Z", "2126-01-01T00:00:00Z", 1700000000, True, {"a": 1}, "10000-01-01", "yesterday"],
    ids=str,
)
def test_a_bookmark_that_is_not_a_time_in_the_past_is_rejected(command: tuple[list[str], Path], time: object) -> None:
    """A bookmark in the future would silently skip all changes until then."""
    ended = run(
        command, json.dumps({"bookmarks": {"tags": {"replication_key": "updated_at", "replication_key_value": time}}})
    )
    assert (ended.status, ended.is_explained) == (2, True)
    assert "state · stream tags" in ended.stderr


def test_a_state_of_another_tap_reads_all_rows_and_is_logged(command: tuple[list[str], Path], shared: Sandbox) -> None:
    """The SDK would read each row twice for the partitions of such a state."""
    state = {"contacts": {"since": "2026"}, "tags": {"partitions": [{"context": {"a": 1}}], "progress_markers": 5}}
    ended = run(command, json.dumps({"bookmarks": state}))
    assert (ended.status, has_all_tags(ended, shared)) == (0, True)
    assert all(f"'{name}'" in ended.stderr for name in ("contacts", "tags.partitions", "tags.progress_markers"))


def test_keys_of_a_newer_version_stay_in_the_state(command: tuple[list[str], Path]) -> None:
    """A newer version of the tap finds them again."""
    ended = run(command, json.dumps({"bookmarks": {"tags": {"of_a_newer_version": [1.25]}}}))
    assert RunResult(ended.stdout).state["bookmarks"]["tags"]["of_a_newer_version"] == [1.25]
