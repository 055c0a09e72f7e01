"""The vendor's eleven webhook events: which change of a row causes one, and what its body says (contract 5)."""

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
"""What an event shows of its object, by resource (D)."""
TIMES = {"start_time": ("Start", "start"), "end_time": ("End", "end")}
"""Columns of jobs whose changes are events, as the trigger and as the message have them."""
FEW = ("id", "job_type", "updated_at")
"""What the events of times show (D)."""
LABELS = {code: name for name, *_, code in JOB_STATUSES}


def webhook_events(name: str, before: Row | None, after: Row, company: str, behaviour: Behaviour) -> Iterator[Event]:
    """Yield the bodies that a change of a row causes. `before` is None for a new row.

    Which of the two status events comes is assumed: that of the workflow where the row is in one.
    """
    if name not in FIELDS:
        return
    noun, plural = name.removesuffix("s").title(), name.upper()
    if before is None:
        yield _body(f"{noun} Created", f"CREATE ON {plural}", _shown(name, after, behaviour), company)
        return
    if before["status_id"] != after["status_id"]:
        flow = "Workflow " if after["status_workflow_id"] else ""
        data = _moved(before["status_id"], after["status_id"], _shown(name, after, behaviour))
        yield _body(f"{noun} {flow}Custom Status Update", f"UPDATE ON {plural} FOR status_id", data, company)
    for column, (word, field) in TIMES.items() if name == "jobs" else ():
        if before[column] != after[column]:
            data = _moved(before[column], after[column], {key: after[key] for key in FEW})
            yield _body(f"{noun} {word} Time Update", f"UPDATE ON {plural} FOR {field}", data, company)


def _body(trigger: str, message: str, data: Row, company: str) -> Event:
    return {"trigger": trigger, "message": message, "data": data, "company": company}


def _moved(old: Any, new: Any, shown: Row) -> Row:
    return {"old_value": old, "new_value": new, "object": shown}


def _shown(name: str, row: Row, behaviour: Behaviour) -> Row:
    """Return the documented fields: numbers as live (V), or texts as in the documents' examples (D)."""
    shown = {key: row[key] for key in FIELDS[name]}
    if behaviour.webhook_values == "documented":
        status = row["status"]
        shown["status"] = LABELS.get(status, str(status)) if name == "jobs" else str(status)
        if name == "jobs":
            shown["in_progress_status_log"] = json.dumps({"in_progress": row["in_progress_status_log"]})
    return shown
