"""The rows of an account as its API lists them, read without our code, and their differences from what was meant."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from typing import Any

import httpx

from fieldpulse_sandbox.sandbox import Sandbox

from .source import RowOf, Source

CUSTOMERS = 20
"""The size of an account."""
PATHS = {
    "customers": "/customers",
    "locations": "/locations",
    "projects": "/projects",
    "jobs": "/jobs",
    "subtasks": "/subtasks",
    "comments": "/comments",
    "timesheets": "/timesheets",
    "estimates": "/estimates",
    "invoices": "/invoices",
    "payments": "/payments",
    "items": "/items",
    "assets": "/assets",
    "asset_categories": "/assets-category",
    "material_lists": "/material-lists",
    "purchase_orders": "/purchase-orders",
    "tags": "/tags",
    "users": "/users",
    "teams": "/teams",
    "custom_fields": "/custom-fields",
    "lead_sources": "/lead-source",
    "pipeline_statuses": "/pipeline-status",
}
OF_THE_SERVER: Mapping[str, set[str]] = {
    "customers": {
        *("phone_e164", "has_valid_phone", "phone_validation_message", "searchable_number"),
        "pipeline_status_updated_at",
    },
    "jobs": {
        "customer",
        "invoice_status",
        "total_price",
        "assignment_count",
        "status_log",
        "status_id",
        "completed_at",
    },
    "invoices": {
        *("customer", "customer_id", "payments", "status", "first_payment_date", "last_payment_date"),
        *("total", "subtotal", "subtotal_discounted", "service_price", "tax", "amount_paid", "amount_unpaid"),
    },
    "payments": {"customer_id", "invoice_id", "amount", "status"},
    "comments": {"commentable_id", "commentable_type"},
}
"""Fields that FieldPulse itself sets when a row or its children change. They are compared where they are expected."""
OF_EVERY_ROW = {"id", "cuid", "created_at", "updated_at", "searchable", "search_text", "sort_key"}
Row = dict[str, Any]


class Account:
    """All lists of an account at one moment: rows by stream and id."""

    def __init__(self, sandbox: Sandbox) -> None:
        """Read every page of every list."""
        with client_of(sandbox) as client:
            self.rows = {stream: {row["id"]: row for row in _pages(client, path)} for stream, path in PATHS.items()}
        titles = {"tags": "title", "teams": "title", "users": "email", "custom_fields": "name"}
        titles |= {"lead_sources": "name", "pipeline_statuses": "status"}
        self._titles = {
            stream: {row_id: row[name] for row_id, row in self.rows[stream].items()} for stream, name in titles.items()
        }

    def readable(self, row: Row, name: str) -> Any:
        """Return a field with names in place of ids."""
        value = row.get(name)
        if name == "tags":
            return sorted(self._titles["tags"][tag] for tag in value or ())
        if name in ("lead_source_id", "pipeline_status_id"):
            return self._titles["lead_sources" if name == "lead_source_id" else "pipeline_statuses"].get(value)
        if name == "customfields":
            return {self._titles["custom_fields"][each["field_instance_id"]]: each["value"] for each in value or ()}
        if name == "assignments":
            people = (self._titles["users"].get(each["user_id"]) for each in value or ())
            teams = (self._titles["teams"].get(each["team_id"]) for each in value or ())
            return sorted(title for title in (*people, *teams) if title)
        if name == "line_items":
            return [(line["line_title"], *map(_component, line["line_components"])) for line in value or ()]
        return value


@dataclass
class Comparison:
    """The number of rows and fields that were compared, and a line for each difference."""

    rows: int = 0
    fields: int = 0
    differences: list[str] = field(default_factory=list)


def compare(source: Source, before: Account, after: Account) -> Comparison:
    """Compare every row of an account with what the source means."""
    result = Comparison()
    found = {RowOf(*key): rows for key, rows in _found_rows(source, before, after)}
    for key, rows in found.items():
        if len(rows) != 1:
            result.differences.append(f"{'doubled' if rows else 'missing'} row: {key.stream} {key.name}")
    ids = {key: rows[0]["id"] for key, rows in found.items() if rows}
    result.differences += _unexpected_rows({(key.stream, row_id) for key, row_id in ids.items()}, before, after)
    for stream, expected in ((stream, expected) for stream, rows in source.rows.items() for expected in rows):
        key = RowOf(stream, next(iter(expected.values())))
        if key in ids:
            row = after.rows[stream][ids[key]]
            baseline = before.rows[stream].get(row["id"]) or blank_rows()[stream] | _names(row)
            faults = (*_misfits(expected, row, after, ids), *_changes(stream, baseline, row, expected))
            result.differences += [f"{stream} {key.name}: {each}" for each in faults]
            result.rows, result.fields = result.rows + 1, result.fields + len(expected)
    return result


def _found_rows(source: Source, before: Account, after: Account) -> Iterator[tuple[tuple[str, Any], list[Row]]]:
    """Yield the identity of each expected row, and the rows that have it: written ones, else the only one of before."""
    for stream, rows in source.rows.items():
        for name, wanted in (next(iter(expected.items())) for expected in rows):
            same = [row for row in after.rows[stream].values() if _equal(row.get(name), wanted)]
            written = [row for row in same if any(_changes(stream, before.rows[stream].get(row["id"]), row))]
            yield (stream, wanted), written or (same if len(same) == 1 else [])


def _unexpected_rows(expected: Collection[tuple[str, int]], before: Account, after: Account) -> Iterator[str]:
    """Yield the rows that were written or deleted, and are not expected."""
    for stream, rows in after.rows.items():
        for row_id, row in rows.items():
            if (stream, row_id) not in expected and any(_changes(stream, before.rows[stream].get(row_id), row)):
                yield f"unexpected row: {stream} {_name(row)}"
        yield from (f"deleted row: {stream} {row_id}" for row_id in sorted(set(before.rows[stream]) - set(rows)))


def _names(row: Row) -> Row:
    """Return the name that FieldPulse makes of the names of a new customer."""
    return {"display_name": row["display_name"]} if "display_name" in row else {}


def _misfits(expected: Mapping[str, Any], row: Row, account: Account, ids: Mapping[RowOf, int]) -> Iterator[str]:
    """Yield the expected fields that have another value."""
    for name, meant in expected.items():
        value, wanted = account.readable(row, name), ids.get(meant) if isinstance(meant, RowOf) else meant
        if not _equal(value, sorted(wanted) if name in ("tags", "assignments") else wanted):
            yield f"{name} is {value!r}, and should be {wanted!r}"


def _changes(stream: str, old: Row | None, row: Row, expected: Collection[str] = ()) -> Iterator[str]:
    """Yield the fields, beyond the expected ones, that differ from those of a row of before."""
    if old is None:
        yield "it was created"
        return
    for name in sorted(set(row) - set(expected) - OF_EVERY_ROW - OF_THE_SERVER.get(stream, set())):
        if row[name] != old.get(name):
            yield f"{name} was {old.get(name)!r}, and is {row[name]!r}"


def _equal(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, Decimal) and isinstance(value, (str, int, float)):
        return Decimal(str(value)) == wanted
    return bool(value == wanted) and isinstance(value, bool) == isinstance(wanted, bool)


@cache
def blank_rows() -> dict[str, Row]:
    """Return a row of each stream, in which only what FieldPulse requires was written."""
    with Sandbox(customers=CUSTOMERS) as sandbox, client_of(sandbox) as client:

        def create(path: str, **body: Any) -> Row:
            row: Row = client.post(path, json=body).raise_for_status().json()["response"]
            return row

        customer = create("/customers", company_name="-")
        invoice = create("/invoices", customer_id=customer["id"])
        job = create("/jobs", customer_id=customer["id"], job_type="-", billing=1)
        comment = create("/comments", text="-", commentable_id=job["id"], commentable_type="job")
        others = (
            *(create("/payments", invoice_id=invoice["id"], amount="1"), create("/items", name="-")),
            *(create("/assets", title="-"), create("/projects", name="-"), comment, job, invoice, customer),
        )
        account = Account(sandbox)
        rows = {
            stream: found[each["id"]]
            for stream, found in account.rows.items()
            for each in others
            if each["id"] in found
        }
    return {stream: {name: _blank(value) for name, value in row.items()} for stream, row in rows.items()}


def _blank(value: Any) -> Any:
    return None if value == "-" else value


def _name(row: Row) -> str:
    names = ("display_name", "email", "title", "name", "job_type", "text", "amount", "id")
    return str(next(row[name] for name in names if row.get(name)))


def _component(component: Row) -> tuple[str, Decimal, Decimal]:
    return component["title"], Decimal(component["quantity"]), Decimal(component["unit_price"])


def client_of(sandbox: Sandbox) -> httpx.Client:
    """Return a client of the account that is not ours."""
    return httpx.Client(base_url=sandbox.url, headers={"x-api-key": sandbox.key}, timeout=60)


def _pages(client: httpx.Client, path: str) -> Iterator[Row]:
    page = 1
    while rows := client.get(path, params={"page": page, "limit": 100}).raise_for_status().json()["response"]:
        yield from rows
        page += 1
