"""What makes a real account untidy: other billing addresses, commissions, crews on invoices, cents that are lost.

It is added last, so that it does not change the random numbers of other rows.
"""

from __future__ import annotations

from fieldpulse_sandbox.schema.table_shapes import Row
from fieldpulse_sandbox.schema.timestamps import unix_from_bare

from .billing import cents_of, money
from .draft import AccountDraft

OTHER_BILLING, COMMISSION, CREW, CENT_OFF = 9, 4, 6, 5
"""Every how many-th customer or invoice is affected."""


def add_untidiness(draft: AccountDraft) -> None:
    """Change a share of the customers, invoices and material lists."""
    for number, customer in enumerate(draft.rows["customers"]):
        if number % OTHER_BILLING == 0:
            _bill_elsewhere(customer, number)
    for number, invoice in enumerate(draft.rows["invoices"]):
        if number % COMMISSION == 0:
            _pay_commission(draft, invoice)
        if number % CREW == 0:
            _assign(draft, invoice)
        if invoice["qb_originated"] and number % CENT_OFF == 0:
            _lose_a_cent(invoice)
    for number, materials in enumerate(draft.rows["material_lists"]):
        if number % 2 == 0:
            _group(draft, materials)


def _bill_elsewhere(customer: Row, number: int) -> None:
    place = {"city": "Testville", "state": "TX", "zip_code": "75000"}
    customer |= {f"billing_{key}": value for key, value in place.items()}
    customer |= {"has_different_billing_address": True, "billing_address_1": f"PO Box {1000 + number}"}


def _pay_commission(draft: AccountDraft, invoice: Row) -> None:
    invoice |= {"commission_recipient_id": draft.user_id(), "commission_type": 2, "commission_percent": "5"}
    invoice["commission"] = money(cents_of(invoice["total"]) // 20)


def _assign(draft: AccountDraft, invoice: Row) -> None:
    assignment = draft.assignment("Invoice", invoice, unix_from_bare(invoice["created_at"]))
    invoice["assignments"] = [assignment]
    members = (user for user in draft.rows["users"] if user["id"] == assignment["user_id"])
    invoice["team_members"] = [{key: user[key] for key in ("id", "first_name", "last_name")} for user in members]


def _lose_a_cent(invoice: Row) -> None:
    """Let the parts of an imported invoice add up to a cent more than its total, as rounding elsewhere leaves them."""
    invoice["subtotal"] = money(cents_of(invoice["subtotal"]) + 1, 6)


def _group(draft: AccountDraft, materials: Row) -> None:
    """Put the materials into a group, which has columns of its own (API facts 4.14)."""
    line = materials["items"][0]
    materials["customer_id"] = next(
        job["customer_id"] for job in draft.rows["jobs"] if job["id"] == materials["job_id"]
    )
    materials["internal_notes"] = "Take it from the van first."
    materials["groupings"] = [
        {
            "id": draft.next_element_id(),
            "order_number": 1,
            "type": "group",
            "title": "Main unit",
            "description": "",
            "price_visibility": "all",
            "component_visibility": "all",
            "commission_amount": "0.00",
            "hvi_amount": "0.00",
            "quantity": "1",
            "line_items": [{"id": draft.next_element_id(), "item_id": line["item_id"], "quantity": line["quantity"]}],
        }
    ]
    materials["subtotal"] = money(cents_of(line["unit_price"]) * int(line["quantity"]))
