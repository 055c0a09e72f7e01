"""Dagster's daemon and webserver with the project of `deploy/`, in a folder of its own."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg

from tests.works_with.environments import Environment, prepare_environment
from tests.works_with.loaders.postgres import TARGET_POSTGRES
from tests.works_with.stores import Database, Postgres

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
DAGSTER = tuple((DEPLOY / "dagster" / "requirements.txt").read_text("utf-8").split())
MELTANO = tuple(re.findall(r"'(meltano\[.*?)'", (ROOT / "Dockerfile").read_text("utf-8")))


@dataclass
class Run:
    """A run, as Dagster's webserver tells it."""

    run_id: str
    account: str
    status: str
    exit_status: str
    began: float
    ended: float
    restarts: int
    is_by_hand: bool


class Engine:
    """A project of many accounts in a folder, and the processes that run it."""

    def __init__(self, folder: Path, environments: Path, postgres: Postgres, api_url: str) -> None:
        """Set up the project. Nothing runs yet."""
        self.folder, self.keys = folder, folder / "keys"
        self.dagster = prepare_environment("dagster", DAGSTER, environments)
        self._databases = {name: postgres.create_database(name, "UTC") for name in ("warehouse", "meltano", "dagster")}
        for name in ("keys", "bin", "home", "project/plugins"):
            (folder / name).mkdir(parents=True)
        self._link("meltano", prepare_environment("meltano", MELTANO, environments))
        self._link(
            "target-postgres",
            prepare_environment("meltanolabs-target-postgres", TARGET_POSTGRES.packages, environments),
        )
        shutil.copy(DEPLOY / "meltano.yml", folder / "project")
        definitions = (ROOT / "plugins" / "fieldpulse.meltano.yml").read_text("utf-8")
        (folder / "project/plugins/fieldpulse.meltano.yml").write_text(re.sub(r"(?m)^ *pip_url:.*\n", "", definitions))
        for name in ("definitions.py", "workspace.yaml"):
            shutil.copy(DEPLOY / "dagster" / name, folder)
        shutil.copy(DEPLOY / "dagster" / "dagster.yaml", folder / "home")
        warehouse = self._databases["warehouse"]
        stores = f"postgresql://{warehouse.user}@/{warehouse.name}?host={warehouse.host}"
        self.variables = {
            "PATH": f"{folder / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "NO_COLOR": "1",
            "DAGSTER_HOME": str(folder / "home"),
            "DAGSTER_POSTGRES_URL": self._databases["dagster"].sqlalchemy_url.replace("+psycopg", ""),
            "FIELDPULSE_ACCOUNTS": str(folder / "accounts.txt"),
            "FIELDPULSE_KEYS": str(self.keys),
            "FIELDPULSE_CRON": "* * * * *",
            "FIELDPULSE_RETRY_SECONDS": "2",
            "MELTANO_PROJECT_ROOT": str(folder / "project"),
            "MELTANO_DATABASE_URI": self._databases["meltano"].sqlalchemy_url,
            "TAP_FIELDPULSE_API_URL": api_url,
            "TAP_FIELDPULSE_SNAPSHOT_URL": stores,
            "TARGET_POSTGRES_SQLALCHEMY_URL": warehouse.sqlalchemy_url,
        }
        self._port = free_port()
        self._processes: list[subprocess.Popen[bytes]] = []

    def _link(self, command: str, environment: Environment) -> None:
        (self.folder / "bin" / command).symlink_to(environment.folder / "bin" / command)

    def write_accounts(self, keys: dict[str, str]) -> None:
        """Write the list of accounts, and the key file of each."""
        (self.folder / "accounts.txt").write_text("# accounts\n" + "".join(f"{name}\n" for name in keys))
        for name, key in keys.items():
            path = self.keys / name
            path.touch(mode=0o600)
            path.write_text(f"{key}\n")

    def start(self) -> None:
        """Start webserver and daemon, and wait until they have loaded the project."""
        for name, *arguments in (
            ("dagster-webserver", "--host", "127.0.0.1", "--port", str(self._port)),
            ("dagster-daemon", "run"),
        ):
            with (self.folder / f"{name}.log").open("ab") as log:
                process = subprocess.Popen(
                    [self.dagster.folder / "bin" / name, *arguments, "--workspace", "workspace.yaml"],
                    cwd=self.folder,
                    env=os.environ | self.variables,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            self._processes.append(process)
        wait_for("the webserver", self._is_ready, 120)

    def stop(self) -> None:
        """Stop the processes, and wait for them."""
        for process in reversed(self._processes):
            process.terminate()
        for process in self._processes:
            process.wait(timeout=60)
            with suppress(ProcessLookupError):  # servers of the definitions, which it leaves behind
                os.killpg(process.pid, signal.SIGKILL)
        self._processes.clear()

    def kill(self) -> None:
        """End the processes as a crash of the machine does, with their descendants."""
        for process in self._processes:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self._processes.clear()

    @property
    def process_ids(self) -> list[int]:
        """Return webserver and daemon."""
        return [process.pid for process in self._processes]

    def meltano(self, *arguments: str, **variables: str) -> subprocess.Popen[bytes]:
        """Start a Meltano in the project, as a person would beside the engine."""
        with (self.folder / "by-hand.log").open("ab") as log:
            return subprocess.Popen(
                ["fieldpulse", "meltano", *arguments],
                cwd=self.folder / "project",
                env=os.environ | self.variables | variables,
                stdout=log,
                stderr=log,
            )

    def ask(self, query: str, **variables: Any) -> Any:
        """Ask the webserver in GraphQL. Return the data."""
        url = f"http://127.0.0.1:{self._port}/graphql"
        answer = httpx.post(url, json={"query": query, "variables": variables}, timeout=60).json()
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    def runs(self, account: str = "") -> list[Run]:
        """Return the history of runs, of one account or of all; the oldest first."""
        tags = [{"key": "dagster/partition", "value": account}] if account else []
        found = self.ask(_RUNS, filter={"tags": tags})["runsOrError"]["results"]
        return [_run(each) for each in reversed(found)]

    def materialize(self, account: str) -> None:
        """Ask for a run of an account, as the button "Materialize" does."""
        self.ask(_MATERIALIZE, account=account)

    def last_by_hand(self, account: str) -> Run | None:
        """Return the last run of an account that a person asked for."""
        return next((run for run in reversed(self.runs(account)) if run.is_by_hand), None)

    def _is_ready(self) -> bool:
        try:
            return bool(
                self.ask("{ repositoriesOrError { ... on RepositoryConnection { nodes { name } } } }")[
                    "repositoriesOrError"
                ]["nodes"]
            )
        except (httpx.HTTPError, ValueError):
            return False

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """Return rows of the warehouse."""
        with _connect(self._databases["warehouse"]) as connection:
            return connection.execute(statement).fetchall()  # type: ignore[call-overload]

    def everything_written(self) -> bytes:
        """Return all that Dagster and Meltano have written: databases, logs and other files."""
        files = [path for path in self.folder.rglob("*") if path.is_file() and self.keys not in path.parents]
        written = [path.read_bytes() for path in files if not path.is_symlink()]
        for database in self._databases.values():
            with _connect(database) as connection:
                tables = connection.execute(
                    "select quote_ident(schemaname) || '.' || quote_ident(tablename) from pg_tables"
                    " where schemaname not in ('pg_catalog', 'information_schema')"
                ).fetchall()
                for (table,) in tables:
                    with connection.cursor().copy(f"copy {table} to stdout") as copy:
                        written += [bytes(data) for data in copy]
        return b"\n".join(written)


def free_port() -> int:
    """Return a port of this machine that no program uses now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _connect(database: Database) -> psycopg.Connection:
    return psycopg.connect(host=database.host, dbname=database.name, user=database.user, autocommit=True)


def wait_for(what: str, is_there: Callable[[], Any], seconds: float, *, every_seconds: float = 0.5) -> Any:
    """Return what a function returns as soon as it is true. Raises: AssertionError after some seconds."""
    ends_at = time.monotonic() + seconds
    while time.monotonic() < ends_at:
        if found := is_there():
            return found
        time.sleep(every_seconds)
    raise AssertionError(f"{what} did not come within {seconds:.0f} s")


def _run(found: dict[str, Any]) -> Run:
    tags = {tag["key"]: tag["value"] for tag in found["tags"]}
    restarts = sum(event["__typename"] == "ExecutionStepRestartEvent" for event in found["eventConnection"]["events"])
    return Run(
        found["runId"],
        tags.get("dagster/partition", ""),
        found["status"],
        tags.get("fieldpulse/exit_status", ""),
        found["startTime"] or 0,
        found["endTime"] or 0,
        restarts,
        "dagster/backfill" in tags,
    )


_RUNS = """query ($filter: RunsFilter) { runsOrError(filter: $filter) { ... on Runs { results {
  runId status startTime endTime tags { key value } eventConnection { events { __typename } } } } } }"""

_MATERIALIZE = """mutation ($account: String!) { launchPartitionBackfill(backfillParams: {
  assetSelection: [{path: ["fieldpulse_account"]}], partitionNames: [$account], fromFailure: false
}) { ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }"""
