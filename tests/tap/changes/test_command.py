"""`fieldpulse deleted`: rows that a warehouse still has are looked up by id, under the guards of delete detection."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from fieldpulse_sandbox.sandbox import Sandbox
from tests.harness.results import RunResult

Config = dict[str, Any]


def run_deleted(sandbox: Sandbox, folder: Path, *words: str, ids: str = "", **settings: str) -> RunResult:
    environment = {"TAP_FIELDPULSE_API_KEY": sandbox.key, "TAP_FIELDPULSE_API_URL": sandbox.url, "HOME": str(folder)}
    ended = subprocess.run(
        [sys.executable, "-m", "fieldpulse_cli", "deleted", *words],
        env=environment | {f"TAP_FIELDPULSE_{name.upper()}": value for name, value in settings.items()},
        cwd=folder,
        input=ids,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return RunResult(ended.stdout, ended.stderr, ended.returncode)


def test_ids_of_deleted_rows_become_a_singer_stream(sandbox: Sandbox, tmp_path: Path) -> None:
    """It can be piped into the loader. An invoice that became an estimate has moved, and was not deleted."""
    first, second, *others = [row["id"] for row in sandbox.rows("invoices")]
    sandbox.store.delete("invoices", first)
    sandbox.store.move("invoices", second, "estimates")
    ids = "\n".join(map(str, ["\ufeffid", first, second, *others[:20], ""]))
    result = run_deleted(sandbox, tmp_path, "--stream", "invoices", "--ids", "-", ids=ids)
    assert result.status == 0, result.stderr
    assert result.schemas["deleted_rows"]["properties"].keys() == {"stream", "id", "deleted_at", "detected_at"}
    assert [(row["stream"], row["id"]) for row in result.records["deleted_rows"]] == [("invoices", first)]
    assert "invoices: ids=22 deleted=1 moved=1" in result.stderr


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_the_ids_of_a_table_are_read_by_its_url(
    sandbox: Sandbox, tmp_path: Path, kind: str, request: pytest.FixtureRequest
) -> None:
    """The warehouse's own table, with its schema where it has one."""
    ids = [row["id"] for row in sandbox.rows("jobs")][:10]
    sandbox.store.delete("jobs", ids[3])
    url, table = f"sqlite:///{tmp_path}/house.db", "jobs"
    if kind == "postgresql":
        url, table = request.getfixturevalue("postgres"), "deleted_house.jobs"
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        if kind == "postgresql":
            connection.execute(text("create schema deleted_house"))
        connection.execute(text(f"create table {table} (id bigint)"))
        connection.execute(text(f"insert into {table} values {', '.join(f'({row_id})' for row_id in ids)}"))
    engine.dispose()
    result = run_deleted(sandbox, tmp_path, "--stream", "jobs", "--url", url, "--table", table)
    assert result.ids("deleted_rows") == [ids[3]], result.stderr


def test_too_many_deletes_print_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    """The ids may be those of another account."""
    result = run_deleted(sandbox, tmp_path, "--stream", "jobs", "--ids", "-", ids="1\n2\n3\n")
    assert (result.status, result.stdout) == (4, "")
    assert "max_delete_percent" in result.stderr
    allowed = run_deleted(
        sandbox, tmp_path, "--stream", "jobs", "--ids", "-", ids="1\n2\n3\n", max_delete_percent="100"
    )
    assert allowed.ids("deleted_rows") == [1, 2, 3]


@pytest.mark.parametrize(
    ("words", "ids", "problem"),
    [
        (["--stream", "jobs"], "", "--ids"),
        (["--stream", "jobs", "--url", "sqlite:///x.db"], "", "--table"),
        (["--stream", "users", "--ids", "-"], "", "users"),
        (["--stream", "customer_contacts", "--ids", "-"], "", "customer_contacts"),
        (["--stream", "jobs", "--ids", "-"], "1\ntwo\n", "line 2"),
        (["--stream", "jobs", "--ids", "-"], "1,x\n2\n", "line 1"),
        (["--stream", "jobs", "--ids", "nothing.txt"], "", "--ids nothing.txt"),
        (["--stream", "jobs", "--ids", "-", "--url", "sqlite:///x.db"], "1\n", "--url"),
        (["--stream", "jobs", "--url", "sqlite:///x.db", "--table", "gone"], "", "--table gone"),
        (["--stream", "jobs", "--url", "sqlite:///no_folder/x.db", "--table", "gone"], "", "--table gone"),
        (["--stream", "jobs", "--url", "nothing", "--table", "gone"], "", "--url"),
    ],
)
def test_a_mistake_is_explained_without_a_request(
    sandbox: Sandbox, tmp_path: Path, words: list[str], ids: str, problem: str
) -> None:
    result = run_deleted(sandbox, tmp_path, *words, ids=ids)
    assert (result.status, result.stdout) == (2, "")
    assert problem in result.stderr
    assert "Traceback" not in result.stderr
    assert not sandbox.requests
    assert not list(tmp_path.rglob("x.db"))
