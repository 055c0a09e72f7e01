"""The hook that lets a test change the account in the middle of a read."""

from __future__ import annotations

import threading

from fieldpulse_sandbox.sandbox import Sandbox
from fieldpulse_sandbox.server.recorded_request import RecordedRequest
from tests.sandbox.client import SandboxClient


def test_the_hook_sees_each_request_before_its_response(box: Sandbox, client: SandboxClient) -> None:
    """The request is recorded, without a status, and the hook runs in the server's thread."""
    seen: list[tuple[str, str, int | None]] = []

    def hook(request: RecordedRequest) -> None:
        assert box.requests[-1] is request
        seen.append((threading.current_thread().name, f"{request.method} {request.path}", request.status))

    box.on_request = hook
    assert client.get("/jobs", page=2).status == 200
    assert client("POST", "/tags", {"title": "VIP"}).status == 201
    assert client.get("/jobs", key="wrong").status == 403
    assert seen == [
        ("fieldpulse-sandbox", "GET /jobs", None),
        ("fieldpulse-sandbox", "POST /tags", None),
        ("fieldpulse-sandbox", "GET /jobs", None),
    ]
    assert [request.status for request in box.requests] == [200, 201, 403]


def test_the_hook_can_change_rows_in_the_middle_of_a_scan(box: Sandbox, client: SandboxClient) -> None:
    """Changes that the hook makes on the second page appear on that page."""
    before = [row["id"] for row in box.rows("customers")]
    created: list[int] = []

    def hook(request: RecordedRequest) -> None:
        if request.query.get("page") == "2":
            box.store.delete("customers", before[0])
            box.store.update("customers", before[11], {"notes": "Changed on the way."})
            created.append(box.store.create("customers", {"first_name": "Nova"})["id"])

    box.on_request = hook
    pages = [client.get("/customers", page=page, limit=10).rows for page in range(1, 7)]
    assert [row["id"] for row in pages[0]] == before[:10]
    assert [row["id"] for row in pages[1]] == before[11:21]  # row 10 moved to the first page
    assert pages[1][0]["notes"] == "Changed on the way."
    assert pages[-2][-1]["id"] == created[0]
    assert pages[-1] == []


def test_the_hook_can_be_removed(box: Sandbox, client: SandboxClient) -> None:
    """Set to None it is not called, and requests are still recorded."""
    calls: list[RecordedRequest] = []
    box.on_request = calls.append
    client.get("/jobs")
    box.on_request = None
    client.get("/jobs")
    assert len(calls) == 1
    assert len(box.requests) == 2
