"""Queued faults, the rate limit, and the latency."""

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
def test_a_fault_hits_one_request(
    sandbox: Sandbox, client: SandboxClient, fault: Fault, status: int, body: dict[str, Any]
) -> None:
    """The next request gets the fault, and the request after it a normal response."""
    sandbox.add_fault(fault)
    response = client.get("/jobs")
    assert (response.status, response.json) == (status, body)
    assert client.get("/jobs").status == 200


def test_a_throttle_has_a_reset_time_or_none(sandbox: Sandbox, client: SandboxClient) -> None:
    """`RateLimit-Reset` is a UNIX time ahead of now, and absent from `throttle_without_reset`."""
    sandbox.add_fault(Fault("throttle", seconds=5))
    sandbox.add_fault(Fault("throttle_without_reset"))
    reset = int(client.get("/jobs").headers["ratelimit-reset"])
    assert 4 <= reset - time.time() <= 7
    assert "ratelimit-reset" not in client.get("/jobs").headers


@pytest.mark.parametrize(("kind", "raw"), [("empty_body", b""), ("not_json", b"<html>")])
def test_a_200_can_have_no_json(sandbox: Sandbox, client: SandboxClient, kind: Any, raw: bytes) -> None:
    """An empty body and HTML have status 200."""
    sandbox.add_fault(Fault(kind))
    response = client.get("/jobs")
    assert response.status == 200
    assert response.body.startswith(raw)
    assert len(response.body) == 0 or kind == "not_json"


def test_a_fault_waits_for_its_request(sandbox: Sandbox, client: SandboxClient) -> None:
    """Method, path pattern, `skip` and `times` decide which requests get the fault."""
    sandbox.add_fault(Fault("error_status", method="GET", path="/jobs*", skip=1, times=2))
    assert client("POST", "/tags", {"title": "Proof"}).status == 201
    assert client.get("/tags").status == 200
    assert [client.get("/jobs").status for _ in range(4)] == [200, 500, 500, 200]


@pytest.mark.parametrize(("after_commit", "created"), [(False, 0), (True, 1)])
def test_a_dropped_connection_sends_nothing(
    sandbox: Sandbox, client: SandboxClient, *, after_commit: bool, created: int
) -> None:
    """The socket closes before the first byte, before or after the write is stored."""
    before = len(sandbox.rows("customers"))
    sandbox.add_fault(Fault("dropped_connection", method="POST", after_commit=after_commit))
    with pytest.raises(GONE):
        client("POST", "/customers", PERSON)
    assert len(sandbox.rows("customers")) == before + created
    assert sandbox.requests[-1].status is None
    assert client.get("/customers").status == 200


def test_a_dropped_socket_is_really_closed(sandbox: Sandbox) -> None:
    """The bare socket ends or is reset without a byte."""
    sandbox.add_fault(Fault("dropped_connection"))
    address = urlsplit(sandbox.url)
    with socket.create_connection((address.hostname, address.port), timeout=5) as raw:
        raw.sendall(f"GET /jobs HTTP/1.1\r\nHost: x\r\nx-api-key: {sandbox.key}\r\n\r\n".encode())
        try:
            received = raw.recv(100)
        except ConnectionResetError:
            received = b""
    assert received == b""


@pytest.mark.parametrize("kind", ["error_status", "not_json", "empty_body", "error_in_200"])
def test_a_response_can_be_lost_after_the_write(sandbox: Sandbox, client: SandboxClient, kind: Any) -> None:
    """With `after_commit` the row exists although the response does not say so."""
    before = len(sandbox.rows("customers"))
    sandbox.add_fault(Fault(kind, after_commit=True))
    client("POST", "/customers", PERSON)
    assert len(sandbox.rows("customers")) == before + 1


@pytest.mark.parametrize(("after_commit", "created"), [(False, 0), (True, 1)])
def test_a_slow_request_is_carried_out_before_or_after_the_wait(
    sandbox: Sandbox, client: SandboxClient, *, after_commit: bool, created: int
) -> None:
    """While the client waits, the row exists already or does not yet; afterwards it does."""
    before = len(sandbox.rows("customers"))
    sandbox.add_fault(Fault("slow_response", seconds=0.3, after_commit=after_commit))
    asking = threading.Thread(target=client, args=("POST", "/customers", PERSON))
    asking.start()
    while not sandbox.requests:
        time.sleep(0.001)  # until the request has arrived
    client.get("/version")  # served after it
    assert len(sandbox.rows("customers")) == before + created
    asking.join()
    assert len(sandbox.rows("customers")) == before + 1
    assert sandbox.requests[0].seconds >= 0.3


def test_a_sandbox_stops_at_once_under_slow_requests(capfd: pytest.CaptureFixture[str]) -> None:
    """Leaving the sandbox does not wait for a slow response, and prints nothing."""
    with Sandbox(customers=3) as sandbox:
        sandbox.add_fault(Fault("slow_response", seconds=600))
        address = urlsplit(sandbox.url)
        raw = socket.create_connection((address.hostname, address.port), timeout=5)
        raw.sendall(f"GET /jobs HTTP/1.1\r\nHost: x\r\nx-api-key: {sandbox.key}\r\n\r\n".encode())
        while not sandbox.requests:
            time.sleep(0.001)  # until the request has arrived
    raw.close()
    assert time.monotonic() - sandbox.requests[0].arrived_at < 2
    assert capfd.readouterr().err == ""


def test_the_rate_limit_holds_in_any_second() -> None:
    """Of a burst only the limit is accepted; the 429s say when a slot is free."""
    with Sandbox(customers=3, rate_limit=10) as sandbox:
        client = SandboxClient(sandbox)
        replies = [client.get("/version") for _ in range(15)]
        assert sandbox.requests[-1].arrived_at - sandbox.requests[0].arrived_at < 1.0, (
            "this machine is too slow for the test"
        )
    assert [response.status for response in replies] == [200] * 10 + [429] * 5
    assert replies[-1].json == {"message": "Too Many Requests"}
    assert 0 <= int(replies[-1].headers["ratelimit-reset"]) - time.time() <= 2


def test_requests_with_a_wrong_key_do_not_count() -> None:
    """The rate limit is per key."""
    with Sandbox(customers=3, rate_limit=2) as sandbox:
        client = SandboxClient(sandbox)
        assert {client.get("/version", key="wrong").status for _ in range(5)} == {403}
        assert client.get("/version").status == 200


def test_latency_delays_responses() -> None:
    """Each response takes the latency; `/teams` takes up to 50 ms more."""
    with Sandbox(customers=3, latency_ms=30) as sandbox:
        client = SandboxClient(sandbox)
        client.get("/jobs")
        client.get("/teams")
        jobs, teams = (request.seconds for request in sandbox.requests)
    assert jobs >= 0.03
    assert teams >= 0.08
