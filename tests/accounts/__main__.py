"""Run the accounts of `deploy/dagster` by a real Dagster on the sandbox: `python -m tests.accounts`.

The packages are installed from PyPI into environments of their own, once. Exit status 1: something is not as it
should be. `--light N` measures N small accounts instead.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fieldpulse_sandbox.faults.fault import Fault
from fieldpulse_sandbox.sandbox import Sandbox
from tests.works_with.environments import DEFAULT_FOLDER
from tests.works_with.stores import run_postgres

from .account_server import AccountServer, new_account
from .checks import check_all
from .engine import Engine
from .light import measure
from .pods import check_pods

ACCOUNTS = {"north": 12, "south": 7, "refused": 2, "spent": 2, "flaky": 3, "held": 4, "Bad Name": 1}
"""The accounts, with the number of their customers."""


def main() -> int:
    """Run all checks, or measure. Return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.accounts", description=__doc__)
    parser.add_argument("--light", type=int, metavar="N", help="measure this many small accounts")
    parser.add_argument("--rounds", type=int, default=2, help="of the small accounts (default: %(default)s)")
    parser.add_argument("--streams", default="", help="of the small accounts, such as customers,jobs; all by default")
    parser.add_argument("--pods", action="store_true", help="only what Kubernetes would run")
    parser.add_argument("--envs", type=Path, default=DEFAULT_FOLDER, help="environments (default: %(default)s)")
    arguments = parser.parse_args()
    os.environ.pop("TAP_FIELDPULSE_API_KEY", None)
    logging.disable()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # it ends what it started
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sizes = {f"account_{number:03}": 1 for number in range(arguments.light)} if arguments.light else ACCOUNTS
    accounts = {
        name: new_account(name, number, customers=size, users=2 if arguments.light else 12)
        for number, (name, size) in enumerate(sizes.items(), 1)
    }
    with _engine(accounts, arguments.envs) as (engine, server):
        if arguments.light:
            return measure(engine, accounts, arguments.rounds, arguments.streams)
        accounts["spent"].add_fault(Fault(kind="quota_exceeded", times=10**6))
        server.down.add("flaky")
        keys = {name: account.key for name, account in accounts.items()}
        engine.write_accounts(keys | {"refused": "fp-secret-of-nobody"})
        problems = list(check_all(engine, server)) if not arguments.pods else []
        problems += check_pods(engine, server, arguments.envs)
    print("\n".join(problems) or "All accounts are right.")
    return int(bool(problems))


@contextmanager
def _engine(accounts: dict[str, Sandbox], environments: Path) -> Iterator[tuple[Engine, AccountServer]]:
    with tempfile.TemporaryDirectory(prefix="fieldpulse-accounts-") as folder, run_postgres() as postgres:
        server = AccountServer(accounts)
        engine = Engine(Path(folder), environments, postgres, server.url)
        try:
            yield engine, server
        except BaseException:
            for log in sorted(engine.folder.glob("*.log")):
                print(f"── {log.name}\n{log.read_text(errors='replace')[-3000:]}", file=sys.stderr)
            raise
        finally:
            engine.stop()
            server.close()


if __name__ == "__main__":
    sys.exit(main())
