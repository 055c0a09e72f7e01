"""Webhooks from end to end: a change is posted, received, read by id, and emitted."""

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
def test_a_row_that_a_delivery_names_is_read_by_id(tmp_path: Path, types: Any, is_signed: bool) -> None:
    """Deliveries are signed or not, have observed or documented values, and are sent twice."""
    store = f"sqlite:///{tmp_path}/store.db"
    behaviour = Behaviour(webhook_values=types, webhook_signature=is_signed, webhook_duplicates=True)
    secret = {"webhook_secret": SECRET} if is_signed else {}
    with (
        run_receiver(store, **secret) as receiver,
        Sandbox(customers=20, behaviour=behaviour, webhook_url=receiver.url) as sandbox,
    ):
        config = {
            "api_key": sandbox.key,
            "api_url": sandbox.url,
            "requests_per_second": 50,
            "rate_limit_store": "memory",
        }
        config |= {"snapshot_url": store, "webhook_token": TOKEN}
        streams = ("jobs", "estimates", "invoices", "webhook_events")
        state = run_tap(config, *streams).state
        job, estimate = (sandbox.rows(name)[0]["id"] for name in streams[:2])
        sandbox.store.update("jobs", job, {"start_time": "2026-12-01 08:00:00", "status_id": 999_999})
        sandbox.store.update("estimates", estimate, {"status_id": 999_999})
        created_id = sandbox.store.create("invoices", {"title": "Born", "customer_id": 1})["id"]
        assert sandbox.webhook_sender
        sandbox.webhook_sender.flush()
        assert {attempt.status for attempt in sandbox.webhook_sender.attempts} == {200}
        sandbox.requests.clear()
        emitted = run_tap(config, *streams, state=state)
        paths = [request.path for request in sandbox.requests]
        assert receiver.stop(signal.SIGTERM) == 143
    assert [(row["event"], row["object_id"]) for row in emitted.records["webhook_events"]] == [
        ("job_workflow_custom_status_update", job),
        ("job_start_time_update", job),
        ("estimate_workflow_custom_status_update", estimate),
        ("invoice_created", created_id),
    ]
    for name, row_id in (("jobs", job), ("estimates", estimate), ("invoices", created_id)):
        assert paths.index(f"/{name}/{row_id}") < paths.index(f"/{name}")
        assert emitted.ids(name)[0] == row_id
        assert emitted.ids(name).count(row_id) == 1
