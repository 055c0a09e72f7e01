"""Faults that happen on demand, the limit of requests, and the latency."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from typing import Any
from urllib.parse import urlsplit

import pytest

from fieldpulse_sandbox.faults.fault import Fault
from fieldpulse_sandbox.sandbox import Sandbox
from tests.sandbox.client import SandboxClient

PERSON = {"first_name": "Nova", "last_name": "Testperson"}
GONE = (http.client.RemoteDisconnected, ConnectionResetError)


@pytest.mark.parametrize(
    ("fault", "status", "body"),
    [
        (Fault("throttle"), 429, {"message": "Too Many Requests"}),
        (Fault("throttle_without_reset"), 429, {"message": "Too Many Requests"}),
        (Fault("quota_exceeded"), 429, {"message": "Limit Exceeded"}),
        (Fault("error_status"), 500, {"message": "Internal Server Error"}),
        (Fault("error_status", status=502), 502, {"message": "Internal server error"}),
        (Fault("error_status", status=504), 504, {"message": "Endpoint request timed out"}),
        (Fault("error_in_200"), 200, {"error": True, "response": None, "errors": ["Something went wrong."]}),
    ],
    ids=lambda value: value.kind if isinstance(value, Fault) else None,
)
def test_a_fault_answers_once_as_documented(
    box: Sandbox, ask: SandboxClient, fault: Fault, status: int, body: dict[str, Any]
) -> None:
    """A queued fault takes the next request, and the one after it is served."""
    box.add_fault(fault)
    reply = ask.get("/jobs")
    assert (reply.status, reply.json) == (status, body)
    assert ask.get("/jobs").status == 200


def test_a_throttle_says_when_and_a_bare_one_does_not(box: Sandbox, ask: SandboxClient) -> None:
    """`RateLimit-Reset` is an epoch ahead of now, and absent from the bare kind."""
    box.add_fault(Fault("throttle", seconds=5))
    box.add_fault(Fault("throttle_without_reset"))
    reset = int(ask.get("/jobs").headers["ratelimit-reset"])
    assert 4 <= reset - time.time() <= 7
    assert "ratelimit-reset" not in ask.get("/jobs").headers


@pytest.mark.parametrize(("kind", "raw"), [("empty_body", b""), ("not_json", b"<html>")])
def test_a_200_may_hold_no_json(box: Sandbox, ask: SandboxClient, kind: Any, raw: bytes) -> None:
    """An empty body and a page of HTML come with status 200."""
    box.add_fault(Fault(kind))
    reply = ask.get("/jobs")
    assert reply.status == 200
    assert reply.body.startswith(raw)
    assert len(reply.body) == 0 or kind == "not_json"


def test_a_fault_waits_for_its_request(box: Sandbox, ask: SandboxClient) -> None:
    """Method, path pattern, skip and times decide whom it hits."""
    box.add_fault(Fault("error_status", method="GET", path="/jobs*", skip=1, times=2))
    assert ask("POST", "/tags", {"title": "Proof"}).status == 201
    assert ask.get("/tags").status == 200
    assert [ask.get("/jobs").status for _ in range(4)] == [200, 500, 500, 200]


@pytest.mark.parametrize(("after_commit", "created"), [(False, 0), (True, 1)])
def test_a_dropped_connection_answers_nothing(
    box: Sandbox, ask: SandboxClient, *, after_commit: bool, created: int
) -> None:
    """The socket closes without a byte, before or after the write was stored."""
    before = len(box.rows("customers"))
    box.add_fault(Fault("dropped_connection", method="POST", after_commit=after_commit))
    with pytest.raises(GONE):
        ask("POST", "/customers", PERSON)
    assert len(box.rows("customers")) == before + created
    assert box.requests[-1].status is None
    assert ask.get("/customers").status == 200


def test_a_dropped_socket_is_really_closed(box: Sandbox) -> None:
    """On the bare socket there is an end or a reset, and not one byte."""
    box.add_fault(Fault("dropped_connection"))
    address = urlsplit(box.url)
    with socket.create_connection((address.hostname, address.port), timeout=5) as raw:
        raw.sendall(f"GET /jobs HTTP/1.1\r\nHost: x\r\nx-api-key: {box.key}\r\n\r\n".encode())
        try:
            received = raw.recv(100)
        except ConnectionResetError:
            received = b""
    assert received == b""


@pytest.mark.parametrize("kind", ["error_status", "not_json", "empty_body", "error_in_200"])
def test_an_answer_may_be_lost_after_the_write(box: Sandbox, ask: SandboxClient, kind: Any) -> None:
    """With after_commit the row is there although the answer does not say so."""
    before = len(box.rows("customers"))
    box.add_fault(Fault(kind, after_commit=True))
    ask("POST", "/customers", PERSON)
    assert len(box.rows("customers")) == before + 1


@pytest.mark.parametrize(("after_commit", "created"), [(False, 0), (True, 1)])
def test_a_slow_request_is_carried_out_before_or_after_the_wait(
    box: Sandbox, ask: SandboxClient, *, after_commit: bool, created: int
) -> None:
    """While the client waits, the row is already there or not yet; afterwards it is."""
    before = len(box.rows("customers"))
    box.add_fault(Fault("slow_response", seconds=0.3, after_commit=after_commit))
    asking = threading.Thread(target=ask, args=("POST", "/customers", PERSON))
    asking.start()
    while not box.requests:
        time.sleep(0.001)  # until the request has arrived
    ask.get("/version")  # served after it
    assert len(box.rows("customers")) == before + created
    asking.join()
    assert len(box.rows("customers")) == before + 1
    assert box.requests[0].seconds >= 0.3


def test_a_sandbox_stops_at_once_under_slow_requests(capfd: pytest.CaptureFixture[str]) -> None:
    """Leaving the sandbox does not wait for an answer that is minutes away, and complains of nothing."""
    with Sandbox(customers=3) as box:
        box.add_fault(Fault("slow_response", seconds=600))
        address = urlsplit(box.url)
        raw = socket.create_connection((address.hostname, address.port), timeout=5)
        raw.sendall(f"GET /jobs HTTP/1.1\r\nHost: x\r\nx-api-key: {box.key}\r\n\r\n".encode())
        while not box.requests:
            time.sleep(0.001)  # until the request has arrived
    raw.close()
    assert time.monotonic() - box.requests[0].arrived_at < 2
    assert capfd.readouterr().err == ""


def test_the_limit_holds_in_any_second() -> None:
    """Of a burst only the limit passes; the refusals say when a slot frees up."""
    with Sandbox(customers=3, rate_limit=10) as box:
        ask = SandboxClient(box)
        replies = [ask.get("/version") for _ in range(15)]
        assert box.requests[-1].arrived_at - box.requests[0].arrived_at < 1.0, "this machine is too slow for the test"
    assert [reply.status for reply in replies] == [200] * 10 + [429] * 5
    assert replies[-1].json == {"message": "Too Many Requests"}
    assert 0 <= int(replies[-1].headers["ratelimit-reset"]) - time.time() <= 2


def test_requests_with_a_wrong_key_use_up_no_limit() -> None:
    """The limit is per key."""
    with Sandbox(customers=3, rate_limit=2) as box:
        ask = SandboxClient(box)
        assert {ask.get("/version", key="wrong").status for _ in range(5)} == {403}
        assert ask.get("/version").status == 200


def test_latency_delays_answers_and_teams_a_little_more() -> None:
    """Each answer takes the latency; /teams takes up to 50 ms on top."""
    with Sandbox(customers=3, latency_ms=30) as box:
        ask = SandboxClient(box)
        ask.get("/jobs")
        ask.get("/teams")
        jobs, teams = (request.seconds for request in box.requests)
    assert jobs >= 0.03
    assert teams >= 0.08
