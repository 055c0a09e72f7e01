"""What the containers need of this machine: accounts of the sandbox, a PostgreSQL with a password, files."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from scripts.demo import run_postgres
from tests.accounts.account_server import AccountServer, new_account

from .podman import Container

_USER = "fieldpulse"  # of PostgreSQL, in deploy/compose.yaml
_ASKS_FOR_A_PASSWORD = f"host all {_USER} 127.0.0.1/32 scram-sha-256\n"
ACCOUNTS = {"central": 12, "north": 9, "south": 6}
"""The accounts, with the number of their customers. `central` is that of the services, the others have CronJobs."""


class Machine:
    """Servers on the loopback, and a folder.

    `variables` are what only this machine's containers need beside those of `deploy/`.
    """

    def __init__(self, folder: Path, server: AccountServer, port: int) -> None:
        """Make the database that `deploy/` names, with its user. The superuser needs no password."""
        self.folder, self.server, self.password = folder, server, secrets.token_hex(24)
        self.containers: list[Container] = []
        self.variables = {"PGPORT": str(port), "NO_COLOR": "1", "TAP_FIELDPULSE_API_URL": server.url}
        self._superuser = f"postgresql://postgres@127.0.0.1:{port}"
        access = folder / "postgres" / "pg_hba.conf"
        access.write_text(_ASKS_FOR_A_PASSWORD + access.read_text())
        with psycopg.connect(self._superuser, autocommit=True) as connection:
            user = sql.Identifier(_USER)
            connection.execute(sql.SQL("create user {} password {}").format(user, sql.Literal(self.password)))
            connection.execute(sql.SQL("create database {} owner {}").format(user, user))
            connection.execute("select pg_reload_conf()")

    def start(self, name: str, image: str, options: Iterable[str], command: Iterable[str]) -> Container:
        """Start a container with a log in the folder."""
        self.containers.append(Container(name, image, options, command, self.folder / f"{name}.log"))
        return self.containers[-1]

    def write_variables(self, name: str, variables: Mapping[str, str]) -> Path:
        """Write a file for `--env-file`, which only its owner can read."""
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_text("".join(f"{key}={value}\n" for key, value in variables.items()))
        return path

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """Return rows of the database."""
        with psycopg.connect(f"{self._superuser}/{_USER}") as connection:
            return connection.execute(statement).fetchall()  # type: ignore[call-overload,no-any-return]

    def requests_of(self, account: str) -> int:
        """Return how many requests of an account have arrived."""
        return len(self.server.accounts[account].requests)


@contextmanager
def run_machine() -> Iterator[Machine]:
    """Start the servers, and stop them at the end."""
    accounts = {
        name: new_account(name, number, customers=size) for number, (name, size) in enumerate(ACCOUNTS.items(), 1)
    }
    with tempfile.TemporaryDirectory(prefix="fieldpulse-image-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        with run_postgres(folder) as postgres:
            machine = Machine(folder, AccountServer(accounts), int(postgres.settings["PORT"]))
            try:
                yield machine
            finally:
                for container in machine.containers:
                    container.remove()
                machine.server.close()
