"""The recipe of the two-way sync: rounds with edits on both sides, which all arrive, and then silence."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import httpx
import psycopg
from psycopg.rows import dict_row

from fieldpulse_sandbox.sandbox import Sandbox
from scripts.demo import run_postgres

from .project import Project, write_count

FIELDS = ("first_name", "last_name", "email", "phone", "notes")
ROUNDS = 4
Row = dict[str, Any]
Crm = psycopg.Connection[Row]


def try_two_way_sync(project: Project, accounts: Mapping[str, Sandbox]) -> None:
    """Let both sides change at random: after a run they have the same rows, and the next run writes nothing."""
    account, random = accounts[""], Random(16)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)  # PostgreSQL runs as another user
        with run_postgres(folder) as postgres:
            location = {key.lower(): value for key, value in postgres.settings.items()}
            location["dbname"] = location.pop("database")
            with psycopg.connect(**location, autocommit=True, row_factory=dict_row) as crm:
                crm.execute((project.folder / "crm.sql").read_bytes())
                database = {f"CRM_{key}": value for key, value in postgres.settings.items()}
                project = replace(project, variables={**project.variables, **database})
                project.fieldpulse("import", "custom_fields", "custom-field.csv", "--key", "name")
                project.meltano("install")
                _settle(project, account, crm)
                for number in range(ROUNDS):
                    wanted = _edit_both_sides(account, crm, random, number)
                    _settle(project, account, crm)
                    found = {row["first_name"]: row["notes"] for row in crm.execute("select * from crm.contacts")}
                    assert wanted.items() <= found.items(), (wanted, found)


def _settle(project: Project, account: Sandbox, crm: Crm) -> None:
    project.meltano("run", project.name)
    writes = write_count(account)
    project.meltano("run", project.name)
    assert write_count(account) == writes, "both sides were in step, and something was written"
    customers = {_crm_key(account, row): _values(row) for row in account.rows("customers")}
    contacts = {row["id"]: _values(row) for row in crm.execute("select * from crm.contacts")}
    assert customers == contacts, (customers, contacts)
    assert len(customers) == len(account.rows("customers")), "two customers have one key"


def _edit_both_sides(account: Sandbox, crm: Crm, random: Random, number: int) -> dict[str, str]:
    """Change and create rows on both sides. Return the notes that must be everywhere, by first name."""
    by_person, by_crm = random.sample(crm.execute("select * from crm.contacts where first_name > ''").fetchall(), 2)
    row_id = next(row["id"] for row in account.rows("customers") if _crm_key(account, row) == by_person["id"])
    new = {"first_name": f"Walk-in {number}", "notes": f"new in FieldPulse {number}"}
    with httpx.Client(base_url=account.url, headers={"x-api-key": account.key}) as office:
        office.put(f"/customers/{row_id}", json={"notes": f"by a person {number}"}).raise_for_status()
        office.post("/customers", json=new).raise_for_status()
    crm.execute("update crm.contacts set notes = %s where id = %s", [f"by the CRM {number}", by_crm["id"]])
    values = [f"N-{number}", f"Caller {number}", f"new in the CRM {number}"]
    crm.execute("insert into crm.contacts (id, first_name, notes) values (%s, %s, %s)", values)
    return {
        by_person["first_name"]: f"by a person {number}",
        by_crm["first_name"]: f"by the CRM {number}",
        new["first_name"]: new["notes"],
        values[1]: values[2],
    }


def _crm_key(account: Sandbox, customer: Row) -> str | None:
    (field,) = (row["id"] for row in account.rows("custom_fields") if row["name"] == "CRM id")
    return next((entry["value"] for entry in customer["customfields"] if entry["field_instance_id"] == field), None)


def _values(row: Row) -> list[str]:
    return [row[name] or "" for name in FIELDS]
