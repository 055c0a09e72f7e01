"""The command `fieldpulse`. Each of its commands is imported when it is asked for."""

from __future__ import annotations

from pkgutil import resolve_name

import click
from typing_extensions import override

from fieldpulse_cli.meltano import use_settings_of_meltano
from fieldpulse_plugin.start import importing

COMMANDS = {
    "answers": "fieldpulse_cli.answers.command:answers",
    "backup": "fieldpulse_cli.backup:backup",
    "deleted": "tap_fieldpulse.changes.command:deleted",
    "doctor": "fieldpulse_cli.doctor.command:doctor",
    "events": "tap_fieldpulse.push.command:events",
    "import": "target_fieldpulse.importing.commands:import_file",
    "ledger": "target_fieldpulse.ledger.command:ledger",
    "mcp": "fieldpulse_cli.mcp_server.command:mcp",
    "meltano": "fieldpulse_cli.meltano_run:meltano",
    "move": "target_fieldpulse.importing.commands:move",
    "rejects": "target_fieldpulse.rejects_command:rejects",
    "report": "fieldpulse_cli.page.command:report",
    "runs": "fieldpulse_cli.history.commands:runs",
    "serve": "fieldpulse_cli.page.serve_command:serve",
    "status": "fieldpulse_cli.history.commands:status",
    "webhooks": "tap_fieldpulse.webhooks.command:webhooks",
}
"""Module and function of each command, sorted by name."""


class _Commands(click.Group):
    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return list(COMMANDS)

    @override
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, imported now; None for another name."""
        if cmd_name not in COMMANDS:
            return None
        with importing():
            command: click.Command = resolve_name(COMMANDS[cmd_name])
        return command


@click.group(cls=_Commands, context_settings={"max_content_width": 100})
@click.version_option(package_name="singer-fieldpulse", message="fieldpulse, version %(version)s")
def commands() -> None:
    """See what ran, check a FieldPulse account, receive its webhooks, settle uncertain writes.

    All commands take the settings of the tap or the target from environment variables (TAP_FIELDPULSE_…,
    TARGET_FIELDPULSE_…) or from a `.env` file in the working directory. As a utility of Meltano (`meltano invoke
    fieldpulse:status`), they take them from `meltano.yml`.
    """
    use_settings_of_meltano()
