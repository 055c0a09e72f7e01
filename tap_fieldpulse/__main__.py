"""The command `tap-fieldpulse`."""

from pathlib import Path

from fieldpulse_plugin.start import importing, print_answer, use_one_arena


def main() -> None:
    """Run the tap."""
    if print_answer(Path(__file__).parent):
        return
    with importing():
        use_one_arena()
        from fieldpulse_plugin.exit_codes import run  # noqa: PLC0415

        from .singer.message_writer import buffer_standard_output  # noqa: PLC0415
        from .tap import TapFieldPulse  # noqa: PLC0415
    buffer_standard_output()
    run(TapFieldPulse.cli)


if __name__ == "__main__":
    main()
