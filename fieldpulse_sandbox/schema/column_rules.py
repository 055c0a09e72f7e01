"""Columns that a body may set beside the documented ones, and columns that it never sets."""

from __future__ import annotations

from collections.abc import Collection

from .table_shapes import SHAPES, Row
from .timestamps import bare_from


def names(text: str) -> frozenset[str]:
    """Return the words of a text."""
    return frozenset(text.split())


PROTECTED = names(
    "id company_id cuid author_id mongo_id created_at updated_at deleted_at customer payments main_location"
    " custom_status search_text"
)
"""Columns that no write sets."""
_DOCUMENT = names(
    "subtotal subtotal_discounted tax total service_price amount_paid amount_unpaid first_payment_date"
    " last_payment_date"
)
COMPUTED: dict[str, frozenset[str]] = {
    "customers": names(
        "searchable searchable_number sort_key phone_e164 has_valid_phone pipeline_status_updated_at"
        " has_available_forms merged_customer_id"
        " address_1 address_2 address1 city state zip_code"  # addresses are written by `locations` (documented)
    ),
    "jobs": names(
        "assignment_count completed_at invoice_status tags_string total_price has_available_forms"
        " in_progress_status_log on_the_way_status_log"
    ),
    "estimates": _DOCUMENT,
    "invoices": _DOCUMENT,
    "payments": names("customer_id status"),
}
"""Columns that the backend computes, by resource."""
WRITE_ONLY: dict[str, frozenset[str]] = {"assets": frozenset({"job_ids"})}
"""Fields of a body that rows do not have (assumed: no sample has such a column)."""
TIME_ENDINGS = ("_time", "_at", "_date", "_activity")


def undocumented_cells(name: str, body: Row, documented: Collection[str]) -> Row:
    """Return the cells that a body sets without a documented field; values of a wrong type are dropped."""
    shape, closed = SHAPES[name], PROTECTED | COMPUTED.get(name, frozenset())
    cells = {}
    for key, value in body.items():
        if key not in shape or key in closed or key in documented or isinstance(value, list | dict):
            continue
        cell = bare_from(value) if key.endswith(TIME_ENDINGS) else value
        if cell is not None and _has_type_of(shape[key], cell):
            cells[key] = cell
    return cells


def _has_type_of(unset: object, cell: object) -> bool:
    if isinstance(unset, list | dict):
        return False
    return isinstance(cell, bool) == isinstance(unset, bool) or unset is None
