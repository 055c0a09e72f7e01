"""`fieldpulse ledger`: what the ledger knows, listed, exported, and settled by hand. Asks FieldPulse nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timezone

import click
import msgspec

from fieldpulse_api.errors import ConfigError, RecordInvalid, got_and_allowed
from fieldpulse_api.values.scalars import iso_timestamp
from target_fieldpulse.records.ledger_key import LedgerKey
from target_fieldpulse.settings import TARGET_SETTINGS

from .ledger import Entry, Ledger

_VARIABLE = "TARGET_FIELDPULSE_LEDGER_URL"


@click.group()
@click.option("--ledger-url", help=f"Where the ledger is; else {_VARIABLE}, else as the target has it by default.")
@click.option("--account", help="Which account, where the ledger has several.")
@click.pass_context
def ledger(context: click.Context, ledger_url: str | None, account: str | None) -> None:
    """Look into the target's ledger, and settle what is in doubt. Needs no key and no network."""
    context.obj = (ledger_url or os.environ.get(_VARIABLE) or TARGET_SETTINGS["ledger_url"]["default"], account)


@ledger.command("list")
@click.option("--stream", help="Only this stream.")
@click.option("--pending", is_flag=True, help="Only creates and links whose outcome is unknown.")
@click.pass_obj
def list_entries(where: tuple[str, str | None], stream: str | None, *, pending: bool) -> None:
    """List what is known: stream, key, status, FieldPulse's id, and since when."""
    with _open_ledger(where) as one:
        shown = 0
        for entry in one.entries(stream):
            if entry.status == "pending" or not pending:
                shown += 1
                status = entry.status
                click.echo(
                    f"{entry.stream:20} {entry.source_key:40} {status:9} {entry.row_id or '':>12} {_updated_at(entry)}"
                )
        click.echo(f"{shown} entries of account {one.account}", err=True)


@ledger.command()
@click.option("--stream", help="Only this stream.")
@click.pass_obj
def export(where: tuple[str, str | None], stream: str | None) -> None:
    """Write the ledger as JSON lines: which of your keys is which row of FieldPulse."""
    with _open_ledger(where) as one:
        for entry in one.entries(stream):
            line = {
                "account": one.account,
                "stream": entry.stream,
                "external_id": entry.source_key,
                "id": entry.row_id,
                "status": entry.status,
                "at": _updated_at(entry),
            }
            click.echo(msgspec.json.encode(line))


@ledger.command()
@click.option("--stream", required=True, help="The stream, as `list --pending` shows it.")
@click.option("--key", required=True, help="The key, as `list --pending` shows it.")
@click.option("--created", type=click.IntRange(min=1), help="It happened: the id of the row in FieldPulse.")
@click.option("--not-created", is_flag=True, help="It did not happen: the record is created when it comes again.")
@click.option("--made", is_flag=True, help="The link was made (for keys of links, which have no row).")
@click.pass_obj
def settle(
    where: tuple[str, str | None], stream: str, key: str, created: int | None, *, not_created: bool, made: bool
) -> None:
    """Say what became of a create or a link whose outcome is unknown."""
    if (created is not None) + not_created + made != 1:
        raise click.UsageError("give one of --created, --not-created, --made")
    with _open_ledger(where) as one:
        one.lock_stream(stream, writes=False)
        entry = one.find(LedgerKey.from_text(stream, key))
        if entry is None or entry.status != "pending" or (not not_created and made == bool(entry.fingerprint)):
            raise RecordInvalid(
                f"Nothing of stream {stream} is in doubt under this key in that way.",
                where=f"ledger of account {one.account} · key {key}",
                hint="look at `fieldpulse ledger list --pending`; links are settled with --made or --not-created",
            )
        if not_created:
            one.forget(entry.key)
        elif made:
            one.upsert(entry.key, row_id=None, parent_ids={}, property_hashes=entry.property_hashes)
        else:
            one.upsert(entry.key, row_id=created, parent_ids=entry.parent_ids, status="linked")
        click.echo(f"settled: {stream} {key}")


@contextmanager
def _open_ledger(where: tuple[str, str | None]) -> Iterator[Ledger]:
    """Open the ledger of the one account that is meant. Raises: BadSetting."""
    url, account = where
    known = Ledger.accounts(url)
    if account is None and len(known) == 1:
        account = known[0]
    if account not in known:
        what = (
            f"The ledger knows no such account: {got_and_allowed(account, known)}." if known else "The ledger is empty."
        )
        do = "name one with --account, or check the ledger's address"
        raise ConfigError(what, where="--ledger-url · --account", hint=do)
    with closing(Ledger(url, str(account))) as one:
        yield one


def _updated_at(entry: Entry) -> str:
    return iso_timestamp(datetime.fromtimestamp(entry.updated_at, timezone.utc))
