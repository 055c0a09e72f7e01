"""`fieldpulse answers`: SQL views over the tables of a loader. Connects to nothing: it prints."""

from __future__ import annotations

import click

from fieldpulse_api.errors import ConfigError
from fieldpulse_plugin.settings import zone_of

from .answer import ANSWERS, Answer
from .warehouse import OPTIONAL, Warehouse, quoted


@click.group()
def answers() -> None:
    """Print SQL views that answer what people ask of FieldPulse data, for PostgreSQL and DuckDB."""


@answers.command("list")
def list_answers() -> None:
    """Print each view's name, its question, and the streams that it reads."""
    for answer in ANSWERS.values():
        click.echo(f"{answer.name}: {answer.question}\n    reads {', '.join(answer.streams)}")


@answers.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--schema", required=True, help="The schema with the loader's tables, such as fieldpulse.")
@click.option("--timezone", required=True, help="The zone of the account, such as America/Chicago: days begin there.")
@click.option("--into", default="answers", show_default=True, help="The schema of the views; it is created.")
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

    Creating a view again replaces it. A view needs no tables but those of its streams.
    """
    zone_of(timezone, "--timezone")
    for option, name in (("--schema", schema), ("--into", into)):
        if not name or not name.isprintable():
            raise ConfigError(
                "The name of a schema is empty or has control characters.",
                where=option,
                hint="give the name of a schema, such as fieldpulse",
            )
    warehouse = Warehouse(schema, timezone, frozenset(without))
    chosen = [_answer(name) for name in dict.fromkeys(names or ANSWERS)]
    possible = [answer for answer in chosen if not warehouse.without & set(answer.streams)]
    for answer in chosen:
        if answer not in possible:
            missing = ", ".join(sorted(warehouse.without & set(answer.streams)))
            click.echo(f"Left out {answer.name}: it reads {missing}.", err=True)
    if not possible:
        raise ConfigError("No view is left.", where="--without", hint="`fieldpulse answers list` has what a view reads")
    click.echo(f"create schema if not exists {quoted(into)};\n")
    click.echo("\n".join(answer.view(warehouse, into) for answer in possible))


def _answer(name: str) -> Answer:
    """Return an answer by its name. Raises: ConfigError."""
    if name in ANSWERS:
        return ANSWERS[name]
    raise ConfigError(f"There is no answer {name!r}.", where="argument NAME", hint=f"use {', '.join(ANSWERS)}")
