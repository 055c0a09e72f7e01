"""Faults that modify a response, that change the account, and that apply to lists only."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
import time
from typing import Any, get_args
from urllib.parse import urlsplit

import pytest

from fieldpulse_sandbox.faults.fault import KINDS, LIST_FAULTS, Fault, Kind
from fieldpulse_sandbox.faults.fault_queue import FaultQueue
from fieldpulse_sandbox.sandbox import Sandbox
from tests.sandbox.client import SandboxClient

NOW = 1_777_636_800
PERSON = {"first_name": "Nova", "last_name": "Testperson"}
CARRIED_OUT = (
    "slow_response",
    "slow_body",
    "endless_body",
    "truncated_connection",
    "truncated_json",
    "wrong_content_type",
    "bad_gzip",
    "huge_header",
)


def _raw(sandbox: Sandbox, request: str = "GET /jobs?limit=3", body: str = "", enough: int = 10_000_000) -> bytes:
    """Return the bytes of a response until the connection ends, or until there are enough."""
    address = urlsplit(sandbox.url)
    length = f"content-length: {len(body)}\r\n" if body else ""
    head = f"{request} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nx-api-key: {sandbox.key}\r\n{length}\r\n{body}"
    received = b""
    with socket.create_connection((address.hostname, address.port), timeout=20) as raw:
        raw.sendall(head.encode())
        with contextlib.suppress(ConnectionResetError):
            while (piece := raw.recv(100_000)) and len(received) < enough:
                received += piece
    return received


def _until(sandbox: Sandbox, count: int) -> None:
    while len(sandbox.requests) < count:
        time.sleep(0.001)  # until they have arrived


def test_every_kind_has_a_description() -> None:
    """The type and the table have the same kinds."""
    assert get_args(Kind) == tuple(KINDS)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in {"endless_body", "dropped_connection"}])
def test_every_kind_changes_one_response(sandbox: Sandbox, client: SandboxClient, kind: Kind) -> None:
    """A fault of any kind changes one response of a list, and is recorded with the request."""
    path, pages = "/jobs?limit=3&page=2", "/jobs?limit=3&page=99"
    request = f"GET {pages if kind == 'repeating_last_page' else path}"
    plain = _raw(sandbox, request).partition(b"\r\n\r\n")[2]
    sandbox.add_fault(Fault(kind, seconds=0.01, edit="insert"))
    broken = _raw(sandbox, request)
    if kind in {"slow_response", "slow_body"}:
        assert broken.endswith(plain)
        assert sandbox.requests[-1].seconds >= 0.01
    elif kind in {"wrong_content_type", "huge_header", "bad_gzip"}:
        assert b"text/html" in broken or len(broken) > 200_000 or b"gzip" in broken
        assert broken.endswith(plain)
    else:
        assert not broken.endswith(plain)
    after = _raw(sandbox, request)
    assert after.startswith(b"HTTP/1.1 200")
    assert after.endswith(plain) or kind == "concurrent_edit"
    assert [request.fault for request in sandbox.requests[1:]] == [
        None if kind == "repeating_last_page" else kind,
        None,
    ]


@pytest.mark.parametrize(("kind", "ahead"), [("throttle", 5), ("throttle_past_reset", -5), ("throttle_one_hour", 3600)])
def test_the_reset_of_a_throttle_can_be_any_time(kind: Kind, ahead: int) -> None:
    """It is a UNIX time: seconds ahead, in the past, or an hour ahead."""
    with Sandbox(customers=3, clock=lambda: NOW) as sandbox:
        sandbox.add_fault(Fault(kind, seconds=5))
        response = SandboxClient(sandbox).get("/jobs")
    assert response.status == 429
    assert int(response.headers["ratelimit-reset"]) - NOW == ahead


def test_the_reset_of_a_throttle_can_be_a_number_of_seconds(sandbox: Sandbox, client: SandboxClient) -> None:
    """Some servers send a delay in this header."""
    sandbox.add_fault(Fault("throttle_relative_reset", seconds=3))
    assert client.get("/jobs").headers["ratelimit-reset"] == "3"


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in LIST_FAULTS])
def test_after_commit_decides_whether_a_write_is_stored(sandbox: Sandbox, kind: Kind) -> None:
    """Without it nothing is stored, unless the fault modifies the response."""
    for after_commit in (False, True):
        before = len(sandbox.rows("customers"))
        sandbox.add_fault(Fault(kind, method="POST", after_commit=after_commit, seconds=0.01))
        _raw(sandbox, "POST /customers", '{"first_name": "Nova", "last_name": "Testperson"}', enough=100_000)
        assert len(sandbox.rows("customers")) - before == int(after_commit or kind in CARRIED_OUT)


def test_a_truncated_connection_sends_less_than_announced(sandbox: Sandbox) -> None:
    """The length is that of the complete body; the connection ends earlier."""
    sandbox.add_fault(Fault("truncated_connection"))
    head, _, body = _raw(sandbox).partition(b"\r\n\r\n")
    announced = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    assert 0 < len(body) < announced


def test_truncated_json_has_the_announced_length(sandbox: Sandbox, client: SandboxClient) -> None:
    """Only the JSON shows that half of the body is missing."""
    whole = client.get("/jobs").body
    sandbox.add_fault(Fault("truncated_json"))
    assert client.get("/jobs").body == whole[: len(whole) // 2]


def test_a_slow_body_follows_its_headers_in_pieces(sandbox: Sandbox) -> None:
    """The status arrives while the body is still on its way."""
    sandbox.add_fault(Fault("slow_body", seconds=30))
    address = urlsplit(sandbox.url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=20)
    connection.request("GET", "/jobs", headers={"x-api-key": sandbox.key})
    answer = connection.getresponse()
    assert answer.status == 200
    assert sandbox.requests[-1].seconds < 30
    connection.close()


def test_an_endless_body_lasts_until_the_client_closes(sandbox: Sandbox, client: SandboxClient) -> None:
    """It has no length; other requests are served at the same time and afterwards."""
    sandbox.add_fault(Fault("endless_body"))
    received = _raw(sandbox, enough=3_000_000)
    assert len(received) >= 3_000_000
    assert b"content-length" not in received[:1000].lower()
    assert client.get("/jobs").status == 200


def test_a_sandbox_stops_under_an_endless_body(capfd: pytest.CaptureFixture[str]) -> None:
    """Leaving the sandbox ends the body, and prints nothing."""
    with Sandbox(customers=3) as sandbox:
        sandbox.add_fault(Fault("endless_body"))
        reading = threading.Thread(target=_raw, args=(sandbox,), kwargs={"enough": 10**12})
        reading.start()
        _until(sandbox, 1)
    reading.join(timeout=20)
    assert not reading.is_alive()
    assert capfd.readouterr().err == ""


def test_a_redirect_has_its_location(sandbox: Sandbox, client: SandboxClient) -> None:
    """The location is another path by default, or any URL."""
    for location in ("/elsewhere", "http://127.0.0.1:9/jobs"):
        sandbox.add_fault(Fault("redirect", location=location))
        response = client.get("/jobs")
        assert (response.status, response.headers["location"]) == (302, location)


def test_a_previous_page_replaces_the_requested_one(sandbox: Sandbox, client: SandboxClient) -> None:
    """Page 3 returns page 2, and page 1 returns itself."""
    first, second = (client.get("/jobs", limit=5, page=page).ids for page in (1, 2))
    sandbox.add_fault(Fault("previous_page", times=2))
    assert client.get("/jobs", limit=5, page=3).ids == second
    assert client.get("/jobs", limit=5, page=1).ids == first


def test_a_list_can_repeat_its_last_page(sandbox: Sandbox, client: SandboxClient) -> None:
    """Only pages past the end count, as often as the fault says."""
    sandbox.add_fault(Fault("repeating_last_page", path="/jobs", times=2))
    pages = [client.get("/jobs", limit=50, page=page).ids for page in range(1, 6)]
    last = max(place for place, ids in enumerate(pages[:2]) if ids)
    assert pages[last + 1] == pages[last + 2] == pages[last]
    assert pages[last + 3] == [] if last == 0 else client.get("/jobs", limit=50, page=9).ids == []


@pytest.mark.parametrize(("way", "rows"), [("touch", 0), ("insert", 1), ("delete", -1)])
def test_a_concurrent_edit_changes_one_row_before_the_read(
    sandbox: Sandbox, client: SandboxClient, way: Any, rows: int
) -> None:
    """A row is touched, copied or deleted; the seed decides which."""
    before = {row["id"]: row["updated_at"] for row in sandbox.rows("jobs")}
    sandbox.add_fault(Fault("concurrent_edit", path="/jobs", edit=way, seed=5))
    listed = set(client.get("/jobs", limit=100, raw={"sort_by": "updated_at", "sort_dir": "desc"}).ids)
    after = {row["id"]: row["updated_at"] for row in sandbox.rows("jobs")}
    assert len(after) - len(before) == rows
    changed = {number for number in before | after if before.get(number) != after.get(number)}
    assert len(changed) == 1
    assert changed <= listed or way == "delete"
    with Sandbox(customers=50) as other:
        stamps = {row["id"]: row["updated_at"] for row in other.rows("jobs")}
        other.add_fault(Fault("concurrent_edit", path="/jobs", edit=way, seed=5))
        _raw(other, "GET /jobs")
        now = {row["id"]: row["updated_at"] for row in other.rows("jobs")}
        assert {number for number in stamps | now if stamps.get(number) != now.get(number)} == changed


def test_a_concurrent_edit_stays_below_the_parent(sandbox: Sandbox, client: SandboxClient) -> None:
    """In a list below a customer the row is one of that customer."""
    parent = sandbox.rows("customer_contacts")[0]["customer_id"]
    others = [row for row in sandbox.rows("customer_contacts") if row["customer_id"] != parent]
    path = f"/customers/{parent}/customer-contact"
    sandbox.add_fault(Fault("concurrent_edit", path="/customers/*", edit="delete"))
    before = len([row for row in sandbox.rows("customer_contacts") if row["customer_id"] == parent])
    assert len(client.get(path).ids) == before - 1
    assert [row for row in sandbox.rows("customer_contacts") if row["customer_id"] != parent] == others


@pytest.mark.parametrize("kind", sorted(LIST_FAULTS))
def test_list_faults_hit_lists_only(kind: Kind) -> None:
    """Rows by id and writes do not use the fault up."""
    faults = FaultQueue([Fault(kind)])
    for method, path in (("GET", "/jobs/7"), ("POST", "/jobs"), ("GET", "/version")):
        assert faults.next_for(method, path) is None
    taken = faults.next_at_end("/jobs") if kind == "repeating_last_page" else faults.next_for("GET", "/jobs")
    assert taken is not None
