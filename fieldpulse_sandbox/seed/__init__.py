"""The seed: a deterministic account, built from a number of customers and a seed number."""

from __future__ import annotations

from typing import Any

from fieldpulse_sandbox.schema.table_shapes import COMPANY_ID, Row

from .billing import add_billing
from .customers import add_customers
from .draft import AccountDraft, Rows
from .fields import add_fields
from .reference import add_reference
from .untidiness import add_untidiness
from .work import add_work

Account = dict[str, list[Row]]

__all__ = ["Account", "build_account"]


def build_account(
    customers: int = 200,
    seed: int = 1,
    users: int = 12,
    company_id: int = COMPANY_ID,
    office_names: Rows | None = None,
) -> Account:
    """Return the rows of every resource by its name, ascending by id.

    Shape:  about 1.5 jobs, 1 invoice, 0.5 estimates and 0.9 payments per customer; reference lists do not grow.
            A large account has 377 users, and teams of about 600 KB (API facts 4.20 and 4.21).
            Rows with a `deleted_at` were deleted earlier; the API does not show them.

    `office_names` are rows of a real account to use instead of invented ones, by resource: see `switches_like`.
    """
    draft = AccountDraft(customers, seed, users, office_names or {})
    add_reference(draft)
    add_customers(draft)
    add_work(draft)
    add_billing(draft)
    add_fields(draft)
    add_untidiness(draft)
    return (
        draft.rows
        if company_id == COMPANY_ID
        else {name: [_of_company(row, company_id) for row in rows] for name, rows in draft.rows.items()}
    )


def _of_company(value: Any, company_id: int) -> Any:
    """Return a value in which every company's id, at any depth, is this one."""
    if isinstance(value, dict):
        return {key: company_id if cell == COMPANY_ID else _of_company(cell, company_id) for key, cell in value.items()}
    return [_of_company(element, company_id) for element in value] if isinstance(value, list) else value
