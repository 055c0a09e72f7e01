"""The command `target-fieldpulse`."""

from pathlib import Path

from fieldpulse_plugin.start import importing, print_answer, use_one_arena


def main() -> None:
    """Run the target."""
    if print_answer(Path(__file__).parent):
        return
    with importing():
        use_one_arena()
        from fieldpulse_plugin.exit_codes import run  # noqa: PLC0415

        from .target import TargetFieldPulse  # noqa: PLC0415
    run(TargetFieldPulse.cli)


if __name__ == "__main__":
    main()
