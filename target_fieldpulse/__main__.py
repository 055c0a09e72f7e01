"""The command `target-fieldpulse`."""

from fieldpulse_plugin.start import quiet_interrupts

with quiet_interrupts():
    from fieldpulse_plugin.exit_codes import run

    from .target import TargetFieldPulse


def main() -> None:
    """Run the target."""
    run(TargetFieldPulse.cli)


if __name__ == "__main__":
    main()
