"""A row whose id no 64-bit column holds ends its list with an error, instead of a record without a key."""

from __future__ import annotations

from pathlib import Path

import pytest

from fieldpulse_api.errors import UnexpectedResponse
from fieldpulse_sandbox.sandbox import Sandbox
from tests.harness.tap_runner import run_tap


@pytest.mark.parametrize("row_id", [2**63, 10**30])
@pytest.mark.parametrize("streams", [("vendors",), ("vendors", "change_events")])
def test_an_id_beyond_64_bits_is_an_error(
    sandbox: Sandbox, config: dict[str, object], tmp_path: Path, row_id: int, streams: tuple[str, ...]
) -> None:
    """With and without a snapshot, which could not store it."""
    rows = sandbox.store.tables["vendors"].rows
    rows[row_id] = next(iter(rows.values())) | {"id": row_id}
    with pytest.raises(UnexpectedResponse, match="an id of more than 63 bits"):
        run_tap(config | {"snapshot_url": f"sqlite:///{tmp_path}/snapshot.db"}, *streams)
