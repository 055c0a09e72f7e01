"""`fieldpulse rejects`: list, show, replay and drop the records that wait in the rejects file."""

from __future__ import annotations

import io
import json
import shutil
import sys
from collections.abc import Iterable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from sqlalchemy import delete

from fieldpulse_api.errors import RecordInvalid, RunLocked
from fieldpulse_api.http.client import Client
from fieldpulse_api.reading.account import read_account_id
from fieldpulse_api.values.scalars import iso_timestamp
from fieldpulse_api.values.strict_json import encode
from fieldpulse_plugin.output import for_output

from .command_run import CONFIG_OPTION, read_config, run_target
from .ledger.database import LedgerDatabase
from .ledger.run_marker import RunMarkers
from .ledger.tables import REJECTS
from .reporting.open_rejects import RejectEntry, read_all_entries
from .reporting.rejects_lines import RejectLine, read_reject_lines, remove_lines
from .settings import ledger_url_of, rejects_path_of
from .target import TargetFieldPulse

_MAX_COLUMN_WIDTH, _MAX_WIDTH = 18, 160  # letters of a stream or a key, and of a line
_NEXT_STEPS = """
fieldpulse rejects show KEY     the whole reason; with --show-values the record
fieldpulse rejects replay KEY   send it again, once its source or its line in the file is corrected; all without KEY
fieldpulse rejects drop KEY     give it up
An uncertain record may be in FieldPulse: see `fieldpulse ledger list --pending` first."""


@dataclass(frozen=True)
class _Rejects:
    """The configuration of the target, the entries of its ledger and the lines of its rejects file, by content."""

    config: Mapping[str, Any]
    entries: list[RejectEntry]
    lines: Mapping[str, RejectLine]

    @property
    def ledger_url(self) -> str:
        return ledger_url_of(self.config)

    @property
    def path(self) -> Path:
        return rejects_path_of(self.config)

    @property
    def open(self) -> list[RejectEntry]:
        return [entry for entry in self.entries if not entry.closed_at]

    @property
    def unknown(self) -> set[str]:
        """The contents of lines that have no entry yet: a run was killed, and the next one adds them."""
        return self.lines.keys() - {entry.content for entry in self.entries}

    def choose(self, names: Iterable[str]) -> list[RejectEntry]:
        """Return the open entries of keys and numbers. Raises: RecordInvalid for one that is unknown or ambiguous."""
        return list({entry.number: entry for name in names for entry in self._find(name)}.values())

    def _find(self, name: str) -> list[RejectEntry]:
        found = [entry for entry in self.open if name in (entry.key.text, f"@{entry.number}")]
        found = found or [entry for entry in self.open if name == str(entry.number)]
        if len({(entry.account, entry.key) for entry in found}) == 1:
            return found
        choices = ", ".join(f"@{entry.number} ({entry.key.stream})" for entry in found)
        raise RecordInvalid(
            f"Several open records have this key: {choices}." if found else "No open record has this key or number.",
            where=f"ledger · key {for_output(name)}",
            hint="give the number, such as @12" if found else "see `fieldpulse rejects list`",
        )


@click.group(invoke_without_command=True)
@CONFIG_OPTION
@click.pass_context
def rejects(context: click.Context, paths: tuple[str, ...]) -> None:
    """List, replay and drop the records that were rejected, failed or are uncertain, and were not written since.

    Without a command, it lists them.
    """
    context.obj = read_config(context, paths)
    if context.invoked_subcommand is None:
        context.invoke(list_rejects, as_json=False)


@rejects.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def list_rejects(config: Mapping[str, Any], *, as_json: bool) -> None:
    """List the open records: number, stream, key, since when, how often, and the reason."""
    found = _read(config)
    if as_json:
        click.echo(json.dumps([_facts(entry, found) for entry in found.open], indent=2))
    else:
        width = min(shutil.get_terminal_size().columns, _MAX_WIDTH)
        for line in _table(found, width):
            click.echo(line)
        if found.open:
            click.echo(_NEXT_STEPS, err=True)
    if found.unknown:
        click.echo(f"The next run adds {len(found.unknown)} more of {found.path}: a run was killed.", err=True)


@rejects.command()
@click.argument("names", metavar="KEY|NUMBER...", nargs=-1, required=True)
@click.option("--show-values", is_flag=True, help="Also print the record.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def show(config: Mapping[str, Any], names: tuple[str, ...], *, show_values: bool, as_json: bool) -> None:
    """Show the whole reason of open records. FieldPulse's own words may name a person."""
    found = _read(config)
    facts = [_facts(entry, found, in_full=True, with_record=show_values) for entry in found.choose(names)]
    if as_json:
        click.echo(json.dumps(facts, indent=2))
        return
    for each in facts:
        times = "once" if each["times"] == 1 else f"{each['times']} times"
        click.echo(for_output(f"@{each['number']}  {each['stream']}  {each['key'] or '(no key)'}"))
        click.echo(f"  {each['outcome']} {times}, from {each['first_at']} to {each['last_at']}")
        click.echo(for_output(f"  {each['reason']}"))
        if not each["in_file"]:
            click.echo(f"  the record is not in {found.path}")
        elif not show_values:
            click.echo("  the record itself: the same command with --show-values")
        if "record" in each:
            click.echo(for_output(f"  {json.dumps(each['record'], ensure_ascii=False)}"))


@rejects.command()
@click.argument("names", metavar="[KEY|NUMBER]...", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Print what is still open as JSON.")
@click.pass_obj
def replay(config: Mapping[str, Any], names: tuple[str, ...], *, as_json: bool) -> None:
    """Send open records again: all, or those of some keys. The exit status is that of the run.

    Records that are written leave the rejects file. Uncertain ones are looked for first.
    """
    target = TargetFieldPulse(config=dict(config))
    with closing(Client(target.settings.client_settings)) as client:
        account = read_account_id(client)
    found = _read(config)
    chosen = {entry.content for entry in (found.choose(names) if names else found.open) if entry.account == account}
    chosen |= set() if names else found.unknown
    lines = [line for content, line in found.lines.items() if content in chosen]
    if len(lines) < len(chosen):
        click.echo(f"{len(chosen) - len(lines)} open records are not in {found.path}.", err=True)
    status = _run(config, lines) if lines else int(bool(chosen))
    chosen_entries = [entry for entry in _read(config).entries if entry.content in chosen]
    with suppress(RunLocked):  # their lines stay, and count no more
        _remove(found, [entry for entry in chosen_entries if entry.closed_at], deletes=False)
    if as_json:
        after = _read(config)
        still_open = [_facts(entry, after) for entry in after.open if entry.content in chosen]
        click.echo(json.dumps({"exit_status": status, "replayed": len(lines), "open": still_open}, indent=2))
    elif not lines:
        click.echo("No record is replayed.", err=True)
    sys.exit(status)


@rejects.command()
@click.argument("names", metavar="KEY|NUMBER...", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print what was dropped as JSON.")
@click.pass_obj
def drop(config: Mapping[str, Any], names: tuple[str, ...], *, yes: bool, as_json: bool) -> None:
    """Give open records up: remove their entries, and their lines from the rejects file."""
    found = _read(config)
    chosen = found.choose(names)
    if not yes:
        for entry in chosen:
            click.echo(for_output(f"@{entry.number}  {entry.key.stream}  {entry.key.text or '(no key)'}"), err=True)
        click.confirm(
            "What these records say is lost, unless their source sends it again. FieldPulse keeps its rows. Drop them?",
            abort=True,
            err=True,
        )
    dropped = _remove(found, chosen, deletes=True)
    if as_json:
        click.echo(json.dumps([_facts(entry, found) for entry in dropped], indent=2))
    else:
        click.echo(f"dropped: {len(dropped)}")


def _read(config: Mapping[str, Any]) -> _Rejects:
    found = _Rejects(config, [], {line.content: line for line in read_reject_lines(rejects_path_of(config))})
    found.entries.extend(read_all_entries(found.ledger_url))
    return found


def _run(config: Mapping[str, Any], lines: Iterable[RejectLine]) -> int:
    """Run the target on lines of the rejects file, each behind its SCHEMA, and return the exit status."""
    text, schema_line = io.StringIO(), b""
    for line in lines:
        if line.schema_line != schema_line:
            schema_line = line.schema_line
            text.write(schema_line.decode(errors="surrogateescape"))
        text.write(line.line.decode(errors="surrogateescape").rstrip("\n") + "\n")
    text.seek(0)
    return run_target(config, text)


def _remove(found: _Rejects, entries: Iterable[RejectEntry], *, deletes: bool) -> list[RejectEntry]:
    """Remove the lines of entries while no run writes their streams, and return the entries. Raises: RunLocked.

    The line goes first: a line without an entry would open again. An entry that was changed meanwhile stays.
    """
    removed: list[RejectEntry] = []
    by_account: dict[str, list[RejectEntry]] = {}
    for entry in entries:
        by_account.setdefault(entry.account, []).append(entry)
    if not by_account:
        return removed
    with closing(LedgerDatabase(found.ledger_url)) as database:
        for account, chosen in by_account.items():
            with closing(RunMarkers(database, account, run_id="")) as runs:
                for stream in sorted({entry.key.stream for entry in chosen}):
                    runs.lock(stream)
                now = {entry.number: entry for entry in read_all_entries(found.ledger_url)}
                unchanged = [entry for entry in chosen if now.get(entry.number) == entry]
                remove_lines(found.path, {entry.content for entry in unchanged})
                if deletes:
                    with database.begin() as connection:
                        numbers = [entry.number for entry in unchanged]
                        connection.execute(delete(REJECTS).where(REJECTS.c.number.in_(numbers)))
                removed += unchanged
    return removed


def _table(found: _Rejects, width: int) -> Iterable[str]:
    if not found.open:
        return ["No records are open."]
    rows: list[tuple[str, ...]] = [("no", "stream", "key", "since (UTC)", "times", "reason")]
    for entry in found.open:
        reason = entry.reason if entry.outcome == "rejected" else f"{entry.outcome}: {entry.reason}"
        names = (_cut(name, _MAX_COLUMN_WIDTH) for name in (entry.key.stream, entry.key.text or "(no key)"))
        rows.append((f"@{entry.number}", *names, f"{entry.first_at:%m-%d %H:%M}", str(entry.times), for_output(reason)))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [_cut(" ".join(map(str.ljust, row, widths)).rstrip(), width) for row in rows]


def _cut(text: str, width: int) -> str:
    text = for_output(text)
    return text if len(text) <= width else f"{text[: width - 1]}…"


def _facts(entry: RejectEntry, found: _Rejects, *, in_full: bool = False, with_record: bool = False) -> dict[str, Any]:
    """Return an entry as JSON; `in_full` with FieldPulse's own words, as the rejects file has them."""
    line = found.lines.get(entry.content)
    message = line.message() if line and (in_full or with_record) else {}
    facts: dict[str, Any] = {
        "number": entry.number,
        "account": entry.account,
        "stream": entry.key.stream,
        "key": entry.key.text,
        "outcome": entry.outcome,
        "reason": str(message.get("rejected") or entry.reason),
        "first_at": iso_timestamp(entry.first_at),
        "last_at": iso_timestamp(entry.last_at),
        "times": entry.times,
        "in_file": line is not None,
    }
    if with_record and "record" in message:
        facts["record"] = json.loads(encode(message["record"]))
    return facts
