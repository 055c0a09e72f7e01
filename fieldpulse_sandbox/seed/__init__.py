"""The seed: a deterministic account, built from a number of customers and a seed number."""

from __future__ import annotations

from fieldpulse_sandbox.schema.table_shapes import Row

from .billing import add_billing
from .customers import add_customers
from .draft import AccountDraft
from .fields import add_fields
from .reference import add_reference
from .work import add_work

Account = dict[str, list[Row]]

__all__ = ["Account", "build_account"]


def build_account(customers: int = 200, seed: int = 1, users: int = 12) -> Account:
    """Return the rows of every resource by its name, ascending by id.

    Shape:  about 1.5 jobs, 1 invoice, 0.5 estimates and 0.9 payments per customer; reference lists do not grow.
            A large account has 377 users, and teams of about 600 KB (API facts 4.20 and 4.21).
            Rows with a `deleted_at` were deleted earlier; the API does not show them.
    """
    draft = AccountDraft(customers, seed, users)
    add_reference(draft)
    add_customers(draft)
    add_work(draft)
    add_billing(draft)
    add_fields(draft)
    return draft.rows
