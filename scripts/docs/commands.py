"""The help texts of the commands."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import redirect_stdout, suppress
from unittest.mock import patch

import click

from fieldpulse_cli.main import commands
from fieldpulse_sandbox.__main__ import main as sandbox

_WIDTH = 100  # characters; the width of a terminal must not change the pages


def fieldpulse_help() -> str:
    """Return the help of `fieldpulse` and of every command below it."""
    return "\n".join(_help_of(commands, "fieldpulse"))


def sandbox_help() -> str:
    """Return the help of `fieldpulse-sandbox`, without the lists that the pages have as tables."""
    printed = io.StringIO()
    with patch.dict(os.environ, {"COLUMNS": str(_WIDTH)}), redirect_stdout(printed), suppress(SystemExit):
        sandbox(["--help"])
    return _block(printed.getvalue().partition("\nprofiles:")[0])


def _help_of(command: click.Command, name: str, parent: click.Context | None = None) -> Iterator[str]:
    context = click.Context(command, info_name=name.rpartition(" ")[2], parent=parent, terminal_width=_WIDTH)
    yield f"## `{name}`\n\n{_block(command.get_help(context))}"
    if isinstance(command, click.Group):
        for name_below in command.list_commands(context):
            if below := command.get_command(context, name_below):
                yield from _help_of(below, f"{name} {name_below}", context)


def _block(text: str) -> str:
    return f"```text\n{text.rstrip()}\n```\n"
