"""The page, written after a run."""

from __future__ import annotations

from pathlib import Path

from fieldpulse_cli.history.stores import open_stores
from fieldpulse_plugin.history.facts import now
from fieldpulse_plugin.stores.private_files import replace_file

from .overview import read_overview
from .page import render_page
from .plan import read_plan


def write_page(path: Path, *, ledger_url: str | None, snapshot_url: str | None, plan_path: Path | None) -> None:
    """Write the page to a file, with the runs of both plugins: a store without a URL is that of the environment.

    `plan_path` is the plan of a dry run; its values are left out.

    Raises: ConfigError; OSError.
    """
    plan = read_plan(plan_path, shows_values=False) if plan_path and plan_path.exists() else None
    with open_stores(ledger_url, snapshot_url) as stores:
        page = render_page(read_overview(stores, now()), plan=plan)
    replace_file(path, page.encode())
