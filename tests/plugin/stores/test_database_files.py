"""SQLite files: each has one name, since SQLite keeps what it wrote last in a second file beside that name."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from fieldpulse_api.errors import ConfigError
from target_fieldpulse.ledger.database import LedgerDatabase
from target_fieldpulse.ledger.run_marker import RunMarkers
from tests.plugin.stores.test_private_files import largest_file

OPEN_IT = "import sys; from target_fieldpulse.ledger.database import LedgerDatabase; LedgerDatabase(sys.argv[1])"


def test_a_file_with_a_hard_link_is_refused(tmp_path: Path) -> None:
    """Two runs that open it by its two names would not see each other's entries, nor each other's locks."""
    LedgerDatabase(f"sqlite:///{tmp_path}/ledger.db").close()
    os.link(tmp_path / "ledger.db", tmp_path / "second.db")
    for name in ("ledger.db", "second.db"):
        with pytest.raises(ConfigError, match="has a second name") as caught:
            LedgerDatabase(f"sqlite:///{tmp_path}/{name}")
        assert "ledger_url" in caught.value.where
    (tmp_path / "second.db").unlink()
    LedgerDatabase(f"sqlite:///{tmp_path}/ledger.db").close()


def test_a_lock_without_room_is_no_traceback(tmp_path: Path) -> None:
    """Its file is empty then, and the next run that has room does not take the ledger for an older copy."""
    with closing(LedgerDatabase(f"sqlite:///{tmp_path}/ledger.db")) as database:
        for size, error in ((5, "file cannot be written .File too large"), (10**9, "")):
            with closing(RunMarkers(database, "a", f"run-{size}")) as runs, largest_file(size):
                if error:
                    with pytest.raises(ConfigError, match=error):
                        runs.lock("customers")
                else:
                    runs.start("customers")


@pytest.mark.parametrize("is_folder", [False, True], ids=["file", "folder"])
def test_a_file_that_is_mounted_alone_is_refused(tmp_path: Path, is_folder: bool) -> None:
    """A container would write the second file into itself. With its folder, the file is mounted as a whole."""
    source, target = tmp_path / "host", tmp_path / "a container"
    source.mkdir()
    target.mkdir()
    for folder in (source, target):
        LedgerDatabase(f"sqlite:///{folder}/ledger.db").close()
    mounted = ("." if is_folder else "ledger.db",) * 2
    paths = [str(folder / name) for folder, name in zip((source, target), mounted, strict=True)]
    mount = ["unshare", "--map-root-user", "--mount", "sh", "-c", 'mount --bind "$1" "$2" && shift 2 && "$@"', "sh"]
    if subprocess.run([*mount, *paths, "true"], check=False, capture_output=True).returncode:
        pytest.skip("this user may not mount")
    opened = subprocess.run(
        [*mount, *paths, sys.executable, "-c", OPEN_IT, f"sqlite:///{target}/ledger.db"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert (opened.returncode == 0) == is_folder, opened.stderr
    assert ("is mounted alone" in opened.stderr) != is_folder


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_the_file_of_a_lock_is_a_plain_file(tmp_path: Path, kind: str) -> None:
    """In a folder of several users, a link would have this user write over the head of another file."""
    other = tmp_path / "other"
    other.write_text("precious")
    path = tmp_path / "ledger.db.a.customers.lock"
    {"link": lambda: path.symlink_to(other), "pipe": lambda: os.mkfifo(path), "folder": path.mkdir}[kind]()
    with (
        closing(LedgerDatabase(f"sqlite:///{tmp_path}/ledger.db")) as database,
        closing(RunMarkers(database, "a", "run")) as runs,
        pytest.raises(ConfigError, match="file of the lock cannot be opened"),
    ):
        runs.lock("customers")
    assert other.read_text() == "precious"
