"""The sender against real HTTP servers: what is delivered, sent again, put aside, or ends the command."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from fieldpulse_api.errors import ConfigError, UserError
from fieldpulse_api.http.retry import RetryPolicy
from tap_fieldpulse.delivery.endpoint import Endpoint
from tap_fieldpulse.delivery.sender import EventRefused, ReceiverUnavailable, Sender
from tests.harness.event_receiver import HANG, SECRET, EventReceiver, refused_file

BODY = b'{"event_id":"e1","amount":12.50}'
SOON = RetryPolicy(max_attempts=4, max_seconds=10, first_wait_seconds=0.01)


@pytest.fixture
def log() -> list[str]:
    """Return the lines that the sender logs."""
    return []


@pytest.fixture
def sender(event_receiver: EventReceiver, log: list[str]) -> Iterator[Sender]:
    """Return a sender that retries soon, without a file of refused events."""
    with closing(_sender(event_receiver, log)) as sender:
        yield sender


def _sender(receiver: EventReceiver, log: list[str], **more: Any) -> Sender:
    endpoint = Endpoint.from_config(receiver.url, {"push_secret": SECRET}, option="--post")
    arguments = {"refused_file": None, "log": log.append, "policy": SOON, "timeout_seconds": 0.5}
    return Sender(endpoint, **arguments | more)


def test_a_push_is_signed_as_standard_webhooks_says(event_receiver: EventReceiver, sender: Sender) -> None:
    """The signature is over id, time and body, with the decoded secret."""
    assert sender.send("e1", BODY) == "delivered"
    (push,) = event_receiver.pushes
    headers = push.headers
    assert push.body == BODY
    assert headers["content-type"] == "application/json"
    assert headers["webhook-id"] == "e1"
    assert abs(time.time() - int(headers["webhook-timestamp"])) < 60
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    signed = hmac.new(key, f"e1.{headers['webhook-timestamp']}.".encode() + BODY, hashlib.sha256).digest()
    assert headers["webhook-signature"] == "v1," + base64.b64encode(signed).decode()


@pytest.mark.parametrize("first", [500, 502, 503, 429, 408, 425])
def test_an_event_is_sent_again_until_it_is_accepted(event_receiver: EventReceiver, sender: Sender, first: int) -> None:
    """Repeats have the same id, so that a receiver can drop them."""
    event_receiver.respond = lambda number: first if number < 2 else 200
    assert sender.send("e1", BODY) == "delivered"
    assert [push.status for push in event_receiver.pushes] == [first, first, 200]
    assert {push.headers["webhook-id"] for push in event_receiver.pushes} == {"e1"}


@pytest.mark.parametrize("status", [500, HANG])
def test_a_receiver_that_stays_unavailable_ends_the_attempts(
    event_receiver: EventReceiver, log: list[str], status: int
) -> None:
    """The limit is on attempts and on time. A receiver that is silent counts as unavailable."""
    event_receiver.respond = lambda _: status
    policy = RetryPolicy(max_attempts=2, max_seconds=10, first_wait_seconds=0.01)
    with (
        closing(_sender(event_receiver, log, policy=policy, timeout_seconds=0.2)) as sender,
        pytest.raises(ReceiverUnavailable) as caught,
    ):
        sender.send("e1", BODY)
    assert len(event_receiver.pushes) == 2
    assert "canary" not in str(caught.value)


def test_no_connection_is_a_receiver_that_is_unavailable(log: list[str]) -> None:
    """Nothing listens at that port."""
    nowhere = EventReceiver("http://127.0.0.1:1/hook")
    policy = RetryPolicy(max_attempts=2, max_seconds=10, first_wait_seconds=0.01)
    with closing(_sender(nowhere, log, policy=policy)) as sender, pytest.raises(ReceiverUnavailable):
        sender.send("e1", BODY)


@pytest.mark.parametrize("status", [301, 302, 307, 401, 403, 404, 405, 410])
def test_a_wrong_address_or_secret_is_the_users(event_receiver: EventReceiver, sender: Sender, status: int) -> None:
    """It is not sent again, a redirect is not followed, and the message does not contain the URL's secret."""
    event_receiver.respond = lambda _: status
    with pytest.raises(UserError) as caught:
        sender.send("e1", BODY)
    assert len(event_receiver.pushes) == 1
    assert f"HTTP {status}" in caught.value.what
    assert "canary" not in str(caught.value)
    assert "/hook" not in str(caught.value)


@pytest.mark.parametrize("status", [400, 409, 413, 422])
def test_a_refused_event_is_an_error_without_a_file(event_receiver: EventReceiver, sender: Sender, status: int) -> None:
    """The error names the event, and the caller keeps it."""
    event_receiver.respond = lambda _: status
    with pytest.raises(EventRefused, match="refuses") as caught:
        sender.send("e1", BODY)
    assert "event e1" in caught.value.where


def test_a_refused_event_goes_to_the_file(event_receiver: EventReceiver, log: list[str], tmp_path: Path) -> None:
    """Its line has the status and the event as it was sent; the next event is delivered."""
    event_receiver.respond = lambda number: 200 if number else 422
    path = tmp_path / "folder" / "refused.jsonl"
    file = refused_file(path, f"sqlite:///{tmp_path}/snapshot.db")
    with closing(_sender(event_receiver, log, refused_file=file)) as sender:
        assert [sender.send("e1", BODY), sender.send("e2", b"{}")] == ["refused", "delivered"]
    (line,) = path.read_text("utf-8").splitlines()
    assert BODY.decode() in line
    assert json.loads(line)["status"] == 422
    assert path.stat().st_mode & 0o777 == 0o600
    assert log == ["The receiver refuses an event (HTTP 422), which is now in the file of refused ones: event e1"]


def test_the_file_of_refused_events_is_not_a_store(tmp_path: Path) -> None:
    """A line in the middle of a database would destroy it."""
    with pytest.raises(ConfigError, match="same file"):
        refused_file(tmp_path / "snapshot-event-outbox.db", f"sqlite:///{tmp_path}/snapshot.db")


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/hook",
        "https://user:canary@example.com/hook",
        "https://example.com/hook#part",
        "ftp://example.com/hook",
        "https://",
        "example.com",
        "",
        "https://example.com/\nhook",
        "http://127.0.0.1.example.com/",
    ],
)
def test_an_address_without_tls_or_with_credentials_is_refused(url: str) -> None:
    """The message names the option, and not the URL."""
    with pytest.raises(ConfigError) as caught:
        Endpoint.from_config(url, {"push_secret": SECRET}, option="--post")
    assert "--post" in caught.value.where
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    "secret", [None, "", "whsec_", "whsec_c2hvcnQ=", SECRET[:-1], SECRET.removeprefix("whsec_"), 7]
)
def test_a_secret_that_is_missing_or_short_is_refused(secret: object) -> None:
    """The message says how to make one, and does not contain the value."""
    with pytest.raises(ConfigError) as caught:
        Endpoint.from_config("https://example.com/", {"push_secret": secret}, option="--post")
    assert "os.urandom(32)" in caught.value.hint
    assert "c2hvcnQ" not in str(caught.value)


def test_neither_url_nor_key_is_in_the_text_of_an_endpoint() -> None:
    """A traceback at DEBUG may have it."""
    endpoint = Endpoint.from_config("https://example.com/canary", {"push_secret": SECRET}, option="--post")
    assert repr(endpoint) == "Endpoint()"
    assert endpoint.host == "https://example.com"
