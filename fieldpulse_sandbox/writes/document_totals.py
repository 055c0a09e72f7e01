"""What follows from a write of an estimate, an invoice or a payment: amounts, embedded rows."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from fieldpulse_sandbox.data.store import Store
from fieldpulse_sandbox.schema.table_shapes import Row
from fieldpulse_sandbox.seed.billing import money, settle, small_customer

from .line_items import sum_of, whole_lines

Values = dict[str, Any]
PRICED_BY = frozenset({"line_items", "discount", "tax_rate"})
"""The columns from which the amounts follow."""


def document(store: Store, values: Values, before: Row) -> Values:
    """Return the values of an estimate or invoice with its customer, its lines and its amounts."""
    values = dict(values)
    customer = store.find("customers", values.get("customer_id"))
    if customer:
        values["customer"] = small_customer(customer)
    if values.get("line_items"):
        values["line_items"] = whole_lines(store, values["line_items"])
    if values.get("tax_rate"):
        values["tax_rate"] = _rate(values["tax_rate"])
    return values | amounts(before | values) if PRICED_BY & set(values) else values


def amounts(row: Row) -> Values:
    """Return the amounts that follow from the lines, the discount and the rate of a row; the discount is an amount."""
    subtotal = _cents(sum_of(row.get("line_items") or []))
    discounted = subtotal - _cents(Decimal(row.get("discount") or 0))
    tax = _cents(Decimal(discounted) * Decimal(row.get("tax_rate") or 0) / 10_000)
    total, paid = discounted + tax, _cents(Decimal(row.get("amount_paid") or 0))
    found = {"subtotal": money(subtotal, 6), "subtotal_discounted": money(discounted, 6), "tax": money(tax)}
    return found | {
        "total": money(total),
        "service_price": money(total),
        "amount_unpaid": money(max(0, total - paid)),
    }


def payment(store: Store, values: Values, before: Row) -> Values:
    """Return the values of a payment with the customer of its invoice."""
    invoice = store.find("invoices", (before | values).get("invoice_id"))
    return values | {"customer_id": invoice["customer_id"]} if invoice else values


def settle_invoice(store: Store, row: Row) -> None:
    """Let the invoice of a payment show what is paid now."""
    invoice = store.find("invoices", row["invoice_id"])
    if invoice:
        settled = dict(invoice)
        settle(settled, store.tables["payments"].find("invoice_id", invoice["id"]))
        store.update("invoices", invoice["id"], settled)


def _cents(value: Decimal) -> int:
    return round(value * 100)


def _rate(text: str) -> str:
    """Return a rate with two places at least (V)."""
    rate = Decimal(text)
    return f"{rate:.2f}" if rate == round(rate, 2) else text
