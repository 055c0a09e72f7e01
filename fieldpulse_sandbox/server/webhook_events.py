"""The vendor's eleven webhook events: the change of a row that causes each, and its body (API facts 5)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from fieldpulse_sandbox.behaviour.switches import Behaviour
from fieldpulse_sandbox.schema.table_shapes import Row
from fieldpulse_sandbox.seed.reference import JOB_STATUSES

Event = dict[str, Any]
_DOCUMENT = (
    *("id", "customer_id", "author_id", "title", "status", "status_id", "status_workflow_id"),
    *("total", "subtotal", "tax", "discount", "updated_at"),
)
FIELDS: dict[str, tuple[str, ...]] = {
    "jobs": (
        *("id", "job_type", "customer_id", "status", "status_id", "status_workflow_id"),
        *("in_progress_status_log", "updated_at"),
    ),
    "estimates": _DOCUMENT,
    "invoices": _DOCUMENT,
}
"""Columns of the object in an event, by resource (documented)."""
TIME_COLUMNS = {"start_time": ("Start", "start"), "end_time": ("End", "end")}
"""Columns of jobs whose changes cause events: their names in the trigger and in the message."""
TIME_EVENT_FIELDS = ("id", "job_type", "updated_at")
"""Columns of the object in events of times (documented)."""
STATUS_LABELS = {code: name for name, *_, code in JOB_STATUSES}


def webhook_events(name: str, before: Row | None, after: Row, company: str, behaviour: Behaviour) -> Iterator[Event]:
    """Yield the bodies that a change of a row causes. `before` is None for a new row.

    There are two status events. Assumed: a row in a workflow causes that of the workflow.
    """
    if name not in FIELDS:
        return
    noun, plural = name.removesuffix("s").title(), name.upper()
    if before is None:
        yield _body(f"{noun} Created", f"CREATE ON {plural}", _object(name, after, behaviour), company)
        return
    if before["status_id"] != after["status_id"]:
        workflow = "Workflow " if after["status_workflow_id"] else ""
        data = _change(before["status_id"], after["status_id"], _object(name, after, behaviour))
        yield _body(f"{noun} {workflow}Custom Status Update", f"UPDATE ON {plural} FOR status_id", data, company)
    for column, (word, field) in TIME_COLUMNS.items() if name == "jobs" else ():
        if before[column] != after[column]:
            data = _change(before[column], after[column], {key: after[key] for key in TIME_EVENT_FIELDS})
            yield _body(f"{noun} {word} Time Update", f"UPDATE ON {plural} FOR {field}", data, company)


def _body(trigger: str, message: str, data: Row, company: str) -> Event:
    return {"trigger": trigger, "message": message, "data": data, "company": company}


def _change(old: Any, new: Any, obj: Row) -> Row:
    return {"old_value": old, "new_value": new, "object": obj}


def _object(name: str, row: Row, behaviour: Behaviour) -> Row:
    """Return the documented columns: numbers as live (verified), or texts as in the documentation's examples."""
    cells = {key: row[key] for key in FIELDS[name]}
    if behaviour.webhook_values == "documented":
        status = row["status"]
        cells["status"] = STATUS_LABELS.get(status, str(status)) if name == "jobs" else str(status)
        if name == "jobs":
            cells["in_progress_status_log"] = json.dumps({"in_progress": row["in_progress_status_log"]})
    return cells
