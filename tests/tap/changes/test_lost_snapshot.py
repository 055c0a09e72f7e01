"""A lost snapshot is an error: with an empty one, a run would report no delete and no change, and call it complete."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from fieldpulse_api.errors import ConfigError
from fieldpulse_sandbox.sandbox import Sandbox
from tests.harness.results import RunResult
from tests.harness.tap_runner import run_tap

Config = dict[str, Any]
EVENTS = ("jobs", "change_events")
DELETES = ("jobs", "deleted_rows")


def run(config: Config, streams: tuple[str, ...], state: Any = None) -> RunResult:
    return run_tap(config | {"detect_deletes": streams is DELETES}, *streams, state=state)


@pytest.mark.parametrize("streams", [EVENTS, DELETES], ids=["events", "deletes"])
@pytest.mark.parametrize("damage", ["missing", "older"])
def test_a_lost_snapshot_ends_the_run_before_a_list_is_read(
    sandbox: Sandbox, snapshot_config: Config, tmp_path: Path, streams: tuple[str, ...], damage: str
) -> None:
    """A container without a volume, or a database that was restored from yesterday."""
    database = Path(snapshot_config["snapshot_url"].removeprefix("sqlite:///"))
    first = run(snapshot_config, streams)
    shutil.copy(database, tmp_path / "copy.db")
    second = run(snapshot_config, streams, first.state)
    third = run(snapshot_config, streams, second.state)
    database.unlink()
    if damage == "older":
        shutil.copy(tmp_path / "copy.db", database)
    sandbox.requests.clear()
    with pytest.raises(ConfigError) as caught:
        run(snapshot_config, streams, third.state)
    assert "does not hold what the last run" in caught.value.what
    assert "on_lost_snapshot" in caught.value.hint
    assert not [request for request in sandbox.requests if request.path == "/jobs"]


def test_a_run_may_begin_a_new_snapshot(
    sandbox: Sandbox, snapshot_config: Config, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is a baseline for the next run, which needs the setting no longer."""
    first = run(snapshot_config, DELETES)
    snapshot_config |= {"snapshot_url": f"sqlite:///{tmp_path}/new.db"}
    second = run(snapshot_config | {"on_lost_snapshot": "warn"}, DELETES, first.state)
    assert "is missing, or an old copy" in caplog.text
    row_id = sandbox.rows("jobs")[0]["id"]
    sandbox.store.delete("jobs", row_id)
    assert run(snapshot_config, DELETES, second.state).ids("deleted_rows") == [row_id]


def test_a_run_without_its_last_state_and_a_repeated_run_are_no_loss(sandbox: Sandbox, snapshot_config: Config) -> None:
    """The runner may pass an older state, or none."""
    first = run(snapshot_config, EVENTS)
    second = run(snapshot_config, EVENTS, first.state)
    for state in (first.state, second.state, None):
        run(snapshot_config, EVENTS, state)


def test_the_log_says_which_stores_are_used(
    sandbox: Sandbox, snapshot_config: Config, caplog: pytest.LogCaptureFixture
) -> None:
    """By its absolute path: the working directory differs from runner to runner."""
    with caplog.at_level("INFO"):
        run(snapshot_config, DELETES)
    path = snapshot_config["snapshot_url"].removeprefix("sqlite:///")
    assert f"Using the snapshot at {path}" in caplog.text
