"""Webhooks: the events that changes cause, their bodies, and their delivery."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from fieldpulse_sandbox.behaviour.switches import Behaviour
from fieldpulse_sandbox.data.store import Store
from fieldpulse_sandbox.sandbox import Sandbox
from fieldpulse_sandbox.seed import build_account
from fieldpulse_sandbox.server.webhook_sender import SECRET, WebhookSender
from tests.sandbox.client import SandboxClient

DOCUMENT = {
    *("id", "customer_id", "author_id", "title", "status", "status_id", "status_workflow_id"),
    *("total", "subtotal", "tax", "discount", "updated_at"),
}
JOB = {
    *("id", "job_type", "customer_id", "status", "status_id", "status_workflow_id"),
    *("in_progress_status_log", "updated_at"),
}


@dataclass
class WebhookReceiver:
    """Records webhooks. `statuses` are its responses in order, the last one repeated; 0 drops the connection."""

    url: str = ""
    statuses: list[int] = field(default_factory=lambda: [200])
    bodies: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)

    @property
    def events(self) -> list[Any]:
        """Return the received events."""
        return [json.loads(body) for body in self.bodies]

    @property
    def triggers(self) -> list[str]:
        """Return the triggers of the received events."""
        return [event["trigger"] for event in self.events]


@contextmanager
def _receiving(*statuses: int) -> Iterator[WebhookReceiver]:
    receiver = WebhookReceiver(statuses=list(statuses) or [200])

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            receiver.bodies.append(self.rfile.read(int(self.headers["content-length"])))
            receiver.headers.append({name.lower(): value for name, value in self.headers.items()})
            receiver.paths.append(self.path)
            status = receiver.statuses[0] if len(receiver.statuses) == 1 else receiver.statuses.pop(0)
            if status:
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver.url = f"http://127.0.0.1:{server.server_port}/hook?token=t"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()


def _delivered(sandbox: Sandbox) -> None:
    assert sandbox.webhook_sender
    sandbox.webhook_sender.flush()


@pytest.mark.parametrize(
    ("path", "name", "body", "fields"),
    [
        ("/jobs", "jobs", {"job_type": "Repair", "billing": 1}, JOB),
        ("/estimates", "estimates", {"status": 1, "line_items": []}, DOCUMENT),
        ("/invoices", "invoices", {"status": 2, "line_items": []}, DOCUMENT),
    ],
)
def test_a_create_causes_an_event_with_the_documented_fields(
    path: str, name: str, body: dict[str, Any], fields: set[str]
) -> None:
    """The data is the bare object, posted as JSON to the complete URL."""
    with _receiving() as receiver, Sandbox(customers=10, webhook_url=receiver.url) as sandbox:
        created = SandboxClient(sandbox)("POST", path, {"customer_id": sandbox.rows("customers")[0]["id"], **body}).rows
        _delivered(sandbox)
        company = sandbox.rows("company_profiles")[0]
    (event,) = receiver.events
    noun = name.removesuffix("s").title()
    assert (event["trigger"], event["message"]) == (f"{noun} Created", f"CREATE ON {name.upper()}")
    assert event["data"] == {key: created[key] for key in fields}
    assert event["company"] == f"FieldPulse_{company['title']}_{company['id']}"
    assert receiver.paths == ["/hook?token=t"]
    assert receiver.headers[0]["content-type"] == receiver.headers[0]["accept"] == "application/json"


@pytest.mark.parametrize("name", ["jobs", "estimates", "invoices"])
@pytest.mark.parametrize(("flow", "word"), [(7, "Workflow "), (None, "")])
def test_a_status_change_causes_an_event_with_both_values(name: str, flow: int | None, word: str) -> None:
    """A row in a workflow causes the event of workflows; the values are ids of statuses."""
    with _receiving() as receiver, Sandbox(customers=10, webhook_url=receiver.url) as sandbox:
        row = sandbox.rows(name)[0]
        sandbox.store.patch(name, row["id"], {"status_workflow_id": flow})
        sandbox.store.update(name, row["id"], {"status_id": 77})
        _delivered(sandbox)
    (event,) = receiver.events
    noun = name.removesuffix("s").title()
    assert event["trigger"] == f"{noun} {word}Custom Status Update"
    assert event["message"] == f"UPDATE ON {name.upper()} FOR status_id"
    assert set(event["data"]) == {"old_value", "new_value", "object"}
    assert (event["data"]["old_value"], event["data"]["new_value"]) == (row["status_id"], 77)
    assert set(event["data"]["object"]) == (JOB if name == "jobs" else DOCUMENT)
    assert event["data"]["object"]["status_id"] == 77


def test_a_time_change_causes_an_event_with_few_fields() -> None:
    """A PUT of both times causes two events."""
    with _receiving() as receiver, Sandbox(customers=10, webhook_url=receiver.url) as sandbox:
        row = next(row for row in sandbox.rows("jobs") if row["start_time"])
        required = {key: row[key] for key in ("customer_id", "job_type", "billing")}
        times = {"start_time": 1_777_651_200, "end_time": 1_777_654_800}
        assert SandboxClient(sandbox)("PUT", f"/jobs/{row['id']}", required | times).status == 200
        _delivered(sandbox)
    start, end = receiver.events
    assert (start["trigger"], start["message"]) == ("Job Start Time Update", "UPDATE ON JOBS FOR start")
    assert (end["trigger"], end["message"]) == ("Job End Time Update", "UPDATE ON JOBS FOR end")
    assert (start["data"]["old_value"], start["data"]["new_value"]) == (row["start_time"], "2026-05-01 16:00:00")
    assert set(end["data"]["object"]) == {"id", "job_type", "updated_at"}


def test_other_changes_cause_no_event() -> None:
    """Other columns, other resources, stamps alone, and deletes cause no event."""
    with _receiving() as receiver, Sandbox(customers=10, webhook_url=receiver.url) as sandbox:
        job = sandbox.rows("jobs")[0]["id"]
        sandbox.store.update("jobs", job, {"notes": "Moved."})
        sandbox.store.update("jobs", job, {})
        SandboxClient(sandbox)("POST", "/customers", {"first_name": "Nova"})
        SandboxClient(sandbox)("DELETE", f"/jobs/{job}")
        _delivered(sandbox)
    assert receiver.bodies == []


def test_a_refused_update_causes_no_event() -> None:
    """A write that was not stored causes no event."""
    with _receiving() as receiver, Sandbox(customers=10, webhook_url=receiver.url) as sandbox:
        assert SandboxClient(sandbox)("POST", "/jobs", {"job_type": "Repair"}).status == 400
        _delivered(sandbox)
    assert receiver.bodies == []


def test_statuses_are_numbers_or_documented_texts() -> None:
    """Live, a status is a number and a log is seconds; the documentation shows a text and a JSON string."""
    for types, status, log in (("live", 4, 5400), ("documented", "Completed", '{"in_progress": 5400}')):
        behaviour = Behaviour(webhook_values=types)  # type: ignore[arg-type]
        with _receiving() as receiver, Sandbox(customers=10, behaviour=behaviour, webhook_url=receiver.url) as sandbox:
            row = sandbox.rows("jobs")[0]
            sandbox.store.update("jobs", row["id"], {"status": 4, "status_id": 77, "in_progress_status_log": 5400})
            sandbox.store.update("invoices", sandbox.rows("invoices")[0]["id"], {"status": 3, "status_id": 78})
            _delivered(sandbox)
        job, invoice = (event["data"]["object"] for event in receiver.events)
        assert (job["status"], job["in_progress_status_log"]) == (status, log)
        assert invoice["status"] == (3 if types == "live" else "3")


@pytest.mark.parametrize("is_signed", [False, True])
def test_a_delivery_can_be_signed(is_signed: bool) -> None:
    """The signature is the base64 of the raw HMAC-SHA256 of the body."""
    behaviour = Behaviour(webhook_signature=is_signed)
    with _receiving() as receiver, Sandbox(customers=10, behaviour=behaviour, webhook_url=receiver.url) as sandbox:
        sandbox.store.update("jobs", sandbox.rows("jobs")[0]["id"], {"status_id": 77})
        _delivered(sandbox)
    digest = hmac.new(SECRET.encode(), receiver.bodies[0], hashlib.sha256).digest()
    assert receiver.headers[0].get("x-encrypted-data") == (base64.b64encode(digest).decode() if is_signed else None)


def test_a_delivery_can_be_duplicated() -> None:
    """With the switch each delivery is sent twice."""
    with (
        _receiving() as receiver,
        Sandbox(customers=10, behaviour=Behaviour(webhook_duplicates=True), webhook_url=receiver.url) as sandbox,
    ):
        sandbox.store.update("jobs", sandbox.rows("jobs")[0]["id"], {"status_id": 77})
        _delivered(sandbox)
    assert len(receiver.bodies) == 2
    assert receiver.bodies[0] == receiver.bodies[1]


@pytest.mark.parametrize(
    ("statuses", "tries"),
    [
        ((200,), [200]),
        ((500, 200), [500, 200]),
        ((0, 204), [None, 204]),
        ((503,), [503] * 4),
        ((404, 500, 200), [404, 500, 200]),
    ],
)
def test_a_failed_delivery_is_retried_three_times(statuses: tuple[int, ...], tries: list[int | None]) -> None:
    """An error or a missing response is a failure. After the fourth attempt the next delivery follows."""
    store = Store(build_account(10))
    with _receiving(*statuses) as receiver:
        sender = WebhookSender(store, Behaviour(), receiver.url, pause_seconds=0.01)
        sender.start()
        store.update("jobs", store.rows("jobs")[0]["id"], {"status_id": 77})
        sender.flush()
        receiver.statuses = [200]
        store.update("jobs", store.rows("jobs")[0]["id"], {"status_id": 78})
        sender.flush()
        sender.close()
    assert [attempt.status for attempt in sender.attempts] == [*tries, 200]
    assert len(set(receiver.bodies)) == 2


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/\xe9", "http://x..y/", "http://127.0.0.1:port/", "http://x\0y/"])
def test_an_unusable_url_does_not_end_the_thread(url: str) -> None:
    """Each delivery is attempted and given up, and so are those behind it."""
    store = Store(build_account(10))
    sender = WebhookSender(store, Behaviour(), url, pause_seconds=0)
    sender.start()
    for number in (77, 78):
        store.update("jobs", store.rows("jobs")[0]["id"], {"status_id": number})
    sender.flush()
    sender.close()
    assert [attempt.status for attempt in sender.attempts] == [None] * 8


def test_no_response_waits_for_an_absent_receiver() -> None:
    """The sandbox stops without waiting for the attempts."""
    with Sandbox(customers=10, webhook_url="http://127.0.0.1:9/hook") as sandbox:
        for number in range(50):
            sandbox.store.update("jobs", sandbox.rows("jobs")[0]["id"], {"status_id": number})
        assert SandboxClient(sandbox).get("/jobs").status == 200
        assert sandbox.webhook_sender
    assert len(sandbox.webhook_sender.attempts) < 50


def test_without_a_url_no_webhook_is_sent() -> None:
    """A sandbox has a sender only with a webhook URL."""
    assert Sandbox(customers=3).webhook_sender is None
