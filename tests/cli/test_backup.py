"""`fieldpulse backup`: what is in the copy, what a restored copy does, and what is refused."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from fieldpulse_api.errors import ConfigError
from fieldpulse_cli.main import commands
from fieldpulse_plugin.stores.private_files import make_private_folder
from fieldpulse_sandbox.sandbox import Sandbox
from tests.harness.messages import record_message, schema_message, singer_lines
from tests.harness.target_runner import run_target


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a project's folder, which is the working directory."""
    folder = tmp_path / "project"
    make_private_folder(folder / ".fieldpulse")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def open_store(project: Path) -> Iterator[sqlite3.Connection]:
    """Yield a connection to a database whose last commit is still in SQLite's second file, with another write open."""
    with closing(sqlite3.connect(project / ".fieldpulse" / "ledger.db")) as connection:
        connection.execute("pragma journal_mode = wal")
        connection.execute("create table rows (name)")
        connection.execute("insert into rows values ('committed')")
        connection.commit()
        connection.execute("insert into rows values ('open')")
        yield connection


def back_up(*arguments: str | Path) -> str:
    """Run the command and return its output. Raises: ConfigError, as the command does."""
    result = CliRunner().invoke(commands, ["backup", *map(str, arguments)])
    if isinstance(result.exception, ConfigError):
        raise result.exception
    assert (result.exit_code, result.exception) == (0, None)
    return result.output


def names(database: Path) -> list[str]:
    with closing(sqlite3.connect(database)) as connection:
        return [name for (name,) in connection.execute("select name from rows")]


@pytest.mark.usefixtures("open_store")
def test_a_database_in_use_is_copied_with_what_was_committed(project: Path, tmp_path: Path) -> None:
    """The file alone would be empty: its write-ahead log is beside it. The copy needs no second file."""
    assert (project / ".fieldpulse" / "ledger.db-wal").stat().st_size > 0
    assert ".fieldpulse/ledger.db" in back_up(tmp_path / "copy")
    assert {path.name for path in (tmp_path / "copy" / ".fieldpulse").iterdir()} == {".gitignore", "ledger.db"}
    assert names(tmp_path / "copy" / ".fieldpulse" / "ledger.db") == ["committed"]


def test_other_files_are_copied_and_locks_are_not(project: Path, tmp_path: Path) -> None:
    """The file of a lock names the last run: a restored one would hide that the ledger is older."""
    for name in ("rejects.singer", "ledger.db.123.lock", "empty.db"):
        (project / ".fieldpulse" / name).write_text("" if name == "empty.db" else "text")
    (project / ".meltano" / "extractors").mkdir(parents=True)
    (project / ".meltano" / "meltano.db").write_text("state")
    back_up(tmp_path / "copy")
    copied = {str(path.relative_to(tmp_path / "copy")) for path in (tmp_path / "copy").rglob("*") if path.is_file()}
    assert copied - {".fieldpulse/.gitignore"} == {
        ".fieldpulse/rejects.singer",
        ".fieldpulse/empty.db",
        ".meltano/meltano.db",
    }


@pytest.mark.usefixtures("open_store")
def test_only_the_owner_can_read_a_backup(project: Path, tmp_path: Path) -> None:
    """It holds what the stores hold, such as the records of the rejects file."""
    (project / ".fieldpulse" / "rejects.singer").write_text("text")
    (project / ".fieldpulse" / "rejects.singer").chmod(0o644)
    back_up(tmp_path / "copies" / "copy")
    for path in (tmp_path / "copies", *(tmp_path / "copies").rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


@pytest.mark.usefixtures("open_store")
def test_a_copy_that_fails_leaves_nothing_that_looks_like_a_backup(project: Path, tmp_path: Path) -> None:
    """A damaged database is named; what was copied before it is removed."""
    (project / ".fieldpulse" / "snapshot.db").write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)
    with pytest.raises(ConfigError, match="cannot be copied") as raised:
        back_up(tmp_path / "copy")
    assert raised.value.where.endswith("snapshot.db")
    assert [path.name for path in tmp_path.iterdir()] == ["project"]


@pytest.mark.usefixtures("open_store")
@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["../copy", "missing.db"], "no such file or folder below the working directory"),
        (["../copy", "../project/../.."], "no such file or folder below the working directory"),
        ([".fieldpulse/copy"], "inside the folder that it copies"),
        (["."], "The backup cannot be written (File exists)"),
        (["ledger.db/copy"], "The backup cannot be written (Not a directory)"),
    ],
)
def test_what_cannot_be_a_backup_is_refused(project: Path, arguments: list[str], what: str) -> None:
    """Before anything is copied, and with what to do."""
    (project / "ledger.db").write_text("a file")
    with pytest.raises(ConfigError) as raised:
        back_up(*arguments)
    assert what in raised.value.what
    assert raised.value.hint


def test_a_folder_without_stores_is_not_a_backup_of_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scheduler that runs in the wrong folder would otherwise succeed every night."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="nothing to copy"):
        back_up(tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_a_restored_ledger_is_noticed_and_goes_on_once_its_lock_is_removed(
    sandbox: Sandbox, target_config: dict[str, Any], project: Path, tmp_path: Path
) -> None:
    """The steps of docs/operations/backup-and-upgrade.md: no row is created twice."""
    stores = project / ".fieldpulse"
    config = {**target_config, "ledger_url": f"sqlite:///{stores}/ledger.db", "match": {"customers": [["email"]]}}
    messages = [schema_message("customers", "external_id", "first_name", "email")]
    for key in ("a", "b"):
        messages.append(record_message("customers", external_id=key, first_name="O", email=f"{key}@example.com"))
        back_up(tmp_path / "copy") if key == "b" else None
        assert run_target(config, singer_lines(*messages), tmp_path).counts["created"] == 1
    (stores / "ledger.db").write_bytes((tmp_path / "copy" / ".fieldpulse" / "ledger.db").read_bytes())
    refused = run_target(config, singer_lines(*messages), tmp_path)
    assert (refused.status, "The ledger is an older copy" in refused.stderr) == (2, True)
    for lock in stores.glob("*.lock"):
        lock.unlink()
    assert run_target(config, singer_lines(*messages), tmp_path).counts == {"unchanged": 2}
    assert sum(request.method == "POST" for request in sandbox.requests) == len("ab")
