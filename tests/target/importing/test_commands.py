"""`fieldpulse import` and `fieldpulse move`, from the file to the rows of the account."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from fieldpulse_sandbox.sandbox import Sandbox
from target_fieldpulse.importing.commands import import_file, move
from target_fieldpulse.target import TargetFieldPulse
from tests.harness.commands import run_command
from tests.harness.results import RunResult
from tests.target.shared import newest_row, write_requests

Config = dict[str, Any]
Run = Callable[..., RunResult]
LEADS = (
    "\ufeffFirst Name;LAST NAME;E-Mail;Phone;Units;Tags;Shoe size\r\n"
    "Ada;Loft;Ada@Example.com;214-555-0110;4;VIP, Landlord;40\r\n"
    "\r\n"
    'Ben;"Line\r\nbreak";ben@example.com;;;;\r\n'
)


class _Command:
    """A command as `run_command` runs a plugin's: with the console log of the SDK."""

    def __init__(self, command: click.Command) -> None:
        self._command = command

    @property
    def cli(self) -> click.Command | None:
        """Return the command, once logging is configured."""
        return self._command if TargetFieldPulse.cli else None


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Start a small account."""
    with Sandbox(customers=6) as sandbox:
        yield sandbox


@pytest.fixture
def run(target_config: Config, tmp_path: Path) -> Run:
    """Return what runs one of the commands on the bytes of a file."""
    config = tmp_path / "config.json"
    config.write_text(json.dumps(target_config))

    def run(command: Any, *arguments: str, content: str | bytes = b"", **settings: Any) -> RunResult:
        config.write_text(json.dumps(target_config | settings))
        content = content.encode() if isinstance(content, str) else content
        path = tmp_path / "leads.csv"
        path.write_bytes(content)
        arguments = tuple(str(path) if each == "FILE" else each for each in arguments)
        return run_command(_Command(command), *arguments, "--config", str(config))  # type: ignore[arg-type]

    return run


def test_a_list_of_an_office_becomes_customers_once(sandbox: Sandbox, run: Run) -> None:
    """Headers find their properties; the dry run says the same and writes nothing; a second import changes nothing."""
    arguments = ("customers", "FILE", "--map", "Units=custom_fields.Number of units")
    before, count = len(sandbox.requests), len(sandbox.rows("customers"))
    dry_run = run(import_file, *arguments, "--dry-run", content=LEADS)
    assert write_requests(sandbox, before) == []
    result = run(import_file, *arguments, content=LEADS)
    assert (result.status, result.counts) == (0, {"created": 2}) == (dry_run.status, dry_run.counts)
    assert "ignored: Shoe size" in result.stderr
    ada, ben = sorted(sandbox.rows("customers")[count:], key=lambda row: str(row["first_name"]))
    assert (ada["first_name"], ada["email"], len(ada["tags"])) == ("Ada", "Ada@example.com", 2)
    assert [value["value"] for value in ada["customfields"]] == ["4"]
    assert ben["last_name"] == "Line\r\nbreak"
    changed = LEADS.replace("Ada@Example.com;214-555-0110", "ada@example.com;214-555-0199")
    assert run(import_file, *arguments, content=changed).counts == {"unchanged": 1, "updated": 1}
    assert len(sandbox.rows("customers")) == count + 2


def test_every_reject_names_its_row(run: Run) -> None:
    """A wrong cell, a missing key, a key that is not an address: the row is that of the spreadsheet."""
    content = "E-Mail,First Name,Status\na@example.com,A,\nb@example.com,B,stranger\n,C,\nnot an address,D,\n"
    result = run(import_file, "customers", "FILE", content=content)
    assert (result.status, result.counts) == (1, {"created": 1, "rejected": 3})
    assert "without a key (E-Mail), to be rejected: row 4, 5" in result.stderr
    rejects = [line for line in result.stderr.splitlines() if "rejected:" in line and "WARNING" in line]
    assert (
        sorted(f"(row {number} · field" in line for line in rejects for number in (3, 4, 5)) == [False] * 6 + [True] * 3
    )
    assert "not an address" not in result.stderr


def test_keys_of_a_file_get_a_prefix_and_refer_to_each_other(sandbox: Sandbox, run: Run) -> None:
    """A text with columns in braces is a key, and the same text refers to the row of that key."""
    leads = "Lead no,First Name\n7,Ada\n8,Ben\n"
    assert run(import_file, "customers", "FILE", "--key", "fair-{Lead no}", content=leads).counts == {"created": 2}
    jobs = "No,Lead no,Job type\n1,7,Tune-up\n2,9,Repair\n"
    keys = ("--key", "job-{No}", "--map", "fair-{Lead no}=customer_external_id")
    result = run(import_file, "jobs", "FILE", *keys, content=jobs)
    assert result.counts == {"created": 1, "rejected": 1}
    ada = next(row for row in sandbox.rows("customers") if row["first_name"] == "Ada" and not row["last_name"])
    assert newest_row(sandbox, "jobs")["customer_id"] == ada["id"]


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["--map", "Email=email"], "The file has no column 'Email': allowed: E-Mail, Name; did you mean 'E-Mail'?"),
        (["--map", "Name=frist_name"], "did you mean 'first_name'?"),
        (["--map", "Name=custom_fields."], "`customers` has no property of this name"),
        (["--map", "Name"], "has no `=` between column and property"),
        (["--map", "Name=notes", "--map", "E-Mail=notes"], "Two columns are mapped to `notes`"),
        (["--key", "Lead {no}"], "The file has no column 'no'"),
        (["--map", "E-Mail="], "No column is the key of the records"),
    ],
    ids=str,
)
def test_a_wrong_mapping_is_explained_before_anything_is_sent(
    sandbox: Sandbox, run: Run, arguments: list[str], what: str
) -> None:
    """The message names the column or property, and the existing names."""
    before = len(sandbox.requests)
    result = run(import_file, "customers", "FILE", *arguments, content="E-Mail,Name\na@example.com,A\n")
    assert result.status == 2
    assert what in result.stderr
    assert "where:" in result.stderr
    assert sandbox.requests[before:] == []


def test_addresses_move_to_a_stage(sandbox: Sandbox, run: Run) -> None:
    """Case and spaces of the stage do not count. An unknown address is rejected with its line."""
    stage = next(row for row in sandbox.rows("pipeline_statuses"))
    customer = next(
        row for row in sandbox.rows("customers") if row["email"] and row["pipeline_status_id"] != stage["id"]
    )
    name = str(stage.get("status") or stage["name"])
    content = f"\ufeff{customer['email']}\r\n\r\nstranger@example.com\n"
    arguments = ("FILE", "--to", f" {name.upper()}")
    assert run(move, *arguments, "--dry-run", content=content).counts == {"updated": 1, "rejected": 1}
    result = run(move, *arguments, content=content)
    assert (result.status, result.counts) == (1, {"updated": 1, "rejected": 1})
    assert "row 3 · field customer_email" in result.stderr
    assert sandbox.store.get("customers", customer["id"])["pipeline_status_id"] == stage["id"]


def test_an_unknown_stage_moves_nobody(sandbox: Sandbox, run: Run) -> None:
    """One message, with the existing stages, instead of a reject for each line."""
    before = len(sandbox.requests)
    result = run(move, "FILE", "--to", "Contcted", content="a@example.com\nb@example.com\n")
    assert result.status == 2
    assert "did you mean 'Contacted'?" in result.stderr
    assert write_requests(sandbox, before) == []


def test_settings_for_the_streams_of_a_pipeline_do_not_touch_a_file(sandbox: Sandbox, run: Run) -> None:
    """`stream_maps` that rename the streams of a CRM would drop every column of the file."""
    maps = {"customers": {"email": "email", "__else__": "__NULL__"}}
    content = "E-Mail,First Name\na@example.com,Ada\n"
    assert run(import_file, "customers", "FILE", content=content, stream_maps=maps).counts == {"created": 1}
    assert newest_row(sandbox, "customers")["first_name"] == "Ada"
