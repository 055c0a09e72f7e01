"""Run recipes as their pages say, each on accounts of its own, and check what came of it.

Every recipe runs until nothing is left to do, and once more: that run must write nothing to FieldPulse.
Exit status 1: a recipe does not do what it should.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import traceback
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path

import yaml

from fieldpulse_sandbox.sandbox import Sandbox

from .checks import CHECKS
from .echoes import check_every_stream
from .project import Project, write_count
from .random_rounds import check_random_rounds
from .two_way import try_two_way_sync

ROOT = Path(__file__).parents[2]
RECIPES = ROOT / "recipes"
_ACCOUNTS = {"two-accounts": {"north": 12, "south": 7}}
"""The accounts of a recipe that has several, with the number of their customers."""


def main() -> int:
    """Run the chosen recipes. Return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.recipes", description=__doc__)
    parser.add_argument("recipes", nargs="*", choices=[[], *TRIALS], default=[], metavar="RECIPE")
    parser.add_argument("--meltano", default=shutil.which("meltano"), help="the command (default: %(default)s)")
    arguments = parser.parse_args()
    if not arguments.meltano:
        parser.error("Meltano is not installed: pip install 'meltano>=4.4,<5', or name it with --meltano")
    failed = [name for name in arguments.recipes or TRIALS if not _is_right(name, arguments.meltano)]
    if not arguments.recipes:
        with tempfile.TemporaryDirectory(prefix="fieldpulse-echoes-") as temporary:
            check_every_stream(Path(temporary))
        print("two-way sync of every stream: right", flush=True)
        for seed in range(3):
            with tempfile.TemporaryDirectory(prefix="fieldpulse-rounds-") as temporary:
                check_random_rounds(Path(temporary), seed)
        print("random rounds of a two-way sync: right")
    print("failed: " + ", ".join(failed) if failed else "All recipes are right.")
    return int(bool(failed))


def _is_right(name: str, meltano: str) -> bool:
    with tempfile.TemporaryDirectory(prefix="fieldpulse-recipe-") as temporary, ExitStack() as stack:
        folder = Path(shutil.copytree(RECIPES / name, Path(temporary) / name))
        definitions = folder / "fieldpulse.meltano.yml"
        definitions.write_text(definitions.read_text("utf-8").replace("${MELTANO_PROJECT_ROOT}/../..", str(ROOT)))
        sizes = _ACCOUNTS.get(name, {"": 12})
        accounts = {
            account: stack.enter_context(Sandbox(customers=size, seed=number, api_key=f"key-{account or name}"))
            for number, (account, size) in enumerate(sizes.items(), 1)
        }
        try:
            TRIALS[name](Project(name, meltano, folder, _settings(accounts)), accounts)
        except (AssertionError, ValueError) as error:
            traceback.print_exception(error)
            print(f"{name}: failed", flush=True)
            return False
    print(f"{name}: right", flush=True)
    return True


def _run_twice(project: Project, accounts: Mapping[str, Sandbox]) -> None:
    """Install the recipe, and run its job twice: the second run must write nothing."""
    check = CHECKS[project.name]
    (job,) = yaml.safe_load((project.folder / "meltano.yml").read_text("utf-8"))["jobs"]
    assert job["name"] == project.name
    project.meltano("install")
    project.meltano("run", project.name)
    check(accounts, project.folder)
    writes = {account: write_count(sandbox) for account, sandbox in accounts.items()}
    project.meltano("run", project.name)
    check(accounts, project.folder)
    assert writes == {account: write_count(sandbox) for account, sandbox in accounts.items()}, "the second run wrote"


def _settings(accounts: Mapping[str, Sandbox]) -> dict[str, str]:
    """Return the variables of `.env`; those of a plugin's name with its account, where there are several."""
    return {
        f"{plugin}_{f'_{account.upper()}_' if account else ''}{setting}": value
        for account, sandbox in accounts.items()
        for plugin in ("TAP_FIELDPULSE", "TARGET_FIELDPULSE")
        for setting, value in (("API_KEY", sandbox.key), ("API_URL", sandbox.url))
    }


TRIALS: dict[str, Callable[[Project, Mapping[str, Sandbox]], None]] = {
    **dict.fromkeys(CHECKS, _run_twice),
    "two-way-sync": try_two_way_sync,
}


if __name__ == "__main__":
    sys.exit(main())
