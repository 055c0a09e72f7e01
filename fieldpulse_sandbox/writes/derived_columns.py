"""Effects of a write beyond the columns that it names: derived columns, and copies in other rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fieldpulse_sandbox.data.store import Store
from fieldpulse_sandbox.schema.table_shapes import BASE_CLASS, NOT_A_NUMBER, Row
from fieldpulse_sandbox.schema.timestamps import iso
from fieldpulse_sandbox.seed.billing import embedded_customer
from fieldpulse_sandbox.seed.reference import STATUS_CODES, status_id_of
from fieldpulse_sandbox.seed.work import COMPLETED

from .document_totals import document_values, payment_values, settle_invoice

Values = dict[str, Any]
NATIONAL_DIGITS, MAX_DIGITS = 10, 15
"""Digits of a number in North America, and the most that E.164 allows."""
Derive = Callable[[Store, Values, Row], Values]


def with_derived_columns(store: Store, name: str, values: Values, before: Row) -> Values:
    """Return the values of a write with the columns that follow from them. `before` is {} on create."""
    derive = DERIVED.get(name)
    if values.get("tags"):
        values = values | {"tags": list(dict.fromkeys(int(tag_id) for tag_id in values["tags"]))}
    return derive(store, values, before) if derive else values


def _customer(store: Store, values: Values, before: Row) -> Values:
    values = dict(values)
    if values.get("pipeline_status_id") and values["pipeline_status_id"] != before.get("pipeline_status_id"):
        values["pipeline_status_updated_at"] = store.now()
    after = before | values
    if not after.get("display_name"):
        names = (after.get("first_name"), after.get("last_name"))
        values["display_name"] = " ".join(name for name in names if name)
    display_name = values.get("display_name") or after.get("display_name") or ""
    values |= {"searchable": display_name, "sort_key": display_name.lower()}
    if "phone" in values:
        values |= _phone(values["phone"] or "")
    return values


def _phone(text: str) -> Values:
    """Return the columns that follow from a phone number: only one that can be dialled is valid."""
    digits = "".join(letter for letter in text if letter.isdigit())
    if not digits:
        return {**NOT_A_NUMBER, "has_valid_phone": None, "phone_validation_message": None}
    if text.startswith("+") and len(digits) <= MAX_DIGITS:
        e164 = f"+{digits}"
    elif len(digits.removeprefix("1")) == NATIONAL_DIGITS:
        e164 = f"+1{digits.removeprefix('1')}"
    else:
        return NOT_A_NUMBER
    valid = {"has_valid_phone": True, "phone_validation_message": None}
    return {"phone_e164": e164, "searchable_number": e164, **valid}


def _job(store: Store, values: Values, before: Row) -> Values:
    """Derive `status` from `status_id`, or the other way round; rows always have matching ones."""
    values = dict(values)
    statuses = store.tables["job_statuses"].rows
    if values.get("status_id") in statuses:
        values["status"] = STATUS_CODES.get(statuses[values["status_id"]]["type"], 1)
    elif values.get("status") or not before:
        values["status"] = values.get("status") or 1
        values["status_id"] = status_id_of(values["status"], statuses.values())
    if not before:
        values.setdefault("status_workflow_id", next(iter(store.tables["job_status_workflows"].rows), None))
    if values.get("status") == COMPLETED != before.get("status"):
        values["completed_at"] = iso(int(store.clock()))
    values = _with_assignments(store, values, "Job")
    if isinstance(values.get("assignments"), list):
        values["assignment_count"] = len(values["assignments"])
    return values


def _with_assignments(store: Store, values: Values, model: str) -> Values:
    """Return values whose assignments have ids and stamps."""
    if isinstance(values.get("assignments"), list):
        stamp = iso(int(store.clock()))
        base = {"company_id": store.company_id, "assignable_type": BASE_CLASS + model, "mongo_id": None}
        stamps = {"created_at": stamp, "updated_at": stamp}
        assignees = [
            {key: _integer_or_none(element.get(key)) for key in ("user_id", "team_id")}
            for element in values["assignments"]
        ]
        values["assignments"] = [base | assignee | stamps | {"id": store.next_element_id()} for assignee in assignees]
    return values


def _integer_or_none(value: Any) -> int | None:
    return None if value in (None, "") else int(value)


def _material_list(store: Store, values: Values) -> Values:
    """Return a material list whose lines have ids."""
    lines = values.get("items")
    return dict(values) | ({"items": [{"id": store.next_element_id()} | line for line in lines]} if lines else {})


def _custom_field(values: Values, before: Row) -> Values:
    """Return a definition with the second name of its object (observed), and settings, never null (assumed)."""
    settings = before.get("settings") or {"field_instance_id": None, "allowed_values": [], "default_value": None}
    written = {key: cell for key, cell in (values.get("settings") or {}).items() if key != "field_instance_id"}
    related = {"related_record_names": [values["object"]]} if values.get("object") else {}
    return values | related | {"settings": settings | written}


DERIVED: dict[str, Derive] = {
    "customers": _customer,
    "jobs": _job,
    "estimates": lambda store, values, before: _with_assignments(
        store, document_values(store, values, before), "Invoice"
    ),
    "invoices": lambda store, values, before: _with_assignments(
        store, document_values(store, values, before), "Invoice"
    ),
    "payments": payment_values,
    "custom_fields": lambda _, values, before: _custom_field(values, before),
    "subtasks": lambda store, values, _: _with_assignments(store, dict(values), "Subtask"),
    "projects": lambda store, values, _: _with_assignments(store, dict(values), "Project"),
    "material_lists": lambda store, values, _: _with_assignments(store, _material_list(store, values), "MaterialList"),
}


def update_dependents(store: Store, name: str, row: Row, *, sets_invoice_status: bool) -> None:
    """Copy a written or deleted row into the rows that embed it or sum it up."""
    if name == "payments":
        settle_invoice(store, row, sets_status=sets_invoice_status)
    elif name == "locations":
        _update_main_location(store, row)
    elif name == "customers":
        embedded = embedded_customer(row)
        for resource in ("estimates", "invoices"):
            for document in store.tables[resource].find("customer_id", row["id"]):
                store.patch(resource, document["id"], {"customer": embedded})


def _update_main_location(store: Store, location: Row) -> None:
    customer = store.find("customers", location["object_id"])
    if customer and location["is_main_location"] and str(location["object_type"]).endswith("Customer"):
        main_location = None if location["deleted_at"] else location
        store.patch("customers", customer["id"], {"main_location": main_location})
