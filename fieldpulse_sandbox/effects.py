"""What a write changes besides the columns it names: derived columns, embedded rows, the amounts of invoices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .custom_values import merged
from .moments import iso
from .seed import Row
from .seed.billing import money, settle, small_customer
from .seed.reference import JOB_STATUSES
from .seed.shapes import BASE_CLASS, COMPANY_ID
from .seed.work import DONE
from .store import Store

Values = dict[str, Any]
NATIONAL_DIGITS = 10
Derive = Callable[[Store, Values, Row], Values]


def derived(store: Store, name: str, values: Values, before: Row) -> Values:
    """Return the values of a write with the columns that follow from them. `before` is {} on create."""
    derive = DERIVED.get(name)
    values = derive(store, values, before) if derive else values
    return merged(store, name, values, before)


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
        given = [one for one in values["assignments"] if isinstance(one, dict)]
        values["assignments"] = [base | {"user_id": None, "team_id": None} | one | stamps for one in given]
    return values


def _document(store: Store, values: Values, before: Row) -> Values:
    values = dict(values)
    customer = store.find("customers", values.get("customer_id"))
    if customer:
        values["customer"] = small_customer(customer)
    if isinstance(values.get("line_items"), list):
        lines = [line for line in values["line_items"] if isinstance(line, dict)]
        parts = [part for line in lines for part in line.get("line_components") or () if isinstance(part, dict)]
        cents = sum(round(_amount(part.get("quantity")) * _amount(part.get("unit_price")) * 100) for part in parts)
        paid = round(_amount(before.get("amount_paid")) * 100)
        values |= dict.fromkeys(("subtotal", "subtotal_discounted"), money(cents, 6))
        values |= dict.fromkeys(("total", "service_price"), money(cents))
        values["amount_unpaid"] = money(max(0, cents - paid))
    return values


def _payment(store: Store, values: Values, _: Row) -> Values:
    values = dict(values)
    if "amount" in values:
        values["amount"] = money(round(_amount(values["amount"]) * 100))
    invoice = store.find("invoices", values.get("invoice_id"))
    return values | {"customer_id": invoice["customer_id"]} if invoice else values


def _amount(value: object) -> float:
    try:
        return float(str(value))
    except ValueError:
        return 0.0


DERIVED: dict[str, Derive] = {
    "customers": _customer,
    "jobs": _job,
    "estimates": _document,
    "invoices": _document,
    "payments": _payment,
    "subtasks": lambda store, values, _: _assigned(store, dict(values), "Subtask"),
    "projects": lambda store, values, _: _assigned(store, dict(values), "Project"),
    "material_lists": lambda store, values, _: _assigned(store, dict(values), "MaterialList"),
}


def spread(store: Store, name: str, row: Row) -> None:
    """Carry a written or deleted row into the rows that show it."""
    if name == "payments":
        _spread_payment(store, row)
    elif name == "locations":
        _spread_location(store, row)
    elif name == "customers":
        small = small_customer(row)
        for target in ("estimates", "invoices"):
            for shown in store.tables[target].having("customer_id", row["id"]):
                store.patch(target, shown["id"], {"customer": small})


def _spread_payment(store: Store, row: Row) -> None:
    invoice = store.find("invoices", row["invoice_id"])
    if invoice:
        settled = dict(invoice)
        settle(settled, store.tables["payments"].having("invoice_id", invoice["id"]))
        store.update("invoices", invoice["id"], settled)


def _spread_location(store: Store, row: Row) -> None:
    customer = store.find("customers", row["object_id"])
    if customer and row["is_main_location"] and str(row["object_type"]).endswith("Customer"):
        shown = None if row["deleted_at"] else row
        store.patch("customers", customer["id"], {"main_location": shown})
