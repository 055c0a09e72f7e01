"""What each recipe must have done: the rows of the account, or the tables that it filled."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from fieldpulse_sandbox.sandbox import Sandbox

Row = dict[str, Any]
Check = Callable[[Mapping[str, Sandbox], Path], None]


def check_office_lists(accounts: Mapping[str, Sandbox], _: Path) -> None:
    """Three leads with their stages, and two visits at the hour of the office."""
    account = accounts[""]
    ana, bo, elodie = (_named(account, "first_name", name) for name in ("Ana", "Bo", "Élodie"))
    assert [_stage(account, row) for row in (ana, bo, elodie)] == ["Contacted", None, "Quoted"]
    assert [_source(account, row) for row in (ana, bo, elodie)] == ["Trade Fair", "Website", "Trade Fair"]
    assert (_tags(account, ana), _tags(account, elodie)) == (["VIP"], ["Slow payer"])
    assert [field["value"] for field in ana["customfields"]] == ["12"]
    visits = {row["job_type"]: (row["customer_id"], row["start_time"]) for row in account.rows("jobs")}
    assert visits["Furnace tune-up"] == (ana["id"], "2026-12-01 15:00:00")
    assert visits["AC repair"] == (elodie["id"], "2026-12-02 20:30:00")


def check_hubspot_contacts(accounts: Mapping[str, Sandbox], _: Path) -> None:
    """Stage, lead source and status of each contact; the archived one is not there."""
    account = accounts[""]
    ana, bo, company = (
        _named(account, name, value)
        for name, value in (("first_name", "Ana"), ("first_name", "Bo"), ("company_name", "Mock Orange Apartments"))
    )
    facts = [(row["status"], _stage(account, row), _source(account, row)) for row in (ana, bo, company)]
    assert facts == [
        ("lead", "New Lead", "Website"),
        ("opportunity", "Quoted", "Referral"),
        ("current customer", "Contacted", "Phone"),
    ]
    assert _tags(account, ana) == ["VIP", "Landlord"]
    assert [[field["value"] for field in row["customfields"]] for row in (ana, company)] == [["12"], ["48"]]
    assert "Gone" not in [row["first_name"] for row in account.rows("customers")]


def check_salesforce_accounts(accounts: Mapping[str, Sandbox], _: Path) -> None:
    """Two companies, one with its billing address; the deleted one is not there."""
    account = accounts[""]
    orange, bakery = (_named(account, "company_name", name) for name in ("Mock Orange Apartments", "Faketon Bakery"))
    address = [orange[f"billing_{part}"] for part in ("address_1", "city", "state", "zip_code")]
    assert address == ["12 Sample Street", "Dallas", "TX", "75201"]
    assert [(row["status"], row["account_type"]) for row in (orange, bakery)] == [
        ("current customer", "company"),
        ("lead", "company"),
    ]
    assert "Deleted Account" not in [row["company_name"] for row in account.rows("customers")]


def check_tickets(accounts: Mapping[str, Sandbox], _: Path) -> None:
    """Check the customer, the job of each ticket, its checklist and its public comments."""
    account = accounts[""]
    ana, heat = (
        _named(account, "display_name", "Ana Ruiz"),
        _named(account, "job_type", "No heat on the second floor", "jobs"),
    )
    assert (heat["customer_id"], heat["status"], _tags(account, heat)) == (ana["id"], 1, ["Rush"])
    assert heat["notes"].split() == ["The", "furnace", "clicks,", "then", "it", "stops."]
    assert _named(account, "job_type", "Thermostat shows nothing", "jobs")["status"] == 4
    steps = [row["title"] for row in account.rows("subtasks") if row["job_id"] == heat["id"]]
    assert sorted(steps) == ["Bring a flame sensor", "Check the filter"]
    texts = [row["text"] for row in account.rows("comments") if row["commentable_id"] == heat["id"]]
    assert texts == ["The gate code is 0417."]
    assert "Agent Sample" not in [row["display_name"] for row in account.rows("customers")]


def check_ledger(accounts: Mapping[str, Sandbox], folder: Path) -> None:
    """Check that the journal has as much debit as credit, and that what is receivable is what payments have left."""
    account = accounts[""]
    invoices = [row for row in account.rows("invoices") if row["status"] in (3, 4, 5)]
    payments = [row for row in account.rows("payments") if row["invoice_id"] in {row["id"] for row in invoices}]
    total, paid = (
        sum((Decimal(row[name]) for row in rows), Decimal())
        for rows, name in ((invoices, "total"), (payments, "amount"))
    )
    with duckdb.connect(str(folder / "books.duckdb")) as books:
        books.execute((folder / "journal.sql").read_text("utf-8"))
        debit, credit = _only(books.execute("select sum(debit), sum(credit) from fieldpulse.journal").fetchall())
        balance = "select balance from fieldpulse.balances where account = 'Receivables'"
        ((receivable,),) = books.execute(balance).fetchall()
        ((estimates,),) = books.execute("select count(*) from fieldpulse.open_estimates").fetchall()
        ((one_sided,),) = books.execute(
            "select count(*) from (select document from fieldpulse.journal group by 1 having sum(debit) <> sum(credit))"
        ).fetchall()
    assert debit == credit == total + paid > 0
    assert receivable == total - paid
    assert one_sided == 0
    assert estimates == sum(row["status"] == 1 for row in account.rows("estimates"))


def check_two_accounts(accounts: Mapping[str, Sandbox], folder: Path) -> None:
    """Each account has a schema of its own, and the views have the rows of both."""
    with duckdb.connect(str(folder / "both.duckdb")) as warehouse:
        warehouse.execute((folder / "both.sql").read_text("utf-8"))
        found = dict(warehouse.execute("select account, count(*) from customers group by 1").fetchall())
        jobs = {
            name: (count, done) for name, count, done in warehouse.execute("select * from jobs_by_account").fetchall()
        }
    assert found == {name: len(account.rows("customers")) for name, account in accounts.items()}
    assert jobs == {
        name: (len(rows), sum(row["status"] == 4 for row in rows))
        for name, rows in ((name, account.rows("jobs")) for name, account in accounts.items())
    }


CHECKS: dict[str, Check] = {
    "office-lists": check_office_lists,
    "hubspot-contacts": check_hubspot_contacts,
    "salesforce-accounts": check_salesforce_accounts,
    "tickets": check_tickets,
    "ledger": check_ledger,
    "two-accounts": check_two_accounts,
}


def _only(rows: list[Any]) -> Any:
    (row,) = rows
    return row


def _named(account: Sandbox, column: str, value: str, stream: str = "customers") -> Row:
    """Return the row with this value. Fails unless exactly one row has it."""
    found: Row = _only([row for row in account.rows(stream) if row[column] == value])
    return found


def _stage(account: Sandbox, customer: Row) -> str | None:
    stages = {row["id"]: row.get("status") or row.get("name") for row in account.rows("pipeline_statuses")}
    return stages.get(customer["pipeline_status_id"])


def _source(account: Sandbox, customer: Row) -> str | None:
    return {row["id"]: row["name"] for row in account.rows("lead_sources")}.get(customer["lead_source_id"])


def _tags(account: Sandbox, row: Row) -> list[str]:
    titles = {tag["id"]: tag["title"] for tag in account.rows("tags")}
    return [titles[tag] for tag in row["tags"] or ()]
