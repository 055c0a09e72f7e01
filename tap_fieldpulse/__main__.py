"""The command `tap-fieldpulse`."""

from fieldpulse_plugin.start import quiet_interrupts

with quiet_interrupts():
    from fieldpulse_plugin.exit_codes import run

    from .tap import TapFieldPulse


def main() -> None:
    """Run the tap."""
    run(TapFieldPulse.cli)


if __name__ == "__main__":
    main()
