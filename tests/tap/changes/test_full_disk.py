"""A full disk: a run ends with an error, and the stores are as they were before it, without a file more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fieldpulse_api.errors import ConfigError
from fieldpulse_sandbox.sandbox import Sandbox
from tap_fieldpulse.webhooks.inbox import Inbox
from tests.harness.receiver import created_delivery, parse_delivery
from tests.harness.tap_runner import run_tap
from tests.plugin.stores.test_private_files import largest_file

STREAMS = ("customers", "change_events")


def files(folder: Path) -> dict[str, int]:
    """Return the sizes of the files in a folder."""
    return {path.name: path.stat().st_size for path in folder.iterdir()}


def test_a_snapshot_without_room_stays_as_it_was(
    sandbox: Sandbox, snapshot_config: dict[str, Any], tmp_path: Path
) -> None:
    """The next run, which has room, reports what the failed one could not store."""
    first = run_tap(snapshot_config, *STREAMS)
    before = files(tmp_path)
    rows = sandbox.rows("customers")
    for row in rows:
        sandbox.store.update("customers", row["id"], {"notes": "".join(map(str, range(2000)))})
    with (
        largest_file(before["snapshot.db"] + 30_000),
        pytest.raises(ConfigError, match="The snapshot cannot be read or written") as caught,
    ):
        run_tap(snapshot_config, *STREAMS, state=first.state)
    assert "snapshot_url" in caught.value.where
    assert "disk" in caught.value.hint
    assert files(tmp_path) == before
    assert len(run_tap(snapshot_config, *STREAMS, state=first.state).records["change_events"]) == len(rows)


def test_an_inbox_without_room_keeps_what_it_has(tmp_path: Path) -> None:
    """A batch of deliveries is stored whole or not at all, and comes again when there is room."""
    inbox = Inbox(f"sqlite:///{tmp_path}/snapshot.db")
    large = [parse_delivery(created_delivery(row_id)) for row_id in range(2, 2000)]
    assert inbox.append([parse_delivery(created_delivery(1))]) == 1
    inbox.close()
    before = files(tmp_path)
    with largest_file(max(before.values()) + 100_000):
        with pytest.raises(ConfigError, match="cannot be read or written"):
            inbox.append(large)
        assert [row["object_id"] for row in inbox.read_after("1", 0)] == [1]
        inbox.close()
    assert files(tmp_path) == before
    assert inbox.append(large) == len(large)
    inbox.close()
