"""The hook by which a test acts in the middle of a walk."""

from __future__ import annotations

import threading

from fieldpulse_sandbox.sandbox import Sandbox
from fieldpulse_sandbox.server.recorded_request import RecordedRequest
from tests.sandbox.client import SandboxClient


def test_each_request_is_watched_before_it_is_answered(box: Sandbox, ask: SandboxClient) -> None:
    """The hook sees it recorded, unanswered, with its query and body, in the server's thread."""
    seen: list[tuple[str, str, int | None]] = []

    def watch(request: RecordedRequest) -> None:
        assert box.requests[-1] is request
        seen.append((threading.current_thread().name, f"{request.method} {request.path}", request.status))

    box.on_request = watch
    assert ask.get("/jobs", page=2).status == 200
    assert ask("POST", "/tags", {"title": "VIP"}).status == 201
    assert ask.get("/jobs", key="wrong").status == 403
    assert seen == [
        ("fieldpulse-sandbox", "GET /jobs", None),
        ("fieldpulse-sandbox", "POST /tags", None),
        ("fieldpulse-sandbox", "GET /jobs", None),
    ]
    assert [request.status for request in box.requests] == [200, 201, 403]


def test_rows_may_go_and_come_in_the_middle_of_a_walk(box: Sandbox, ask: SandboxClient) -> None:
    """What the hook deletes, inserts and changes on the second page shows on that page already."""
    before = [row["id"] for row in box.rows("customers")]
    made: list[int] = []

    def watch(request: RecordedRequest) -> None:
        if request.query.get("page") == "2":
            box.store.delete("customers", before[0])
            box.store.update("customers", before[11], {"notes": "Changed on the way."})
            made.append(box.store.create("customers", {"first_name": "Nova"})["id"])

    box.on_request = watch
    pages = [ask.get("/customers", page=page, limit=10).rows for page in range(1, 7)]
    assert [row["id"] for row in pages[0]] == before[:10]
    assert [row["id"] for row in pages[1]] == before[11:21]  # the one in between slid to the page read before
    assert pages[1][0]["notes"] == "Changed on the way."
    assert pages[-2][-1]["id"] == made[0]
    assert pages[-1] == []


def test_the_hook_may_be_taken_away(box: Sandbox, ask: SandboxClient) -> None:
    """Set to None it is called no more, and requests are still recorded."""
    calls: list[RecordedRequest] = []
    box.on_request = calls.append
    ask.get("/jobs")
    box.on_request = None
    ask.get("/jobs")
    assert len(calls) == 1
    assert len(box.requests) == 2
