"""`fieldpulse import` writes the rows of a CSV file, `fieldpulse move` moves customers to a stage of the pipeline.

Both hand records to the target, so that the ledger, the limits, the rejects and the dry run are those of a pipeline.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable, Mapping
from contextlib import closing
from typing import IO, Any

import click

from fieldpulse_api.errors import UserError, allowed_and_similar
from fieldpulse_api.http.client import Client
from fieldpulse_api.reading.full_scan import read_whole_list
from fieldpulse_api.reading.pages import Pages, ReadOptions
from fieldpulse_api.resources.catalogue import BY_NAME, WRITABLE
from fieldpulse_api.values.strict_json import encode
from fieldpulse_api.values.text import normalized
from fieldpulse_plugin.output import for_output
from target_fieldpulse.command_run import CONFIG_OPTION, read_config, run_target
from target_fieldpulse.records.parsed_record import EXTERNAL_ID, ROW_NUMBER
from target_fieldpulse.target import TargetFieldPulse

from .csv_file import decoded, listed, read_csv
from .mapping import make_mapping

_STREAMS = sorted(name for name, resource in WRITABLE.items() if not resource.write_spec.target_resource)
_MOVES = "pipeline_statuses"
_OF_PIPELINES = ("stream_maps", "stream_map_config", "flattening_enabled")
"""Settings that are meant for the streams of a pipeline's source, not for those of a file."""
_DRY_RUN = click.option("--dry-run", is_flag=True, help="Show what would be written, and write nothing.")


@click.command("import")
@click.argument("stream", type=click.Choice(_STREAMS), metavar="STREAM")
@click.argument("file", type=click.File("rb"))
@click.option(
    "--map",
    "pairs",
    multiple=True,
    metavar="COLUMN=PROPERTY",
    help="Which property a column becomes. Columns named like a property need no mapping; with nothing behind the `=`, "
    "the column is left out. PROPERTY may be custom_fields.NAME.",
)
@click.option(
    "--key",
    metavar="COLUMN",
    help="The column that tells the rows apart, or a text with columns, such as fair-{Lead no}. Default: the column "
    "of external_id, else of the e-mail address.",
)
@_DRY_RUN
@CONFIG_OPTION
@click.pass_context
def import_file(
    context: click.Context,
    stream: str,
    file: IO[bytes],
    *,
    pairs: tuple[str, ...],
    key: str | None,
    dry_run: bool,
    paths: tuple[str, ...],
) -> None:
    """Write the rows of a CSV FILE to STREAM, such as customers. `-` is the standard input.

    The file is checked as a whole before anything is sent. To import it again changes only what has changed in it. The
    exit status is that of target-fieldpulse.
    """
    config = _config(context, paths, dry_run=dry_run)
    table = read_csv(file.read(), file.name)
    mapping = make_mapping(WRITABLE[stream], table, pairs, key)
    for name, source in sorted(mapping.sources.items()):
        click.echo(for_output(f"{source.text} → {name}"), err=True)
    if mapping.ignored:
        click.echo(for_output(f"ignored: {', '.join(mapping.ignored)}"), err=True)
    records = [mapping.record(row) for row in table.rows]
    without_key = [row.number for row, record in zip(table.rows, records, strict=True) if not _has_key(record)]
    if without_key:
        columns = ", ".join(mapping.key_columns)
        click.echo(for_output(f"without a key ({columns}), to be rejected: row {listed(without_key)}"), err=True)
    sys.exit(run_target(config, _messages(stream, {name.partition(".")[0] for name in mapping.sources}, records)))


@click.command()
@click.argument("file", type=click.File("rb"), default="-")
@click.option("--to", "stage", required=True, help="The stage of the sales pipeline, by its name.")
@_DRY_RUN
@CONFIG_OPTION
@click.pass_context
def move(context: click.Context, file: IO[bytes], *, stage: str, dry_run: bool, paths: tuple[str, ...]) -> None:
    """Move customers to a stage of the sales pipeline. FILE, or the standard input, has an e-mail address in each line.

    The exit status is that of target-fieldpulse.
    """
    config = _config(context, paths, dry_run=dry_run)
    addresses = enumerate(map(str.strip, decoded(file.read(), file.name).splitlines()), 1)
    _check_stage(config, stage)
    records = [
        {ROW_NUMBER: number, "customer_email": address, "pipeline_status": stage}
        for number, address in addresses
        if address
    ]
    sys.exit(run_target(config, _messages(_MOVES, {"customer_email", "pipeline_status"}, records)))


def _has_key(record: Mapping[str, Any]) -> bool:
    return bool(record.get(EXTERNAL_ID) or record.get("id"))


def _config(context: click.Context, paths: tuple[str, ...], *, dry_run: bool) -> dict[str, Any]:
    config = read_config(context, paths)
    config = {name: value for name, value in config.items() if name not in _OF_PIPELINES}
    return config | ({"dry_run": True} if dry_run else {})


def _check_stage(config: Mapping[str, Any], stage: str) -> None:
    """Raise UserError for a stage that the account lacks: each line would be rejected."""
    settings = TargetFieldPulse(config=dict(config)).settings
    reference = WRITABLE[_MOVES].write_spec.reference("pipeline_status_id")
    with closing(Client(settings.client_settings)) as client:
        rows = list(read_whole_list(Pages(client, BY_NAME[_MOVES], ReadOptions()), ends_by_count=True))
    names = [str(row[column]) for row in rows for column in reference.name_columns if row.get(column)]
    if normalized(stage) not in map(normalized, names):
        raise UserError(
            f"The sales pipeline has no such stage: {allowed_and_similar(stage, names)}.",
            where=f"--to {stage}",
            hint="write the name as in FieldPulse",
        )


def _messages(stream: str, names: Iterable[str], records: Iterable[Mapping[str, Any]]) -> IO[str]:
    """Return the records as the output of a tap."""
    schema: dict[str, Any] = {"properties": {name: {} for name in sorted({*names, ROW_NUMBER})}}
    keys = [EXTERNAL_ID] if EXTERNAL_ID in names else []
    text = io.StringIO()
    text.write(f"{encode({'type': 'SCHEMA', 'stream': stream, 'schema': schema, 'key_properties': keys}).decode()}\n")
    for record in records:
        text.write(f"{encode({'type': 'RECORD', 'stream': stream, 'record': record}).decode()}\n")
    text.seek(0)
    return text
