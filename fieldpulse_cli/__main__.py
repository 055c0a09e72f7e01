"""The command `fieldpulse`, with the commands of other packages."""

from importlib import metadata

from fieldpulse_plugin.start import quiet_interrupts

with quiet_interrupts():
    from fieldpulse_plugin.exit_codes import run

    from .main import commands

    for entry_point in metadata.entry_points(group="fieldpulse.commands"):
        commands.add_command(entry_point.load())


def main() -> None:
    """Run the command."""
    run(commands)


if __name__ == "__main__":
    main()
