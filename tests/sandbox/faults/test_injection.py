"""Faults that reshape an answer, that change the account meanwhile, and that befall lists."""

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


def _raw(box: Sandbox, request: str = "GET /jobs?limit=3", body: str = "", enough: int = 10_000_000) -> bytes:
    """Return every byte of an answer until the connection ends or there are enough."""
    address = urlsplit(box.url)
    length = f"content-length: {len(body)}\r\n" if body else ""
    head = f"{request} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nx-api-key: {box.key}\r\n{length}\r\n{body}"
    received = b""
    with socket.create_connection((address.hostname, address.port), timeout=20) as raw:
        raw.sendall(head.encode())
        with contextlib.suppress(ConnectionResetError):
            while (piece := raw.recv(100_000)) and len(received) < enough:
                received += piece
    return received


def _until(box: Sandbox, count: int) -> None:
    while len(box.requests) < count:
        time.sleep(0.001)  # until they have arrived


def test_every_kind_is_named_and_explained_once() -> None:
    """What the type allows is what the table explains."""
    assert get_args(Kind) == tuple(KINDS)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in {"endless_body", "dropped_connection"}])
def test_every_kind_shows_in_an_answer_or_in_the_account_and_the_next_one_is_whole(
    box: Sandbox, ask: SandboxClient, kind: Kind
) -> None:
    """A fault of any kind changes what a list answers, once, and it is written beside the request."""
    path, pages = "/jobs?limit=3&page=2", "/jobs?limit=3&page=99"
    request = f"GET {pages if kind == 'repeating_last_page' else path}"
    plain = _raw(box, request).partition(b"\r\n\r\n")[2]
    box.add_fault(Fault(kind, seconds=0.01, edit="insert"))
    broken = _raw(box, request)
    if kind in {"slow_response", "slow_body"}:
        assert broken.endswith(plain)
        assert box.requests[-1].seconds >= 0.01
    elif kind in {"wrong_content_type", "huge_header", "bad_gzip"}:
        assert b"text/html" in broken or len(broken) > 200_000 or b"gzip" in broken
        assert broken.endswith(plain)
    else:
        assert not broken.endswith(plain)
    after = _raw(box, request)
    assert after.startswith(b"HTTP/1.1 200")
    assert after.endswith(plain) or kind == "concurrent_edit"
    assert [one.fault for one in box.requests[1:]] == [None if kind == "repeating_last_page" else kind, None]


@pytest.mark.parametrize(("kind", "ahead"), [("throttle", 5), ("throttle_past_reset", -5), ("throttle_one_hour", 3600)])
def test_the_reset_of_a_throttle_may_lie_anywhere(kind: Kind, ahead: int) -> None:
    """It is an epoch: near ahead, in the past, an hour ahead."""
    with Sandbox(customers=3, clock=lambda: NOW) as box:
        box.add_fault(Fault(kind, seconds=5))
        reply = SandboxClient(box).get("/jobs")
    assert reply.status == 429
    assert int(reply.headers["ratelimit-reset"]) - NOW == ahead


def test_the_reset_of_a_throttle_may_be_a_number_of_seconds(box: Sandbox, ask: SandboxClient) -> None:
    """Some servers give a delay under that name."""
    box.add_fault(Fault("throttle_relative_reset", seconds=3))
    assert ask.get("/jobs").headers["ratelimit-reset"] == "3"


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in LIST_FAULTS])
def test_a_write_is_carried_out_where_the_fault_says_so(box: Sandbox, kind: Kind) -> None:
    """Without `after_commit` nothing is stored, unless the fault only reshapes the answer; with it the row is there."""
    for after_commit in (False, True):
        before = len(box.rows("customers"))
        box.add_fault(Fault(kind, method="POST", after_commit=after_commit, seconds=0.01))
        _raw(box, "POST /customers", '{"first_name": "Nova", "last_name": "Testperson"}', enough=100_000)
        assert len(box.rows("customers")) - before == int(after_commit or kind in CARRIED_OUT)


def test_a_body_that_is_cut_has_less_than_it_announced(box: Sandbox) -> None:
    """The length is that of the whole, and the connection ends before."""
    box.add_fault(Fault("truncated_connection"))
    head, _, body = _raw(box).partition(b"\r\n\r\n")
    announced = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    assert 0 < len(body) < announced


def test_a_truncated_body_has_the_length_that_it_announced(box: Sandbox, ask: SandboxClient) -> None:
    """Nothing but the JSON says that half of it is lacking."""
    whole = ask.get("/jobs").body
    box.add_fault(Fault("truncated_json"))
    assert ask.get("/jobs").body == whole[: len(whole) // 2]


def test_a_dripping_body_comes_in_pieces_behind_its_headers(box: Sandbox) -> None:
    """The status is there while the body is still on its way."""
    box.add_fault(Fault("slow_body", seconds=30))
    address = urlsplit(box.url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=20)
    connection.request("GET", "/jobs", headers={"x-api-key": box.key})
    answer = connection.getresponse()
    assert answer.status == 200
    assert box.requests[-1].seconds < 30
    connection.close()


def test_an_endless_body_goes_on_until_the_client_has_enough(box: Sandbox, ask: SandboxClient) -> None:
    """There is no length, and another request is served meanwhile and afterwards."""
    box.add_fault(Fault("endless_body"))
    received = _raw(box, enough=3_000_000)
    assert len(received) >= 3_000_000
    assert b"content-length" not in received[:1000].lower()
    assert ask.get("/jobs").status == 200


def test_a_sandbox_stops_under_an_endless_body(capfd: pytest.CaptureFixture[str]) -> None:
    """Leaving the sandbox ends it, and complains of nothing."""
    with Sandbox(customers=3) as box:
        box.add_fault(Fault("endless_body"))
        reading = threading.Thread(target=_raw, args=(box,), kwargs={"enough": 10**12})
        reading.start()
        _until(box, 1)
    reading.join(timeout=20)
    assert not reading.is_alive()
    assert capfd.readouterr().err == ""


def test_a_redirect_leads_where_it_is_told(box: Sandbox, ask: SandboxClient) -> None:
    """Another path by default, or any address."""
    for location in ("/elsewhere", "http://127.0.0.1:9/jobs"):
        box.add_fault(Fault("redirect", location=location))
        reply = ask.get("/jobs")
        assert (reply.status, reply.headers["location"]) == (302, location)


def test_a_repeated_page_is_the_one_before(box: Sandbox, ask: SandboxClient) -> None:
    """Page 3 answers what page 2 has, and the first page itself."""
    first, second = (ask.get("/jobs", limit=5, page=page).ids for page in (1, 2))
    box.add_fault(Fault("previous_page", times=2))
    assert ask.get("/jobs", limit=5, page=3).ids == second
    assert ask.get("/jobs", limit=5, page=1).ids == first


def test_a_list_without_end_repeats_its_last_page(box: Sandbox, ask: SandboxClient) -> None:
    """Only pages behind the last one count, as often as the fault says."""
    box.add_fault(Fault("repeating_last_page", path="/jobs", times=2))
    pages = [ask.get("/jobs", limit=50, page=page).ids for page in range(1, 6)]
    last = max(place for place, ids in enumerate(pages[:2]) if ids)
    assert pages[last + 1] == pages[last + 2] == pages[last]
    assert pages[last + 3] == [] if last == 0 else ask.get("/jobs", limit=50, page=9).ids == []


@pytest.mark.parametrize(("way", "rows"), [("touch", 0), ("insert", 1), ("delete", -1)])
def test_rows_slide_before_the_page_is_read(box: Sandbox, ask: SandboxClient, way: Any, rows: int) -> None:
    """A touched row is newer, a copied one has the newest id, a deleted one is gone: the same one for a seed."""
    before = {row["id"]: row["updated_at"] for row in box.rows("jobs")}
    box.add_fault(Fault("concurrent_edit", path="/jobs", edit=way, seed=5))
    listed = set(ask.get("/jobs", limit=100, raw={"sort_by": "updated_at", "sort_dir": "desc"}).ids)
    after = {row["id"]: row["updated_at"] for row in box.rows("jobs")}
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


def test_rows_slide_below_their_parent(box: Sandbox, ask: SandboxClient) -> None:
    """In a list below a customer it is one of that customer's."""
    parent = box.rows("customer_contacts")[0]["customer_id"]
    others = [row for row in box.rows("customer_contacts") if row["customer_id"] != parent]
    path = f"/customers/{parent}/customer-contact"
    box.add_fault(Fault("concurrent_edit", path="/customers/*", edit="delete"))
    before = len([row for row in box.rows("customer_contacts") if row["customer_id"] == parent])
    assert len(ask.get(path).ids) == before - 1
    assert [row for row in box.rows("customer_contacts") if row["customer_id"] != parent] == others


@pytest.mark.parametrize("kind", sorted(LIST_FAULTS))
def test_what_befalls_lists_spares_the_rest(kind: Kind) -> None:
    """Rows by id and writes do not use it up."""
    faults = FaultQueue([Fault(kind)])
    for method, path in (("GET", "/jobs/7"), ("POST", "/jobs"), ("GET", "/version")):
        assert faults.next_for(method, path) is None
    taken = faults.next_at_end("/jobs") if kind == "repeating_last_page" else faults.next_for("GET", "/jobs")
    assert taken is not None
