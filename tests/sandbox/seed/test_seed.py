"""The seeded account: deterministic, consistent, plausible, and free of real people."""

from __future__ import annotations

import re
from collections import defaultdict
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from fieldpulse_sandbox.data.store import Store
from fieldpulse_sandbox.schema.timestamps import EPOCH, bare
from fieldpulse_sandbox.seed import Account, build_account
from fieldpulse_sandbox.seed.billing import cents_of
from fieldpulse_sandbox.seed.fields import CUSTOM_FIELD_OBJECTS, MISFITS, owner_column

BARE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")


@pytest.fixture(scope="module")
def account() -> Account:
    """Build an account of 300 customers."""
    return build_account(300, 1)


def test_the_same_size_and_seed_give_the_same_bytes() -> None:
    """Two builds are byte-identical; another seed gives another account."""
    first, second, other = (msgspec.json.encode(build_account(40, seed)) for seed in (1, 1, 2))
    assert first == second
    assert first != other


def test_ids_ascend_with_gaps_and_belong_to_one_table(account: Account) -> None:
    """No two tables share an id, except that estimates and invoices interleave."""
    everything = [row["id"] for rows in account.values() for row in rows]
    assert len(set(everything)) == len(everything)
    for rows in account.values():
        ids = [row["id"] for row in rows]
        assert ids == sorted(ids)
    jobs = [row["id"] for row in account["jobs"]]
    assert jobs[-1] - jobs[0] > len(jobs)


@pytest.mark.parametrize(
    ("name", "column", "target"),
    [
        ("jobs", "customer_id", "customers"),
        ("jobs", "location_id", "locations"),
        ("jobs", "status_id", "job_statuses"),
        ("invoices", "customer_id", "customers"),
        ("invoices", "job_id", "jobs"),
        ("estimates", "customer_id", "customers"),
        ("payments", "invoice_id", "invoices"),
        ("customer_contacts", "customer_id", "customers"),
        ("assets", "asset_category_id", "asset_categories"),
        ("customers", "pipeline_status_id", "pipeline_statuses"),
        ("customers", "lead_source_id", "lead_sources"),
        ("customers", "assigned_to", "users"),
        ("subtasks", "job_id", "jobs"),
        ("timesheets", "user_id", "users"),
        ("comments", "commentable_id", "jobs"),
        ("projects", "customer_id", "customers"),
        ("purchase_orders", "vendor_id", "vendors"),
    ],
)
def test_references_name_existing_rows(account: Account, name: str, column: str, target: str) -> None:
    """Every reference that is set names a row of its table."""
    known = {row["id"] for row in account[target]}
    named = {row[column] for row in account[name]} - {None}
    assert named
    assert named <= known


def test_payments_add_up_to_the_amount_paid(account: Account) -> None:
    """Payments add up to `amount_paid` exactly; paid and unpaid add up to the total (verified)."""
    sums: dict[int, Decimal] = defaultdict(Decimal)
    for payment in account["payments"]:
        sums[payment["invoice_id"]] += Decimal(payment["amount"])
    assert sums
    for invoice in account["invoices"]:
        assert Decimal(invoice["amount_paid"]) == sums[invoice["id"]]
        assert Decimal(invoice["amount_paid"]) + Decimal(invoice["amount_unpaid"]) == Decimal(invoice["total"])


def test_money_has_the_places_of_live_rows(account: Account) -> None:
    """Totals have two places, subtotals six, unit prices four (verified)."""
    invoice = account["invoices"][0]
    assert re.fullmatch(r"\d+\.\d{2}", invoice["total"])
    assert re.fullmatch(r"\d+\.\d{6}", invoice["subtotal"])
    assert re.fullmatch(r"\d+\.\d{4}", invoice["line_items"][0]["line_components"][0]["unit_price"])
    assert re.fullmatch(r"\d+\.\d{4}", account["items"][0]["default_unit_price"])


def test_stamps_are_bare_and_before_the_accounts_present(account: Account) -> None:
    """`created_at` <= `updated_at` <= the fixed present, as text without a zone."""
    for name, rows in account.items():
        for row in rows:
            if "created_at" in row:
                assert BARE.fullmatch(row["created_at"]), name
                assert row["created_at"] <= row["updated_at"] <= bare(EPOCH), name


def test_some_columns_hold_iso_times(account: Account) -> None:
    """Assignments and `completed_at` have microseconds and Z (verified)."""
    job = next(row for row in account["jobs"] if row["assignments"] and row["completed_at"])
    for text in (job["completed_at"], job["assignments"][0]["created_at"]):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", text)


def test_text_is_null_on_some_rows_and_empty_on_others(account: Account) -> None:
    """Text that was never set is null or empty, depending on how the row was created (verified)."""
    assert {None, ""} <= {row["alt_email"] for row in account["customers"]}


def test_imported_rows_share_one_created_at(account: Account) -> None:
    """Imported customers and invoices have equal `created_at` (verified)."""
    assert len([row for row in account["invoices"] if row["created_at"] == account["invoices"][0]["created_at"]]) >= 50


def test_every_invoice_has_its_copy_of_a_location(account: Account) -> None:
    """Locations have one row per invoice beside those of customers (verified)."""
    owners = [row["object_id"] for row in account["locations"] if row["object_type"].endswith("BaseInvoice")]
    assert sorted(owners) == [row["id"] for row in account["invoices"]]


def test_deleted_customers_leave_their_jobs(account: Account) -> None:
    """Some customers were deleted, and jobs still have their ids (verified)."""
    gone = {row["id"] for row in account["customers"] if row["deleted_at"]}
    assert len(gone) == 3
    assert len(account["customers"]) - len(gone) == 300
    assert gone & {row["customer_id"] for row in account["jobs"]}


def test_all_six_statuses_of_jobs_occur(account: Account) -> None:
    """Statuses 1 to 6 are live (verified), each with the matching `status_id`."""
    pairs = {(row["status"], row["status_id"]) for row in account["jobs"]}
    assert sorted(status for status, _ in pairs) == [1, 2, 3, 4, 5, 6]


def test_users_and_teams_contain_data_that_must_not_leak(account: Account) -> None:
    """A user has 169 columns, secrets and a position among them; members and managers are whole users (verified)."""
    users, team = account["users"], account["teams"][0]
    assert len(users[0]) == 169
    assert all(row["api_token"].startswith("sandbox-secret-") for row in [*users, *team["members"], *team["managers"]])
    assert any(row["last_known_location"] for row in users)
    assert len({*team["members"][0]} - {*users[0]}) == 2
    assert {row["role"] for row in users} == {1, 2, 4, 6}


def test_a_team_of_a_large_account_is_heavy() -> None:
    """About 700 KB; a page of twenty teams is over 10 MB."""
    account = build_account(10, 1, users=377)
    sizes = [len(msgspec.json.encode(team)) for team in account["teams"]]
    assert 500_000 < max(sizes) < 750_000
    assert sum(sizes) > 10_000_000


def _fields(account: Account, name: str) -> dict[int, dict[str, Any]]:
    return {field["id"]: field for field in account["custom_fields"] if field["object"] == CUSTOM_FIELD_OBJECTS[name]}


FORMS = {
    1: r"\d{4}",
    2: r"\d+",
    3: r"\d{4}-\d\d-\d\d",
    4: "[01]",
    5: r"Monday|Wednesday|Friday|R-32|R-410A|R-454B|North|South",
}
"""What the text of a value looks like, by widget."""


@pytest.mark.parametrize(
    ("name", "widgets"),
    [
        ("customers", {1, 2, 3, 4, 5}),
        ("jobs", {1, 2, 3, 4}),
        ("invoices", {1, 3}),
        ("projects", {1, 4}),
        ("items", {1, 2}),
        ("assets", {3, 5}),
        ("material_lists", {2, 5}),
    ],
)
@pytest.mark.parametrize("customers", [50, 300])
def test_every_definition_has_values_on_some_rows(customers: int, name: str, widgets: set[int]) -> None:
    """Each object type has definitions of these widgets, and values of each, as text that names its row."""
    account = build_account(customers, 1)
    fields = _fields(account, name)
    assert {field["field_widget_id"] for field in fields.values()} == widgets
    assert all(
        (field["field_widget_id"] == 5) == bool(field["settings"]["allowed_values"]) for field in fields.values()
    )
    values = [(row, value) for row in account[name] for value in row["customfields"]]
    assert {value["field_instance_id"] for _, value in values} == set(fields)
    assert any(row["customfields"] == [] for row in account[name])
    for row, value in values:
        assert value[owner_column(name)] == row["id"]
        assert BARE.fullmatch(value["created_at"])
        widget = fields[value["field_instance_id"]]["field_widget_id"]
        text = value["value"]
        assert text is None or text == MISFITS.get(widget) or re.fullmatch(FORMS[widget], text)


@pytest.mark.parametrize("name", ["customers", "jobs", "invoices"])
def test_a_few_values_are_null_or_do_not_fit_their_widget(name: str) -> None:
    """A small account already has wrong numbers, wrong dates and nulls."""
    account = build_account(50, 1)
    values_by_definition = defaultdict(set)
    for row in account[name]:
        for value in row["customfields"]:
            values_by_definition[value["field_instance_id"]].add(value["value"])
    for number, field in _fields(account, name).items():
        assert values_by_definition[number] >= {None, MISFITS.get(field["field_widget_id"], None)}


def test_values_have_ids_of_their_own(account: Account) -> None:
    """No two elements of rows share an id."""
    numbers = [value["id"] for name in CUSTOM_FIELD_OBJECTS for row in account[name] for value in row["customfields"]]
    assert len(set(numbers)) == len(numbers)


def test_no_address_or_number_is_real(account: Account) -> None:
    """Every e-mail address is at an example domain, every phone number is 555-01xx."""

    def texts(value: Any) -> list[str]:
        if isinstance(value, dict):
            return [text for cell in value.values() for text in texts(cell)]
        if isinstance(value, list):
            return [text for element in value for text in texts(element)]
        return [value] if isinstance(value, str) else []

    everything = texts(account)
    mails = [text for text in everything if "@" in text]
    assert mails
    assert all(re.search(r"[@.]example\.(com|org|net)$", text) for text in mails)
    phones = [text for text in everything if re.fullmatch(r"\+1\d{10}|\d{3} \d{3} \d{4}", text)]
    assert phones
    assert all(re.search(r"555 ?01\d\d$", text) for text in phones)


def test_rows_are_as_wide_as_live_rows(account: Account) -> None:
    """About 110 keys on customers, 60 on jobs, 65 on invoices."""
    assert len(account["customers"][0]) > 110
    assert len(account["jobs"][0]) > 60
    assert len(account["invoices"][0]) >= 65


def test_another_company_id_is_in_every_row() -> None:
    """Two accounts can be told apart, in rows that are created later too."""
    account = build_account(20, 1, company_id=300_003)
    assert b"200001" not in msgspec.json.encode(account)
    store = Store(account)
    assert store.create("tags", {"title": "New"})["company_id"] == 300_003


def test_an_account_is_as_untidy_as_a_real_one(account: Account) -> None:
    """Some bills go elsewhere, invoices have commissions and crews, imports lose cents, materials come in groups."""
    elsewhere = [row for row in account["customers"] if row["has_different_billing_address"]]
    assert 0 < len(elsewhere) < len(account["customers"])
    assert all(row["billing_address_1"] and row["billing_zip_code"] for row in elsewhere)
    invoices = account["invoices"]
    users = {user["id"] for user in account["users"]}
    assert {row["commission_recipient_id"] for row in invoices if row["commission_recipient_id"]} <= users
    crews = [row for row in invoices if row["assignments"]]
    assert all({member["id"] for member in row["team_members"]} <= users and row["team_members"] for row in crews)
    gaps = {
        cents_of(row["total"]) - cents_of(row["subtotal_discounted"]) - cents_of(row["tax"])
        - (cents_of(row["subtotal"]) - cents_of(row["discount"]) - cents_of(row["subtotal_discounted"]))
        for row in invoices
    }  # fmt: skip
    assert gaps == {0, -1}
    assert {len(row["groupings"]) for row in account["material_lists"]} == {0, 1}
