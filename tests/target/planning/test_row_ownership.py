"""To whom a row belongs: a key does not take the row of another key, and a source's own id overwrites no row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fieldpulse_sandbox.sandbox import Sandbox
from tests.harness.messages import record_message, schema_message, singer_lines
from tests.harness.target_runner import run_target
from tests.target.shared import CUSTOMERS, customers_named, row_by_id, write_requests

Config = dict[str, Any]


def customer(**values: Any) -> str:
    """Return the SCHEMA and the record of one customer."""
    return singer_lines(CUSTOMERS, record_message("customers", **values))


def test_a_row_of_another_key_is_not_matched(sandbox: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """Two people of a family share an e-mail address. Both keys are in the message."""
    run_target(target_config, customer(external_id="c1", first_name="Maria", email="family@example.com"), tmp_path)
    text = customer(external_id="c2", first_name="Jose", email="Family@Example.com")
    result = run_target(target_config, text, tmp_path)
    assert (result.counts, result.status) == ({"rejected": 1}, 1)
    assert "customers c2:" in result.stderr
    assert "matches by email, but it belongs to the key c1" in result.stderr
    assert customers_named(sandbox, "Maria", "Jose")[0]["first_name"] == "Maria"
    assert run_target(target_config | {"shared_rows": "allow"}, text, tmp_path).counts == {"updated": 1}
    assert len(customers_named(sandbox, "Maria", "Jose")) == 1


@pytest.mark.parametrize("settings", [{}, {"max_creates": 9}, {"dry_run": True}], ids=str)
def test_two_keys_of_one_run_do_not_share_a_row(
    sandbox: Sandbox, target_config: Config, tmp_path: Path, settings: Config
) -> None:
    """The second one is rejected, as it would be in the next run; so does the dry run say."""
    records = [record_message("customers", external_id=key, first_name=key, email="e@example.com") for key in "ab"]
    result = run_target(target_config | settings, singer_lines(CUSTOMERS, *records), tmp_path)
    assert result.counts == {"created": 1, "rejected": 1}
    assert len(customers_named(sandbox, "a", "b")) == (0 if "dry_run" in settings else 1)


@pytest.mark.parametrize("settings", [{}, {"max_updates": 12}, {"dry_run": True}], ids=str)
def test_two_match_sets_do_not_lead_to_one_row_at_the_same_time(
    sandbox: Sandbox, target_config: Config, tmp_path: Path, settings: Config
) -> None:
    """A record matches by e-mail, another by phone, a third has the id: they are planned side by side."""
    config = target_config | {"match": {"customers": [["email"], ["phone"]]}} | settings
    records = []
    for number, row in enumerate(sandbox.rows("customers")[:12]):
        values = {"email": f"e{number}@example.com", "phone": f"214555{number:04}"}
        sandbox.store.patch("customers", row["id"], values)
        records += [
            record_message("customers", external_id=f"e{number}", email=values["email"], notes="by e-mail"),
            record_message("customers", external_id=f"p{number}", phone=values["phone"], notes="by phone"),
            record_message("customers", external_id=f"i{number}", id=row["id"], notes="by id", company_id=200001),
        ]
    result = run_target(config, singer_lines(CUSTOMERS, *records), tmp_path)
    assert result.counts == {"updated": 12, "rejected": 24}


def test_two_input_streams_do_not_share_a_key(sandbox: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """Contact 51 and company 51 are two customers. Several maps of one input stream may write one row."""
    contacts = schema_message("contacts", "id", "first_name"), record_message("contacts", id=51, first_name="Maria")
    companies = schema_message("companies", "id", "name"), record_message("companies", id=51.0, name="HubSpot Inc")
    text = singer_lines(*contacts, *companies)
    customer_map = {"__alias__": "customers", "__key_properties__": ["external_id"], "__else__": "__NULL__"}
    maps = {
        "contacts": {**customer_map, "external_id": "id", "first_name": "first_name"},
        "companies": {**customer_map, "external_id": "id", "company_name": "name"},
    }
    config = target_config | {"stream_maps": maps}
    result = run_target(config, text, tmp_path)
    assert result.counts == {"created": 1, "rejected": 1}
    assert "the input streams 'contacts' and 'companies' are mapped to `customers` with the same key" in result.stderr
    assert customers_named(sandbox, "Maria")[0]["company_name"] != "HubSpot Inc"
    later = singer_lines(*companies)  # an incremental run
    assert run_target(config, later, tmp_path).counts == {"rejected": 1}
    prefixed = maps | {"companies": {**maps["companies"], "external_id": "'company-' + str(id)"}}
    assert run_target(config | {"stream_maps": prefixed}, text, tmp_path).counts == {"unchanged": 1, "created": 1}
    only_companies = {"companies": maps["companies"]}  # the stream has another name than before
    assert run_target(config | {"stream_maps": only_companies}, later, tmp_path).counts == {"updated": 1}
    assert run_target(config | {"shared_rows": "allow"}, text, tmp_path).counts == {"unchanged": 2}


def test_a_row_without_a_key_is_matched_after_a_write_by_id(
    sandbox: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """A record with nothing but `id` is about the row itself: it takes it from no source."""
    row = next(row for row in sandbox.rows("customers") if row["email"])
    run_target(target_config, customer(id=row["id"], notes="by id"), tmp_path)
    result = run_target(target_config, customer(external_id="c", email=row["email"], first_name="Ann"), tmp_path)
    assert result.counts == {"updated": 1}


@pytest.mark.parametrize("number", [0, 10**6, "a3b1-uuid"], ids=["another customer's", "of no row", "no number"])
def test_a_sources_own_id_overwrites_no_row(
    sandbox: Sandbox, target_config: Config, tmp_path: Path, number: int | str
) -> None:
    """Stream maps keep the `id` of a source, which is the id of an unrelated customer. Nothing is sent."""
    row_id = sandbox.rows("customers")[0]["id"] if number == 0 else number
    result = run_target(target_config, customer(external_id="crm-1", id=row_id, first_name="Zed"), tmp_path)
    assert (result.counts, write_requests(sandbox)) == ({"rejected": 1}, [])
    assert "`id: __NULL__`" in result.stderr


@pytest.mark.parametrize("values", [{"company_id": 200001}, {"company_id": "200001.0"}], ids=str)
def test_the_id_is_trusted_in_a_record_of_the_account(
    sandbox: Sandbox, target_config: Config, tmp_path: Path, values: Config
) -> None:
    """The tap's records have the company's id: they may get an external_id as well."""
    row = sandbox.rows("customers")[0]
    text = customer(external_id="crm-1", id=row["id"], notes="Theirs", **values)
    assert run_target(target_config, text, tmp_path).counts == {"updated": 1}
    assert row_by_id(sandbox, "customers", row["id"])["notes"] == "Theirs"
    text = customer(external_id="crm-1", id=row["id"], notes="Theirs, too")  # the ledger has the row by now
    assert run_target(target_config, text, tmp_path).counts == {"updated": 1}


def test_the_id_is_trusted_by_setting(sandbox: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """A warehouse may have both: its own key, and the FieldPulse id that it learned from the tap."""
    row = sandbox.rows("customers")[0]
    text = customer(external_id="crm-1", id=row["id"], notes="Theirs")
    assert run_target(target_config | {"trust_ids": True}, text, tmp_path).counts == {"updated": 1}
    assert row_by_id(sandbox, "customers", row["id"])["notes"] == "Theirs"


def test_a_delete_does_not_trust_a_sources_own_id(sandbox: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """The ledger does not have this row for the key."""
    row_id = sandbox.rows("customers")[0]["id"]
    text = customer(external_id="crm-1", id=row_id, deleted_at="2026-01-01T00:00:00Z")
    result = run_target(target_config | {"hard_delete": True}, text, tmp_path)
    assert (result.counts, write_requests(sandbox)) == ({"rejected": 1}, [])


@pytest.mark.parametrize("company_id", [999, "999", "acme"])
@pytest.mark.parametrize("key", ["id", "external_id"])
def test_a_record_of_another_account_is_refused(
    sandbox: Sandbox, target_config: Config, tmp_path: Path, key: str, company_id: int | str
) -> None:
    """Two accounts in one project, and the wrong API key: no row of this account is written."""
    values = {"id": sandbox.rows("customers")[0]["id"]} if key == "id" else {"external_id": "x"}
    result = run_target(target_config, customer(**values, first_name="Zed", company_id=company_id), tmp_path)
    assert (result.counts, write_requests(sandbox)) == ({"rejected": 1}, [])
    assert "another FieldPulse account" in result.stderr


def test_a_key_whose_row_was_merged_finds_the_survivor(sandbox: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """The office deletes one of two customers, and the other one has the same e-mail address."""
    text = customer(external_id="c", first_name="Ann", email="ann@example.com")
    run_target(target_config, text, tmp_path)
    own = customers_named(sandbox, "Ann")[0]["id"]
    survivor = sandbox.rows("customers")[0]["id"]
    sandbox.store.delete("customers", own)
    sandbox.store.patch("customers", survivor, {"email": "ann@example.com"})
    text = customer(external_id="c", first_name="Ann", email="ann@example.com", notes="New")
    assert run_target(target_config, text, tmp_path).counts == {"updated": 1}
    assert row_by_id(sandbox, "customers", survivor)["notes"] == "New"
    assert run_target(target_config, text, tmp_path).counts == {"unchanged": 1}


def test_a_key_whose_row_is_gone_says_what_to_do(sandbox: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """No other row matches, and the record is not created again: somebody deleted the customer on purpose."""
    run_target(target_config, customer(external_id="c", first_name="Ann"), tmp_path)
    own = customers_named(sandbox, "Ann")[0]["id"]
    sandbox.store.delete("customers", own)
    result = run_target(target_config, customer(external_id="c", first_name="Ann", notes="New"), tmp_path)
    assert (result.counts, customers_named(sandbox, "Ann")) == ({"rejected": 1}, [])
    assert "fieldpulse ledger relink --stream customers --key c --id ID" in result.stderr


def test_a_survivor_counts_once_against_the_limit(sandbox: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """The update of the row that is gone came to nothing."""
    run_target(target_config, customer(external_id="c", first_name="Ann", email="ann@example.com"), tmp_path)
    sandbox.store.delete("customers", customers_named(sandbox, "Ann")[0]["id"])
    sandbox.store.patch("customers", sandbox.rows("customers")[0]["id"], {"email": "ann@example.com"})
    text = customer(external_id="c", first_name="Ann", email="ann@example.com", notes="New")
    assert run_target(target_config | {"max_updates": 1}, text, tmp_path).counts == {"updated": 1}


def test_deleted_rows_in_a_list_match_nothing(sandbox: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """It is not known whether the lists of the API have them."""
    sandbox.behaviour.list_deleted_rows, sandbox.behaviour.deleted_row_by_id = True, "row"
    row = next(row for row in sandbox.rows("customers") if row["email"])
    sandbox.store.delete("customers", row["id"])
    text = customer(external_id="c", first_name="Ann", email=row["email"])
    assert run_target(target_config, text, tmp_path).counts == {"created": 1}
    text = customer(id=row["id"], notes=row["notes"])
    assert run_target(target_config, text, tmp_path).counts == {"rejected": 1}
