"""The command `target-fieldpulse`."""

from fieldpulse_api.exits import run

from .target import TargetFieldPulse


def main() -> None:
    """Run the target."""
    run(TargetFieldPulse.cli)


if __name__ == "__main__":
    main()
