"""The outbox: events and the state behind them are stored together, and removed once delivered, in both databases."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from fieldpulse_api.errors import RunLocked
from tap_fieldpulse.push.outbox import OUTBOX, POLLED, Outbox


@pytest.fixture
def account() -> str:
    """Return an account that no other test uses: they share a server."""
    return uuid.uuid4().hex


@pytest.fixture
def outbox(url: str, account: str) -> Iterator[Outbox]:
    """Open an outbox."""
    outbox = Outbox(url, account)
    yield outbox
    outbox.close()


def event(number: int) -> dict[str, Any]:
    return {"event_id": f"event-{number}", "new_value": number}


def append(outbox: Outbox, *numbers: int) -> None:
    with outbox.transaction("jobs") as transaction:
        transaction.append(map(event, numbers))
        transaction.set_state({"snapshot": numbers[-1]})


def waiting_ids(outbox: Outbox) -> list[str]:
    return [each.event_id for each in outbox.read(100)]


def test_events_wait_in_order_until_they_are_removed(outbox: Outbox, url: str, account: str) -> None:
    """They survive the process. Another account has its own."""
    append(outbox, 1, 2)
    append(outbox, 3)
    assert [json.loads(each.body) for each in outbox.read(2)] == [event(1), event(2)]
    outbox.remove_through(outbox.read(100)[1].sequence)
    outbox.close()
    other, again = Outbox(url, "8"), Outbox(url, account)
    try:
        assert (waiting_ids(again), again.read_states()) == (["event-3"], {"jobs": {"snapshot": 3}})
        assert (waiting_ids(other), other.read_states()) == ([], {})
    finally:
        again.close()
        other.close()


def test_an_error_in_a_transaction_leaves_events_and_state_as_they_were(outbox: Outbox) -> None:
    """Half of a poll must not be delivered: the next one detects the same changes again."""
    append(outbox, 1)

    def poll_until_a_signal() -> None:
        with outbox.transaction("jobs") as transaction:
            transaction.append([event(2)])
            transaction.set_state({"snapshot": 2})
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        poll_until_a_signal()
    assert (waiting_ids(outbox), outbox.read_states()) == (["event-1"], {"jobs": {"snapshot": 1}})
    append(outbox, 3)
    assert waiting_ids(outbox) == ["event-1", "event-3"]


def test_a_backup_copies_the_states_first() -> None:
    """It goes by the names of files. A state that is newer than its snapshot would end the next poll."""
    files = {name: f"snapshot-{name}.db" for name in (OUTBOX, POLLED)}
    assert sorted(files.values()) == [files[OUTBOX], files[POLLED]]


def test_one_process_at_a_time_uses_the_outbox_of_an_account(outbox: Outbox, url: str, account: str) -> None:
    """Two would deliver each event twice, and in no order."""
    with pytest.raises(RunLocked):
        Outbox(url, account)
    Outbox(url, "8").close()
