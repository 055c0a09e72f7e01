"""What a write changes besides the columns it names: derived columns, embedded rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fieldpulse_sandbox.data.store import Store
from fieldpulse_sandbox.schema.table_shapes import BASE_CLASS, COMPANY_ID, Row
from fieldpulse_sandbox.schema.timestamps import iso
from fieldpulse_sandbox.seed.billing import small_customer
from fieldpulse_sandbox.seed.reference import JOB_STATUSES
from fieldpulse_sandbox.seed.work import DONE

from .document_totals import document, payment, settle_invoice

Values = dict[str, Any]
NATIONAL_DIGITS = 10
Derive = Callable[[Store, Values, Row], Values]


def with_derived_columns(store: Store, name: str, values: Values, before: Row) -> Values:
    """Return the values of a write with the columns that follow from them. `before` is {} on create."""
    derive = DERIVED.get(name)
    if values.get("tags"):
        values = values | {"tags": list(dict.fromkeys(int(number) for number in values["tags"]))}
    return derive(store, values, before) if derive else values


def _customer(store: Store, values: Values, before: Row) -> Values:
    values = dict(values)
    if values.get("pipeline_status_id") and values["pipeline_status_id"] != before.get("pipeline_status_id"):
        values["pipeline_status_updated_at"] = store.now()
    after = before | values
    if not after.get("display_name"):
        names = (after.get("first_name"), after.get("last_name"))
        values["display_name"] = " ".join(name for name in names if name)
    shown = values.get("display_name") or after.get("display_name") or ""
    values |= {"searchable": shown, "sort_key": shown.lower()}
    if "phone" in values:
        digits = "".join(letter for letter in values["phone"] or "" if letter.isdigit())
        number = f"+{digits}" if len(digits) > NATIONAL_DIGITS else f"+1{digits}" if digits else None
        values |= {"phone_e164": number, "searchable_number": number, "has_valid_phone": bool(digits) or None}
    return values


def _job(store: Store, values: Values, before: Row) -> Values:
    values = dict(values)
    statuses = list(store.tables["job_statuses"].rows)
    known = [code for *_, code in JOB_STATUSES]
    if values.get("status_id") in statuses:
        values["status"] = known[statuses.index(values["status_id"])]
    elif values.get("status") or not before:
        values["status"] = values.get("status") or 1
        values["status_id"] = statuses[known.index(values["status"])]
    if not before:
        values.setdefault("status_workflow_id", next(iter(store.tables["job_status_workflows"].rows)))
    if values.get("status") == DONE != before.get("status"):
        values["completed_at"] = iso(int(store.clock()))
    values = _assigned(store, values, "Job")
    if isinstance(values.get("assignments"), list):
        values["assignment_count"] = len(values["assignments"])
    return values


def _assigned(store: Store, values: Values, model: str) -> Values:
    if isinstance(values.get("assignments"), list):
        stamp = iso(int(store.clock()))
        base = {"company_id": COMPANY_ID, "assignable_type": BASE_CLASS + model, "mongo_id": None}
        stamps = {"created_at": stamp, "updated_at": stamp}
        who = [{key: _number(one.get(key)) for key in ("user_id", "team_id")} for one in values["assignments"]]
        values["assignments"] = [base | one | stamps | {"id": store.next_element_id()} for one in who]
    return values


def _number(given: Any) -> int | None:
    return None if given in (None, "") else int(given)


def _listed(store: Store, values: Values) -> Values:
    """Return a material list whose lines have ids."""
    lines = values.get("items")
    return dict(values) | ({"items": [{"id": store.next_element_id()} | line for line in lines]} if lines else {})


def _defined(values: Values, before: Row) -> Values:
    """Return a definition with the second name of its object (V*), and settings that are never null (assumed)."""
    settings = before.get("settings") or {"field_instance_id": None, "allowed_values": [], "default_value": None}
    given = {key: cell for key, cell in (values.get("settings") or {}).items() if key != "field_instance_id"}
    named = {"related_record_names": [values["object"]]} if values.get("object") else {}
    return values | named | {"settings": settings | given}


DERIVED: dict[str, Derive] = {
    "customers": _customer,
    "jobs": _job,
    "estimates": lambda store, values, before: _assigned(store, document(store, values, before), "Invoice"),
    "invoices": lambda store, values, before: _assigned(store, document(store, values, before), "Invoice"),
    "payments": payment,
    "custom_fields": lambda _, values, before: _defined(values, before),
    "subtasks": lambda store, values, _: _assigned(store, dict(values), "Subtask"),
    "projects": lambda store, values, _: _assigned(store, dict(values), "Project"),
    "material_lists": lambda store, values, _: _assigned(store, _listed(store, values), "MaterialList"),
}


def update_dependents(store: Store, name: str, row: Row) -> None:
    """Carry a written or deleted row into the rows that show it."""
    if name == "payments":
        settle_invoice(store, row)
    elif name == "locations":
        _spread_location(store, row)
    elif name == "customers":
        small = small_customer(row)
        for target in ("estimates", "invoices"):
            for shown in store.tables[target].find("customer_id", row["id"]):
                store.patch(target, shown["id"], {"customer": small})


def _spread_location(store: Store, row: Row) -> None:
    customer = store.find("customers", row["object_id"])
    if customer and row["is_main_location"] and str(row["object_type"]).endswith("Customer"):
        shown = None if row["deleted_at"] else row
        store.patch("customers", customer["id"], {"main_location": shown})
