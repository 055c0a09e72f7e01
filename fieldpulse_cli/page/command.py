"""`fieldpulse report`: write the page of runs. Sends no request."""

from __future__ import annotations

import webbrowser
from pathlib import Path

import click

from fieldpulse_api.errors import ConfigError, UserError
from fieldpulse_cli.history.stores import open_stores
from fieldpulse_plugin.history.facts import now
from fieldpulse_plugin.stores.private_files import replace_file


@click.command()
@click.option(
    "-o",
    "--output",
    default="report.html",
    show_default=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file to write.",
)
@click.option("--open", "opens", is_flag=True, help="Open the page in the browser.")
@click.option(
    "--plan",
    "plan_path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Show this plan of a dry run, the file of the setting plan_path.",
)
@click.option("--show-values", is_flag=True, help="Show keys, old and new values of the plan; they may be personal.")
def report(*, output: Path, opens: bool, plan_path: Path | None, show_values: bool) -> None:
    """Write one HTML file about the runs of tap and target: what needs a person, counts, requests, rejects.

    Needs no API key and no network, and neither does the page. The histories are beside the stores of
    TAP_FIELDPULSE_SNAPSHOT_URL and TARGET_FIELDPULSE_LEDGER_URL.
    """
    page = _page(plan_path, shows_values=show_values)
    try:
        replace_file(output, page.encode())
    except OSError as error:
        raise ConfigError(
            f"The page cannot be written ({error.strerror}).",
            where=f"--output {output}",
            hint="name a file in a folder that you can write to",
        ) from None
    click.echo(f"The page is in {output.resolve()}")
    if opens and not webbrowser.open(output.resolve().as_uri()):
        click.echo("No browser was found: open the file yourself.", err=True)


def _page(plan_path: Path | None, *, shows_values: bool) -> str:
    try:
        from .overview import read_overview  # noqa: PLC0415  of the extra
        from .page import render_page  # noqa: PLC0415  as above
        from .plan import read_plan  # noqa: PLC0415  as above
    except ImportError:
        raise UserError(
            "The dependencies of the page are not installed.",
            where="fieldpulse report",
            hint="pip install 'singer-fieldpulse[report]'",
        ) from None
    plan = read_plan(plan_path, shows_values=shows_values) if plan_path else None
    with open_stores() as stores:
        return render_page(read_overview(stores, now()), plan=plan, shows_values=shows_values)
