"""Deliveries are forwarded at least once and in order, whatever the other receiver and the process do."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from fieldpulse_api.http.retry import RetryPolicy
from fieldpulse_sandbox.sandbox import Sandbox
from tap_fieldpulse.delivery.endpoint import Endpoint
from tap_fieldpulse.delivery.refused_file import RefusedFile
from tap_fieldpulse.delivery.sender import Sender
from tap_fieldpulse.webhooks.forwarded_event import forwarded_event
from tap_fieldpulse.webhooks.forwarder import AddNames, Forwarder
from tap_fieldpulse.webhooks.inbox import Inbox
from tests.harness.event_receiver import HANG, SECRET, EventReceiver, refused_file
from tests.harness.receiver import (
    COMMAND,
    TOKEN,
    age_deliveries,
    created_delivery,
    environment,
    parse_delivery,
    post_delivery,
    run_receiver,
    status_delivery,
)

SOON = RetryPolicy(max_attempts=2, max_seconds=5, first_wait_seconds=0.01)


def _without_names(event: dict[str, Any], _: Mapping[str, Any]) -> dict[str, Any]:
    return event


def forwarder(
    url: str,
    receiver: EventReceiver,
    log: list[str],
    file: RefusedFile | None = None,
    *,
    add_names: AddNames = _without_names,
) -> Forwarder:
    """Return a forwarder that tries again soon."""
    endpoint = Endpoint.from_config(receiver.url, {"push_secret": SECRET}, option="--forward")
    sender = Sender(endpoint, refused_file=file, log=log.append, policy=SOON)
    return Forwarder(Inbox(url), sender, add_names=add_names, log=log.append, seconds_after_failure=0.01)


def ids_of(found: list[dict[str, Any]]) -> list[int]:
    return [event["object_id"] for event in found]


def test_deliveries_of_a_killed_receiver_are_forwarded_by_the_next(
    sandbox: Sandbox, tmp_path: Path, event_receiver: EventReceiver
) -> None:
    """The other receiver fails, hangs and accepts. Each delivery arrives with names, in order, and none is lost."""
    job = next(row for row in sandbox.rows("jobs") if row["customer_id"])
    customer = next(row for row in sandbox.rows("customers") if row["id"] == job["customer_id"])
    account = str(job["company_id"])
    event_receiver.respond = lambda number: {0: 500, 2: HANG}.get(number, 204)
    settings = {"push_secret": SECRET, "api_key": sandbox.key, "api_url": sandbox.url, "rate_limit_store": "memory"}
    url, options = f"sqlite:///{tmp_path}/store.db", ("--forward", event_receiver.url)
    with run_receiver(url, *options, **settings) as receiver:
        for number in range(1, 4):
            body = created_delivery(number, account=account, customer_id=customer["id"], status_id=job["status_id"])
            assert post_delivery(receiver.url, body) == 200
        event_receiver.wait_for(3)
        facts = receiver.health()
        assert (facts["stored"], facts["forwarded"]) == (3, 1)
        receiver.stop(signal.SIGKILL)
    event_receiver.respond = lambda _: 204
    with run_receiver(url, *options, **settings) as receiver:
        event_receiver.wait_for(5)
        assert post_delivery(receiver.url, created_delivery(3, account=account)) == 200
        assert post_delivery(receiver.url, created_delivery(4, account="999", customer_id=customer["id"])) == 200
        event_receiver.wait_for(6)
        while (facts := receiver.health())["forwarded"] < 3:  # the response is under way
            continue
        assert receiver.stop(signal.SIGTERM) == 143
        log = receiver.log()
    accepted = event_receiver.accepted
    assert ids_of(accepted) == [1, 2, 3, 4]  # what FieldPulse repeats is not forwarded again
    assert [event_receiver.pushes[number].event["object_id"] for number in range(3)] == [1, 1, 2]
    assert {customer["first_name"] in event["customer_name"] for event in accepted[:3]} == {True}
    assert accepted[3]["customer_name"] is None  # of an account that the key does not belong to
    assert facts["last_forwarded_at"] >= facts["last_stored_at"] > "2026"
    assert "3 forwarded" in log
    for secret in (SECRET, TOKEN, sandbox.key, "canary-of-the-url", customer["first_name"]):
        assert secret not in log


def test_an_event_has_the_form_of_a_change_event(tmp_path: Path) -> None:
    """Row and values are as FieldPulse sent them, numbers included."""
    with closing(Inbox(f"sqlite:///{tmp_path}/store.db")) as inbox:
        inbox.lock_forwarding().release()
        inbox.append(
            [parse_delivery(status_delivery(7, 12, old=None, notes="Note")), parse_delivery(created_delivery(8))]
        )
        changed, created = map(forwarded_event, inbox.read_to_forward())
    assert (changed["stream"], changed["object_id"]) == ("jobs", 7)
    assert (changed["old_value"], changed["new_value"]) == (None, 12)
    assert changed["object"]["notes"] == "Note"
    assert (created["object"]["id"], created["new_value"]) == (8, None)
    assert changed["event_id"] != created["event_id"]


def test_only_what_arrives_after_the_first_start_is_forwarded(url: str, event_receiver: EventReceiver) -> None:
    """Whoever adds `--forward` later does not get a month of deliveries. A later start forwards what has come since."""
    log: list[str] = []
    with closing(Inbox(url)) as inbox:
        inbox.append([parse_delivery(created_delivery(1, account="71"))])
        first = forwarder(url, event_receiver, log)
        first.close()
        inbox.append([parse_delivery(created_delivery(2, account="71"))])
    with closing(forwarder(url, event_receiver, log)) as second:
        second.start()
        event_receiver.wait_for(1)
    assert ids_of(event_receiver.accepted) == [2]


def test_a_refused_delivery_is_put_aside_or_holds_up_the_others(tmp_path: Path, event_receiver: EventReceiver) -> None:
    """Without a file, it is sent again and again, and the counts and the log tell so."""
    url, log = f"sqlite:///{tmp_path}/store.db", list[str]()
    event_receiver.respond = lambda number: 204 if number >= 3 else 422
    with closing(Inbox(url)) as inbox, closing(forwarder(url, event_receiver, log)) as first:
        inbox.append([parse_delivery(created_delivery(number)) for number in (1, 2)])
        first.start()
        event_receiver.wait_for(5)
    assert ids_of(event_receiver.accepted) == [1, 2]
    assert first.counts()["forwarding failed"] == 3
    assert "HTTP 422" in log[0]
    event_receiver.respond = lambda number: 204 if number >= 6 else 422
    path = tmp_path / "refused.jsonl"
    with (
        closing(Inbox(url)) as inbox,
        closing(forwarder(url, event_receiver, log, refused_file(path, url))) as second,
    ):
        inbox.append([parse_delivery(created_delivery(number)) for number in (3, 4)])
        second.start()
        event_receiver.wait_for(7)
    assert ids_of(event_receiver.accepted) == [1, 2, 4]
    assert json.loads(path.read_text("utf-8"))["event"]["object_id"] == 3


def test_a_row_that_makes_names_fail_is_forwarded_without(tmp_path: Path, event_receiver: EventReceiver) -> None:
    """Whoever knows the path can post any row: it must not hold up those behind it."""
    url = f"sqlite:///{tmp_path}/store.db"

    def fail(_: object, delivery: Mapping[str, Any]) -> dict[str, Any]:
        raise OverflowError(delivery["data"])

    with closing(Inbox(url)) as inbox, closing(forwarder(url, event_receiver, [], add_names=fail)) as failing:
        inbox.append([parse_delivery(created_delivery(number)) for number in (1, 2)])
        failing.start()
        event_receiver.wait_for(2)
    assert ids_of(event_receiver.accepted) == [1, 2]
    assert failing.counts() == {"forwarded": 2, "without names (bug: OverflowError)": 2}


def test_a_delivery_that_is_to_be_forwarded_is_not_deleted_after_a_week(
    tmp_path: Path, event_receiver: EventReceiver
) -> None:
    """A state of the tap has confirmed it. Once it is forwarded, it goes."""
    url = f"sqlite:///{tmp_path}/store.db"
    with closing(Inbox(url)) as inbox:
        inbox.lock_forwarding().release()
        inbox.append([parse_delivery(created_delivery(1))])
        age_deliveries(tmp_path / "store-webhooks.db", days=8)
        (row,) = inbox.read_to_forward()
        inbox.purge("1", row["sequence"])
        assert inbox.count_to_forward() == 1
        inbox.mark_forwarded(row["sequence"])
        inbox.purge("1", row["sequence"])
        assert list(inbox.read_after("1", 0)) == []


def test_a_forwarder_without_a_secret_does_not_start(tmp_path: Path) -> None:
    """The message says how to make one."""
    ended = subprocess.run(
        [*COMMAND, "--forward", "https://example.com/"],
        env=environment(webhook_token=TOKEN, snapshot_url=f"sqlite:///{tmp_path}/store.db"),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 2
    assert "os.urandom(32)" in ended.stderr
    assert "  do:    " in ended.stderr
    assert "Traceback" not in ended.stderr
