"""`fieldpulse ledger`: list and export the ledger, and settle uncertain creates by hand. Sends no request."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timezone

import click

from fieldpulse_api.errors import ConfigError, RecordInvalid, got_and_allowed
from fieldpulse_api.values.scalars import iso_timestamp
from fieldpulse_plugin.output import for_output
from fieldpulse_plugin.stores.defaults import folder_for_command, url_in
from target_fieldpulse.records.ledger_key import LedgerKey, source_key

from .database import LedgerDatabase
from .entry import Entry
from .ledger import Ledger
from .run_marker import RunMarkers

_MAX_ROW_ID = 2**63 - 1
_HOW_TO_SETTLE = """
Look for each in FieldPulse, then say what you found:
fieldpulse ledger settle --stream STREAM --key KEY --created ID     it is there
fieldpulse ledger settle --stream STREAM --key KEY --not-created    it is not: the next run sends its record again
fieldpulse ledger settle --stream STREAM --key KEY --link-created   a link is there
Without this, the next run looks for the rows itself, but never for payments, invoices and links."""
_VARIABLE = "TARGET_FIELDPULSE_LEDGER_URL"

Location = tuple[str, str | None]
"""The ledger's URL, and the account if the user named one."""


@click.group()
@click.option("--ledger-url", help=f"URL of the ledger. Default: {_VARIABLE}, else the target's default.")
@click.option("--account", help="The account, if the ledger has several.")
@click.pass_context
def ledger(context: click.Context, ledger_url: str | None, account: str | None) -> None:
    """Inspect the target's ledger, and settle uncertain creates. Needs no API key and no network."""
    context.obj = (ledger_url or os.environ.get(_VARIABLE) or url_in(folder_for_command("ledger"), "ledger"), account)


@ledger.command("list")
@click.option("--stream", help="Only this stream.")
@click.option("--pending", is_flag=True, help="Only creates and links whose outcome is unknown.")
@click.pass_obj
def list_entries(location: Location, stream: str | None, *, pending: bool) -> None:
    """List the entries: stream, key, status, FieldPulse id, time of the last change; and how to settle pending ones."""
    with _open_ledger(location) as (entries, _):
        count = 0
        for entry in entries.entries(stream):
            if entry.status == "pending" or not pending:
                count += 1
                row_id = entry.row_id or ""
                name, key = for_output(entry.key.stream), for_output(entry.key.text)
                click.echo(f"{name:20} {key:40} {entry.status:9} {row_id:>12} {_updated_at(entry)}")
        noun = "entry" if count == 1 else "entries"
        click.echo(f"{count} {noun} of account {for_output(entries.account)}", err=True)
        if pending and count:
            click.echo(_HOW_TO_SETTLE, err=True)


@ledger.command()
@click.option("--stream", help="Only this stream.")
@click.pass_obj
def export(location: Location, stream: str | None) -> None:
    """Write the entries as JSON lines: which of your keys is which row of FieldPulse."""
    with _open_ledger(location) as (entries, _):
        for entry in entries.entries(stream):
            line = {
                "account": entries.account,
                "stream": entry.key.stream,
                "external_id": entry.key.text,
                "id": entry.row_id,
                "status": entry.status,
                "at": _updated_at(entry),
            }
            # Escapes what is not ASCII: a key may hold what steers a terminal.
            click.echo(json.dumps(line, separators=(",", ":")))


@ledger.command()
@click.option("--stream", required=True, help="The stream, as `list --pending` shows it.")
@click.option("--key", "text", required=True, help="The key, as `list --pending` shows it.")
@click.option("--created", "row_id", type=click.IntRange(1, _MAX_ROW_ID), help="The create happened: its row's id.")
@click.option("--not-created", is_flag=True, help="It did not happen: the next run may send it again.")
@click.option("--link-created", is_flag=True, help="The link was created (links have no row id).")
@click.pass_obj
def settle(
    location: Location, stream: str, text: str, row_id: int | None, *, not_created: bool, link_created: bool
) -> None:
    """Settle a pending create or link, after you looked for it in FieldPulse."""
    if (row_id is not None) + not_created + link_created != 1:
        raise click.UsageError("give one of --created, --not-created, --link-created")
    with _open_ledger(location) as (entries, runs):
        runs.lock(stream)
        key = LedgerKey.from_text(stream, text)
        entry = entries.find(key)
        is_link = entry is not None and not entry.fingerprint
        if entry is None or entry.status != "pending" or (not not_created and link_created != is_link):
            raise RecordInvalid(
                f"No pending {'link' if link_created else 'create'} of {stream} has this key.",
                where=f"ledger of account {entries.account} · key {text}",
                hint="see `fieldpulse ledger list --pending`; settle links with --link-created or --not-created",
            )
        if not_created:
            entries.discard(entry)
        elif link_created:
            entries.upsert(key, row_id=None, parent_ids={}, property_hashes=entry.property_hashes)
        else:
            entries.upsert(key, row_id=row_id, parent_ids=entry.parent_ids, status="linked")
        click.echo(for_output(f"settled: {stream} {text}"))


@ledger.command()
@click.option("--stream", required=True, help="The stream.")
@click.option("--key", "text", required=True, help="The key, as `list` shows it.")
@click.option("--id", "row_id", type=click.IntRange(1, _MAX_ROW_ID), help="The row that replaces the row of the key.")
@click.option("--forget", is_flag=True, help="The next record of the key matches a row, or creates one.")
@click.pass_obj
def relink(location: Location, stream: str, text: str, row_id: int | None, *, forget: bool) -> None:
    """Give a key another row: its own was deleted in FieldPulse, or merged into another one."""
    if (row_id is not None) + forget != 1:
        raise click.UsageError("give either --id or --forget")
    with _open_ledger(location) as (entries, runs):
        runs.lock(stream)
        key = LedgerKey.from_text(stream, source_key(text))
        entry = entries.find(key)
        if entry is None or entry.status == "pending" or entry.row_id is None:
            raise RecordInvalid(
                f"The ledger has no row of {stream} for this key.",
                where=f"ledger of account {entries.account} · key {text}",
                hint="see `fieldpulse ledger list`; a pending create is settled with `fieldpulse ledger settle`",
            )
        if row_id is None:
            entries.delete(key)
        else:
            others = [other.redacted for other in entries.keys_of_row(stream, row_id) if other != key]
            if others:
                raise RecordInvalid(
                    f"Row {row_id} of {stream} belongs to the key {others[0]}.",
                    where=f"ledger of account {entries.account} · key {text}",
                    hint="a row has one key: relink that key first, or merge the records at their source",
                )
            # Its parent may be another: the next record names it.
            entries.upsert(key, row_id=row_id, parent_ids={}, updated_at=entry.updated_at)
        click.echo(for_output(f"{stream} {text}: row {entry.row_id} → {row_id or 'none'}"))


@contextmanager
def _open_ledger(location: Location) -> Iterator[tuple[Ledger, RunMarkers]]:
    """Open the entries and run markers of one account. Raises: ConfigError if the account is unknown or ambiguous."""
    url, account = location
    with closing(LedgerDatabase(url)) as database:
        accounts = Ledger.accounts(database)
        if account is None and len(accounts) == 1:
            account = accounts[0]
        if account is None or account not in accounts:
            choice = got_and_allowed(account, accounts)
            raise ConfigError(
                f"The ledger has no entries of this account: {choice}." if accounts else "The ledger is empty.",
                where="--ledger-url · --account",
                hint="name an account with --account, or check --ledger-url",
            )
        with closing(RunMarkers(database, account, run_id="")) as runs:
            yield Ledger(database, account), runs


def _updated_at(entry: Entry) -> str:
    return iso_timestamp(datetime.fromtimestamp(entry.updated_at, timezone.utc))
