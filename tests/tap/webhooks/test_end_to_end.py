"""The whole way: a change in the account is posted, received, read by id, and emitted."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from fieldpulse_sandbox.behaviour.switches import Behaviour
from fieldpulse_sandbox.sandbox import Sandbox
from fieldpulse_sandbox.server.webhook_sender import SECRET
from tests.harness.receiver import TOKEN, run_receiver
from tests.harness.tap_runner import run_tap


@pytest.mark.parametrize("types", ["live", "documented"])
@pytest.mark.parametrize("is_signed", [True, False])
def test_a_change_that_was_posted_is_read_by_id(tmp_path: Path, types: Any, is_signed: bool) -> None:
    """Signed or not, as seen live or as documented, and although each delivery comes twice."""
    store = f"sqlite:///{tmp_path}/store.db"
    behaviour = Behaviour(webhook_values=types, webhook_signature=is_signed, webhook_duplicates=True)
    secret = {"webhook_secret": SECRET} if is_signed else {}
    with (
        run_receiver(store, **secret) as receiver,
        Sandbox(customers=20, behaviour=behaviour, webhook_url=receiver.url) as box,
    ):
        config = {"api_key": box.key, "api_url": box.url, "requests_per_second": 50, "rate_limit_store": "memory"}
        config |= {"snapshot_url": store, "webhook_token": TOKEN}
        streams = ("jobs", "estimates", "invoices", "webhook_events")
        state = run_tap(config, *streams).state
        job, estimate = (box.rows(name)[0]["id"] for name in streams[:2])
        box.store.update("jobs", job, {"start_time": "2026-12-01 08:00:00", "status_id": 999_999})
        box.store.update("estimates", estimate, {"status_id": 999_999})
        born = box.store.create("invoices", {"title": "Born", "customer_id": 1})["id"]
        assert box.webhook_sender
        box.webhook_sender.flush()
        assert {attempt.status for attempt in box.webhook_sender.attempts} == {200}
        box.requests.clear()
        emitted = run_tap(config, *streams, state=state)
        paths = [request.path for request in box.requests]
        assert receiver.stop(signal.SIGTERM) == 143
    assert [(row["event"], row["object_id"]) for row in emitted.records["webhook_events"]] == [
        ("job_workflow_custom_status_update", job),
        ("job_start_time_update", job),
        ("estimate_workflow_custom_status_update", estimate),
        ("invoice_created", born),
    ]
    for name, number in (("jobs", job), ("estimates", estimate), ("invoices", born)):
        assert paths.index(f"/{name}/{number}") < paths.index(f"/{name}")
        assert emitted.ids(name)[0] == number
        assert emitted.ids(name).count(number) == 1
