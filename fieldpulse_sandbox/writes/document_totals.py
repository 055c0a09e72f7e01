"""Derived columns of estimates, invoices and payments: amounts, and copies of other rows."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from fieldpulse_sandbox.data.store import Store
from fieldpulse_sandbox.schema.table_shapes import Row
from fieldpulse_sandbox.seed.billing import embedded_customer, money, settle, status_by_payments

from .line_items import completed_lines, lines_total

Values = dict[str, Any]
AMOUNT_SOURCES = frozenset({"line_items", "discount", "tax_rate"})
"""Columns from which the amounts are computed."""


def document_values(store: Store, values: Values, before: Row) -> Values:
    """Return the values of an estimate or invoice with its customer, complete lines and amounts."""
    values = dict(values)
    customer = store.find("customers", values.get("customer_id"))
    if customer:
        values["customer"] = embedded_customer(customer)
    if values.get("line_items"):
        values["line_items"] = completed_lines(store, values["line_items"])
    if values.get("tax_rate"):
        values["tax_rate"] = _rate(values["tax_rate"])
    return values | amounts(before | values) if AMOUNT_SOURCES & set(values) else values


def amounts(row: Row) -> Values:
    """Return the amounts that follow from lines, discount and tax rate. The discount is an amount, not a share."""
    subtotal = _cents(lines_total(row.get("line_items") or []))
    discounted = subtotal - _cents(Decimal(row.get("discount") or 0))
    tax = _cents(Decimal(discounted) * Decimal(row.get("tax_rate") or 0) / 10_000)
    total, paid = discounted + tax, _cents(Decimal(row.get("amount_paid") or 0))
    return {
        "subtotal": money(subtotal, 6),
        "subtotal_discounted": money(discounted, 6),
        "tax": money(tax),
        "total": money(total),
        "service_price": money(total),
        "amount_unpaid": money(max(0, total - paid)),
    }


def payment_values(store: Store, values: Values, before: Row) -> Values:
    """Return the values of a payment with the customer of its invoice."""
    invoice = store.find("invoices", (before | values).get("invoice_id"))
    return values | {"customer_id": invoice["customer_id"]} if invoice else values


def settle_invoice(store: Store, payment: Row, *, sets_status: bool) -> None:
    """Update the invoice of a payment to its current payments, and its status if `sets_status` (observed)."""
    invoice = store.find("invoices", payment["invoice_id"])
    if invoice:
        settled = dict(invoice)
        settle(settled, store.tables["payments"].find("invoice_id", invoice["id"]))
        if sets_status and settled["payments"]:
            settled["status"] = status_by_payments(settled)
        store.update("invoices", invoice["id"], settled)


def _cents(value: Decimal) -> int:
    return round(value * 100)


def _rate(text: str) -> str:
    """Return a rate with at least two decimal places (verified)."""
    rate = Decimal(text)
    return f"{rate:.2f}" if rate == round(rate, 2) else text
