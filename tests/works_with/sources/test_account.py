"""The comparison of an account with what is meant finds every difference."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from fieldpulse_sandbox.sandbox import Sandbox

from .account import CUSTOMERS, Account, Comparison, client_of, compare
from .source import RowOf, Source

NEW = {"email": "new@example.com", "first_name": "New", "tags": ["VIP"], "customfields": {"Number of units": "3"}}
JOB = {"job_type": "Unheard of", "customer_id": RowOf("customers", "new@example.com"), "billing": Decimal(1)}
SOURCE = Source("test", "a test", (), lambda _: "", {}, {"customers": (NEW,), "jobs": (JOB,)})


def create_customer(sandbox: Sandbox, **values: Any) -> int:
    tag = next(row["id"] for row in sandbox.rows("tags") if row["title"] == "VIP")
    units = next(row["id"] for row in sandbox.rows("custom_fields") if row["name"] == "Number of units")
    values = {"email": "new@example.com", "first_name": "New", "display_name": "New", "tags": [tag], **values}
    values |= {"customfields": [{"field_instance_id": units, "value": "3"}]}
    return int(sandbox.store.create("customers", values)["id"])


def comparison(change: Callable[[Sandbox, int], object], **values: Any) -> Comparison:
    """Create what the source means, change it, and compare."""
    with Sandbox(customers=CUSTOMERS) as sandbox:
        before = Account(sandbox)
        customer = create_customer(sandbox, **values)
        with client_of(sandbox) as client:
            client.post("/jobs", json={"job_type": "Unheard of", "customer_id": customer, "billing": 1})
        change(sandbox, customer)
        return compare(SOURCE, before, Account(sandbox))


def first(sandbox: Sandbox, stream: str) -> int:
    return int(sandbox.rows(stream)[0]["id"])


def test_what_is_meant_is_no_difference() -> None:
    """Names of tags and custom fields stand for ids, and a reference for the row of that name."""
    found = comparison(lambda *_: None)
    assert (found.differences, found.rows, found.fields) == ([], 2, 7)


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        (lambda box, new: create_customer(box), "doubled row: customers new@example.com"),
        (lambda box, new: box.store.delete("customers", new), "missing row: customers new@example.com"),
        (lambda box, new: box.store.update("customers", new, {"first_name": "new"}), "first_name is 'new', and should"),
        (lambda box, new: box.store.update("customers", new, {"tags": []}), "tags is [], and should be"),
        (lambda box, new: box.store.update("customers", new, {"notes": "x"}), "notes was None, and is 'x'"),
        (lambda box, new: box.store.update("customers", first(box, "customers"), {"phone": ""}), "unexpected row"),
        (lambda box, new: box.store.delete("payments", first(box, "payments")), "deleted row: payments"),
        (lambda box, new: box.store.create("tags", {"title": "Another"}), "unexpected row: tags Another"),
    ],
)
def test_each_difference_is_found(change: Callable[[Sandbox, int], object], difference: str) -> None:
    """Also in rows and fields that the source does not name."""
    assert any(difference in each for each in comparison(change).differences)
