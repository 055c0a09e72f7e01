"""The command `fieldpulse`."""

from pathlib import Path

from fieldpulse_plugin.start import importing, print_answer, use_one_arena


def main() -> None:
    """Run the command."""
    if print_answer(Path(__file__).parent):
        return
    with importing():
        use_one_arena()
        from fieldpulse_plugin.exit_codes import run  # noqa: PLC0415

        from .main import commands  # noqa: PLC0415
    run(commands)


if __name__ == "__main__":
    main()
