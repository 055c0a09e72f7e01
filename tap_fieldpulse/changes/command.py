"""`fieldpulse deleted`: which rows of a warehouse were deleted in FieldPulse before `detect_deletes` was on."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import click

from fieldpulse_api.errors import ConfigError, UserError
from fieldpulse_api.http.client import Client
from fieldpulse_api.resources.catalogue import BY_NAME
from fieldpulse_api.resources.model import Operation
from fieldpulse_api.values.scalars import optional_int, to_integer
from fieldpulse_plugin.environment import environment_variables, settings_from_environment
from fieldpulse_plugin.exit_codes import check_stream
from fieldpulse_plugin.settings import SHARED_SETTINGS, client_settings
from fieldpulse_plugin.validation import check_settings
from tap_fieldpulse.settings import TAP_SETTINGS, TapSettings

from .delete_detection import DeleteDetector
from .deleted_rows import DELETED_ROWS, KEYS, SCHEMA, deleted_row

_PREFIX = "TAP_FIELDPULSE_"
_LOGGER = logging.getLogger(__name__)
_STREAMS = [
    resource.name for resource in BY_NAME.values() if Operation.GET in resource.operations and not resource.parent
]


@click.command()
@click.option("--stream", required=True, type=click.Choice(_STREAMS), help="Stream of the rows.", metavar="NAME")
@click.option(
    "--ids",
    metavar="FILE",
    help="File of ids, one on a line; -: stdin.",
)
@click.option("--url", help="SQLAlchemy URL of the warehouse, instead of --ids.")
@click.option("--table", help="Table with the column `id` at that URL, such as fieldpulse.invoices.")
def deleted(stream: str, ids: str | None, url: str | None, table: str | None) -> None:
    """Print which rows of a warehouse are deleted in FieldPulse, as a Singer stream `deleted_rows`.

    Asks for every id: one request each. Settings come from the environment or from `.env`, as the tap has them. Above
    max_delete_percent, nothing is printed and the exit status is 4.
    """
    if (ids is None) == (url is None) or (url is None) != (table is None):
        raise click.UsageError("give either --ids, or --url and --table")
    settings = _settings()
    known_ids = _ids_of_table(str(url), str(table)) if ids is None else _ids_of_lines(_lines(ids))
    rows = [{"id": row_id} for row_id in sorted(set(known_ids))]
    resource = BY_NAME[stream]
    with closing(Client(settings.client or client_settings({}))) as client:
        detector = DeleteDetector(
            client, resource, settings.read_options, _LOGGER, max_percent=settings.max_delete_percent
        )
        missing = detector.explain(rows, len(rows))
    now = datetime.now(timezone.utc)
    _print({"type": "SCHEMA", "stream": DELETED_ROWS, "schema": SCHEMA, "key_properties": list(KEYS)})
    for row_id in missing.deleted_ids:
        record = deleted_row(stream, row_id, missing.deleted_at.get(row_id), now)
        _print({"type": "RECORD", "stream": DELETED_ROWS, "record": record})
    counts = f"ids={len(rows)} deleted={len(missing.deleted_ids)} moved={len(missing.moved_ids)}"
    click.echo(f"fieldpulse deleted: {stream}: {counts}", err=True)


def _settings() -> TapSettings:
    properties = {**SHARED_SETTINGS, **TAP_SETTINGS}
    config = settings_from_environment(_PREFIX, properties, environment_variables())
    check_settings(config, {"type": "object", "properties": properties}, where=f"environment · {_PREFIX}…")
    defaults = {name: schema["default"] for name, schema in properties.items() if "default" in schema}
    return TapSettings.from_config(defaults | config)


def _lines(path: str) -> list[str]:
    """Return the lines of a file; `-` is standard input. Bytes that are not UTF-8 make no id. Raises: UserError."""
    try:
        content = _standard_input() if path == "-" else Path(path).read_bytes()
    except OSError as error:
        raise UserError(f"{error.strerror}.", where=f"--ids {path}", hint="check the path") from None
    return content.decode("utf-8-sig", errors="replace").splitlines()


def _standard_input() -> bytes:
    check_stream(sys.stdin, "standard input")
    return sys.stdin.buffer.read()


def _ids_of_lines(lines: Iterable[str]) -> Iterator[int]:
    """Yield the ids of a file. Raises: UserError for a line that is not an id, apart from the heading `id`."""
    for number, line in enumerate(lines, start=1):
        word = line.strip().strip('"')
        row_id = optional_int(word)
        if row_id is not None:
            yield row_id
        elif word and not (number == 1 and word.lower() == "id"):
            raise UserError("A line is not an id.", where=f"--ids · line {number}", hint="write one id on each line")


def _ids_of_table(url: str, table: str) -> list[int]:
    """Return the ids of a table. Raises: ConfigError."""
    from sqlalchemy import Select, column, select  # noqa: PLC0415  other commands need no SQLAlchemy
    from sqlalchemy import table as table_of  # noqa: PLC0415  as above
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415  as above

    from fieldpulse_plugin.stores.database import engine_of  # noqa: PLC0415  as above

    schema, _, name = table.rpartition(".")
    try:
        with engine_of(url, store="warehouse", reads_only=True).connect() as connection:
            query: Select[tuple[Any]] = select(column("id")).select_from(
                table_of(name, column("id"), schema=schema or None)
            )
            return [to_integer(row_id) or 0 for (row_id,) in connection.execute(query) if row_id is not None]
    except (SQLAlchemyError, ValueError, ConfigError) as error:
        raise ConfigError(
            f"The ids cannot be read ({type(error).__name__}).",
            where=f"--url · --table {table}",
            hint="check the URL and the server; the table needs its schema's name, and a column `id` of whole numbers",
        ) from None


def _print(message: dict[str, Any]) -> None:
    click.echo(json.dumps(message, separators=(",", ":")))
