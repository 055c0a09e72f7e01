"""The hook that lets a test change the account in the middle of a read."""

from __future__ import annotations

import threading

from fieldpulse_sandbox.sandbox import Sandbox
from fieldpulse_sandbox.server.recorded_request import RecordedRequest
from tests.sandbox.client import SandboxClient


def test_the_hook_sees_each_request_before_its_response(sandbox: Sandbox, client: SandboxClient) -> None:
    """The request is recorded, without a status, and the hook runs in the server's thread."""
    seen: list[tuple[str, str, int | None]] = []

    def hook(request: RecordedRequest) -> None:
        assert sandbox.requests[-1] is request
        seen.append((threading.current_thread().name, f"{request.method} {request.path}", request.status))

    sandbox.on_request = hook
    assert client.get("/jobs", page=2).status == 200
    assert client("POST", "/tags", {"title": "VIP"}).status == 201
    assert client.get("/jobs", key="wrong").status == 403
    assert seen == [
        ("fieldpulse-sandbox", "GET /jobs", None),
        ("fieldpulse-sandbox", "POST /tags", None),
        ("fieldpulse-sandbox", "GET /jobs", None),
    ]
    assert [request.status for request in sandbox.requests] == [200, 201, 403]


def test_the_hook_can_change_rows_in_the_middle_of_a_scan(sandbox: Sandbox, client: SandboxClient) -> None:
    """Changes that the hook makes on the second page appear on that page."""
    before = [row["id"] for row in sandbox.rows("customers")]
    created: list[int] = []

    def hook(request: RecordedRequest) -> None:
        if request.query.get("page") == "2":
            sandbox.store.delete("customers", before[0])
            sandbox.store.update("customers", before[11], {"notes": "Changed on the way."})
            created.append(sandbox.store.create("customers", {"first_name": "Nova"})["id"])

    sandbox.on_request = hook
    pages = [client.get("/customers", page=page, limit=10).rows for page in range(1, 7)]
    assert [row["id"] for row in pages[0]] == before[:10]
    assert [row["id"] for row in pages[1]] == before[11:21]  # row 10 moved to the first page
    assert pages[1][0]["notes"] == "Changed on the way."
    assert pages[-2][-1]["id"] == created[0]
    assert pages[-1] == []


def test_the_hook_can_be_removed(sandbox: Sandbox, client: SandboxClient) -> None:
    """Set to None it is not called, and requests are still recorded."""
    calls: list[RecordedRequest] = []
    sandbox.on_request = calls.append
    client.get("/jobs")
    sandbox.on_request = None
    client.get("/jobs")
    assert len(calls) == 1
    assert len(sandbox.requests) == 2
