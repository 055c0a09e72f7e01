"""Estimates, invoices and payments. Amounts are whole cents here, and text in the rows."""

from __future__ import annotations

from fieldpulse_sandbox.schema.table_shapes import BASE_CLASS, Row
from fieldpulse_sandbox.schema.timestamps import EPOCH, YEAR, bare, unix_from_bare

from .draft import AccountDraft

DAY = 86_400
METHODS = ("cash", "check", "card", "bank_transfer", "other")
ESTIMATE_STATUSES = (("Sent", "estimate_sent"), ("Accepted", "estimate_accepted"), ("Lost", "estimate_lost"))
EMBEDDED_CUSTOMER = [
    "id",
    "company_id",
    "cuid",
    "first_name",
    "last_name",
    "company_name",
    "display_name",
    "email",
    "phone",
    "phone_e164",
    "account_type",
    "status",
]


def money(cents: int, places: int = 2) -> str:
    """Return cents as the text of a decimal with `places` decimal places."""
    whole, rest = divmod(abs(cents), 100)
    return f"{'-' if cents < 0 else ''}{whole}.{rest:02d}" + "0" * (places - 2)


def cents_of(amount: str) -> int:
    """Return the text of a decimal as whole cents."""
    return round(float(amount) * 100)


def embedded_customer(row: Row) -> Row:
    """Return the customer that an estimate or invoice embeds."""
    return {key: row[key] for key in EMBEDDED_CUSTOMER}


def add_billing(draft: AccountDraft) -> None:
    """Add imported invoices, then estimates and invoices of jobs, oldest first, then payments."""
    customers = {row["id"]: row for row in draft.rows["customers"]}
    imported = draft.customers // 5
    for _ in range(imported):
        _add_import(draft, draft.rng.choice(draft.rows["customers"]))
    jobs = draft.rows["jobs"]
    billed = draft.rng.sample(jobs, min(len(jobs), draft.customers - imported))
    quoted = draft.rng.sample(jobs, min(len(jobs), draft.customers // 2))
    plans = [(unix_from_bare(job["created_at"]), job["id"], "invoices", job) for job in billed]
    plans += [(unix_from_bare(job["created_at"]), job["id"], "estimates", job) for job in quoted]
    for created, _, name, job in sorted(plans, key=lambda plan: plan[:3]):
        document = _add_document(draft, name, customers[job["customer_id"]], created, job)
        if name == "invoices":
            _settle_job(job, document)
    _add_payments(draft)


def _settle_job(job: Row, invoice: Row) -> None:
    job["invoice_status"] = invoice["status"]
    job["total_price"] = invoice["total"]


def _add_import(draft: AccountDraft, customer: Row) -> None:
    """Add an invoice of the QuickBooks import: all of them have the same `created_at` (verified)."""
    row = _add_document(draft, "invoices", customer, EPOCH - YEAR, None)
    row |= {"qb_originated": True, "qbo_id": 10_000 + row["cuid"], "status": 3}
    row["invoiced_date"] = bare(EPOCH - YEAR - draft.rng.randrange(1, 900) * DAY)


def _add_document(draft: AccountDraft, name: str, customer: Row, created: int, job: Row | None) -> Row:
    lines, cents = _lines(draft)
    is_estimate = name == "estimates"
    row = draft.add(
        name,
        created,
        draft.past(created) if job else created,
        author_id=draft.rows["users"][0]["id"],
        customer_id=customer["id"],
        customer=embedded_customer(customer),
        job_id=job["id"] if job and draft.chance(0.8) else None,
        contract_id=draft.maybe_id("contracts", 0.2),
        status=1 if is_estimate else draft.rng.choice((2, 3, 3, 3, 3)),
        title=job["job_type"] if job else draft.rng.choice(("", None)),
        notes=draft.rng.choice(("", None)),
        invoiced_date=bare(created + DAY),
        due_date=bare((created // DAY + 31) * DAY + 13 * 3600),
        line_items=lines,
        **_amounts(draft, cents),
    )
    _add_status_and_location(draft, row, customer, created, is_estimate=is_estimate)
    return row


def _amounts(draft: AccountDraft, cents: int) -> Row:
    """Return the amounts of a document with this subtotal; some have a discount or a tax."""
    discount = cents // 10 if draft.chance(0.15) else 0
    tax = (cents - discount) * 825 // 10_000 if draft.chance(0.3) else 0
    total = money(cents - discount + tax)
    subtotals = {"subtotal": money(cents, 6), "subtotal_discounted": money(cents - discount, 6)}
    parts = {"discount": money(discount), "tax": money(tax), "tax_rate": "8.25" if tax else "0.00"}
    return subtotals | parts | {"total": total, "service_price": total, "amount_unpaid": total}


def _add_status_and_location(draft: AccountDraft, row: Row, customer: Row, created: int, *, is_estimate: bool) -> None:
    """Set the status; an estimate embeds its custom status, an invoice has a copy of the location (verified)."""
    place = draft.rng.randrange(len(ESTIMATE_STATUSES))
    row |= {"status_id": 1_878_001 + place, "status_workflow_id": 174_200}
    if is_estimate:
        title, kind = ESTIMATE_STATUSES[place]
        row["custom_status"] = {
            "id": row["status_id"],
            "name": title,
            "icon": "envelope",
            "color": "#57cfff",
            "type": kind,
        }
        return
    main = customer["main_location"]
    copied = {key: main[key] for key in ("address_1", "address_2", "city", "state", "zip_code", "author_id", "title")}
    draft.add("locations", created, object_id=row["id"], object_type=BASE_CLASS + "Invoice", **copied)


def _lines(draft: AccountDraft) -> tuple[list[Row], int]:
    """Return one to three line items and their sum in cents."""
    lines, sum_cents = [], 0
    for number in range(draft.rng.randrange(1, 4)):
        item = draft.rng.choice(draft.rows["items"])
        quantity = draft.rng.randrange(1, 5)
        sum_cents += quantity * cents_of(item["default_unit_price"])
        lines.append(_line(draft, number, item, quantity))
    return lines, sum_cents


def _line(draft: AccountDraft, number: int, item: Row, quantity: int) -> Row:
    part = {
        "id": draft.next_element_id(),
        "title": item["name"],
        "description": item["default_description"] or "",
        "quantity": str(quantity),
        "unit_cost": item["default_unit_cost"],
        "unit_price": item["default_unit_price"],
        "taxable": item["default_taxable"],
        "type": item["type"],
        "sku": item["sku"] or "",
        "hidden": False,
        "unit_measure": item["unit_measure"],
        "tax_rate": "0",
        "xero_sales_account": None,
        "xero_tax_account": None,
    }
    visibility = {"line_price_visibility": "all", "line_visibility": "all"}
    head = {
        "id": draft.next_element_id(),
        "line_number": number,
        "line_type": "item",
        "line_title": "",
        "description": "",
    }
    return head | visibility | {"line_components": [part]}


def _add_payments(draft: AccountDraft) -> None:
    """Add one or two payments for two thirds of the invoices; they add up to `amount_paid` exactly (verified).

    An invoice has the status of its payments (observed), unless it was imported.
    """
    plans: list[tuple[int, int, Row]] = []
    for invoice in draft.rows["invoices"]:
        cents = cents_of(invoice["total"])
        parts = draft.rng.choice(
            ((), (), (cents,), (cents,), (cents,), (cents // 3, cents - cents // 3), (cents // 2,))
        )
        start = unix_from_bare(invoice["created_at"])
        plans += [(draft.past(start), part, invoice) for part in parts if part]
    for moment, cents, invoice in sorted(plans, key=lambda plan: (plan[0], plan[2]["id"], plan[1])):
        payment = draft.add(
            "payments",
            moment,
            author_id=invoice["author_id"],
            invoice_id=invoice["id"],
            customer_id=invoice["customer_id"],
            payment_date=bare(moment // 3600 * 3600),
            amount=money(cents),
            method=draft.rng.choice(METHODS),
            notes=draft.rng.choice(("", None, "Check 0001")),
        )
        settle(invoice, [*invoice["payments"], payment])
        if not invoice["qb_originated"]:
            invoice["status"] = status_by_payments(invoice)
        invoice["updated_at"] = max(invoice["updated_at"], payment["created_at"])


EMBEDDED_PAYMENT = ("id", "invoice_id", "customer_id", "amount", "method", "payment_date", "status")


def settle(invoice: Row, payments: list[Row]) -> None:
    """Set the payments of an invoice, and the amounts and dates that follow from them."""
    paid = sum(cents_of(payment["amount"]) for payment in payments)
    dates = sorted(payment["payment_date"] for payment in payments if payment["payment_date"])
    invoice["payments"] = [{key: payment[key] for key in EMBEDDED_PAYMENT} for payment in payments]
    invoice["amount_paid"] = money(paid)
    invoice["amount_unpaid"] = money(max(0, cents_of(invoice["total"]) - paid))
    invoice["first_payment_date"] = dates[0] if dates else None
    invoice["last_payment_date"] = dates[-1] if dates else None


def status_by_payments(invoice: Row) -> int:
    """Return the `status` that a payment gives to an invoice: 5 partially paid, 4 paid (observed)."""
    return 5 if cents_of(invoice["amount_unpaid"]) else 4
