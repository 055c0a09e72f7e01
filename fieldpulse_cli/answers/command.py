"""`fieldpulse answers`: SQL views over the tables of a loader, created in the warehouse or printed."""

from __future__ import annotations

from collections.abc import Callable

import click

from fieldpulse_api.errors import ConfigError
from fieldpulse_plugin.settings import zone_of

from .answer import ANSWERS, Answer
from .database import create_view, missing_from, transaction
from .warehouse import OPTIONAL, Warehouse, quoted

_SETTINGS = {
    "deleted_rows": "There is no table deleted_rows: rows that were deleted in FieldPulse still count. The setting"
    " detect_deletes of the tap makes it.",
    "custom_status": "The estimates have no custom_status: accepted estimates still count as open. The setting"
    " detail_streams of the tap makes it.",
}
"""What the answers lack, by the member of `OPTIONAL` that is missing."""


def _common_options(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option("--into", default="answers", show_default=True, help="The schema of the views; it is created."),
        click.option(
            "--timezone", required=True, help="Zone of the account, such as America/Chicago: days begin there."
        ),
        click.option("--schema", required=True, help="The schema with the loader's tables, such as fieldpulse."),
        click.argument("names", nargs=-1, metavar="[NAME]..."),
    ):
        command = option(command)
    return command


@click.group()
def answers() -> None:
    """Print SQL views that answer what people ask of FieldPulse data, for PostgreSQL and DuckDB."""


@answers.command("list")
def list_answers() -> None:
    """Print each view's name, its question, and the streams that it reads."""
    for answer in ANSWERS.values():
        click.echo(f"{answer.name}: {answer.question}\n    reads {', '.join(answer.streams)}")


@answers.command()
@_common_options
@click.option(
    "--url",
    required=True,
    envvar="FIELDPULSE_ANSWERS_URL",
    help="The warehouse: postgresql://… or duckdb:///FILE. A URL with a password belongs into FIELDPULSE_ANSWERS_URL.",
)
def create(names: tuple[str, ...], schema: str, timezone: str, into: str, url: str) -> None:
    """Create the views in a warehouse, or these views, as far as it has what they read.

    What it lacks is said. Run it again after the tap or the loader got other settings: views are replaced.
    """
    _check(schema, timezone, into)
    with transaction(url, "--url") as execute:
        warehouse = Warehouse(schema, timezone, missing_from(execute, schema))
        possible = _possible(names, warehouse, where=f"schema {schema}", hint="load the streams that are missing")
        execute(f"create schema if not exists {quoted(into)}")
        for answer in possible:
            create_view(execute, answer, warehouse, into)
    for name, consequence in _SETTINGS.items():
        if name in warehouse.without:
            click.echo(consequence, err=True)
    click.echo(f"Created {len(possible)} views in the schema {into}: {', '.join(answer.name for answer in possible)}")


@answers.command()
@_common_options
@click.option(
    "--without",
    multiple=True,
    type=click.Choice(OPTIONAL),
    metavar="NAME",
    help="A table that the warehouse lacks: deleted_rows (detect_deletes is off) or a stream; or the column"
    " custom_status (detail_streams lacks estimates). Can be repeated.",
)
def views(names: tuple[str, ...], schema: str, timezone: str, into: str, without: tuple[str, ...]) -> None:
    """Print the statements that create the views, or these views: pipe them into psql or duckdb.

    Creating a view again replaces it. A view needs no tables but those of its streams. `fieldpulse answers create`
    finds out by itself what the warehouse lacks.
    """
    _check(schema, timezone, into)
    warehouse = Warehouse(schema, timezone, frozenset(without))
    possible = _possible(names, warehouse, where="--without", hint="`fieldpulse answers list` has what a view reads")
    click.echo(f"create schema if not exists {quoted(into)};\n")
    click.echo("\n".join(answer.view(warehouse, into) for answer in possible))


def _check(schema: str, timezone: str, into: str) -> None:
    """Raise ConfigError for a zone that does not exist, or a schema that has no name."""
    zone_of(timezone, "--timezone")
    for option, name in (("--schema", schema), ("--into", into)):
        if not name or not name.isprintable():
            raise ConfigError(
                "The name of a schema is empty or has control characters.",
                where=option,
                hint="give the name of a schema, such as fieldpulse",
            )


def _possible(names: tuple[str, ...], warehouse: Warehouse, *, where: str, hint: str) -> list[Answer]:
    """Return the answers that a warehouse can give, and name the others. Raises: ConfigError if it can give none."""
    possible = []
    for answer in (_answer(name) for name in dict.fromkeys(names or ANSWERS)):
        if missing := sorted(warehouse.without & set(answer.streams)):
            click.echo(f"Left out {answer.name}: it reads {', '.join(missing)}.", err=True)
        else:
            possible.append(answer)
    if not possible:
        raise ConfigError("No view is left.", where=where, hint=hint)
    return possible


def _answer(name: str) -> Answer:
    """Return an answer by its name. Raises: ConfigError."""
    if name in ANSWERS:
        return ANSWERS[name]
    raise ConfigError(f"There is no answer {name!r}.", where="argument NAME", hint=f"use {', '.join(ANSWERS)}")
