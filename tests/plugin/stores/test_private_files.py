"""Files of a run: whole or not at all, private, and never the files of somebody else."""

from __future__ import annotations

import os
import resource
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from fieldpulse_api.errors import ConfigError
from fieldpulse_plugin.stores.private_files import make_private_folder, replace_file, write_whole
from fieldpulse_sandbox.sandbox import Sandbox
from tests.harness.messages import record_message, singer_lines, state_message
from tests.harness.target_runner import run_target
from tests.target.shared import CUSTOMERS

Config = dict[str, Any]
TEXT = singer_lines(CUSTOMERS, record_message("customers", external_id="c", first_name="Ann"))


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let no file of this process grow above a size, as a full disk or a quota does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_what_has_no_room_is_cut_back(tmp_path: Path) -> None:
    """The system writes a part of the second line, and refuses the rest."""
    path = tmp_path / "file"
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    write_whole(file, b"first line\n", path, "rejects_path")
    with largest_file(20), pytest.raises(ConfigError, match="too large"):
        write_whole(file, b"the second line is longer\n", path, "rejects_path")
    write_whole(file, b"third line\n", path, "rejects_path")
    os.close(file)
    assert path.read_bytes() == b"first line\nthird line\n"


def test_a_file_without_room_leaves_the_former_one(tmp_path: Path) -> None:
    """Profiles, reports and pages are replaced whole, and are readable by their owner alone."""
    path = tmp_path / "file"
    replace_file(path, b"the former content\n")
    with largest_file(20), pytest.raises(OSError, match="too large"):
        replace_file(path, b"content that is longer than there is room\n")
    assert [each.name for each in tmp_path.iterdir()] == [path.name]
    assert path.read_bytes() == b"the former content\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_all_folders_on_the_way_are_private(tmp_path: Path) -> None:
    """Python gives the mode to the last one only."""
    make_private_folder(tmp_path / "a" / "b" / "c")
    folders = (tmp_path / "a", tmp_path / "a" / "b", tmp_path / "a" / "b" / "c")
    assert [stat.S_IMODE(folder.stat().st_mode) for folder in folders] == [0o700] * 3


def test_a_record_that_cannot_be_stored_ends_the_run(target_config: Config, tmp_path: Path) -> None:
    """No STATE passes it, also with `on_reject: ignore`: the next run gets it again."""
    text = singer_lines(CUSTOMERS, record_message("customers", external_id="c", email="no address"), state_message(1))
    config = target_config | {"rejects_path": "/dev/full", "on_reject": "ignore"}
    result = run_target(config, text, tmp_path)
    assert (result.status, result.states) == (2, [])
    assert "No space left on device" in result.stderr
    assert "rejects_path" in result.stderr


@pytest.mark.parametrize("setting", ["report_path", "plan_path"])
def test_a_pipe_is_written_to_and_not_changed(target_config: Config, tmp_path: Path, setting: str) -> None:
    """The same holds for /dev/null and /dev/stdout."""
    path = tmp_path / "pipe"
    os.mkfifo(path, 0o640)
    received: list[bytes] = []
    reader = threading.Thread(target=lambda: received.append(path.read_bytes()))
    reader.start()
    time.sleep(0.2)  # until the pipe has a reader
    assert run_target(target_config | {setting: str(path), "dry_run": True}, TEXT, tmp_path).status == 0
    reader.join(10)
    assert received[0].endswith(b"}\n")
    assert stat.S_ISFIFO(path.stat().st_mode)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_pipe_without_a_reader_is_an_error(target_config: Config, tmp_path: Path) -> None:
    """It would hang for ever."""
    os.mkfifo(tmp_path / "pipe")
    result = run_target(target_config | {"plan_path": str(tmp_path / "pipe"), "dry_run": True}, TEXT, tmp_path)
    assert result.status == 2
    assert "plan_path" in result.stderr


def test_a_report_goes_where_a_symbolic_link_leads(target_config: Config, tmp_path: Path) -> None:
    """The link stays."""
    (tmp_path / "link.json").symlink_to(tmp_path / "report.json")
    assert run_target(target_config | {"report_path": str(tmp_path / "link.json")}, TEXT, tmp_path).status == 0
    assert (tmp_path / "link.json").is_symlink()
    assert (tmp_path / "report.json").read_text().startswith("{")
    assert [path.name for path in tmp_path.glob("report.json*")] == ["report.json"]


@pytest.mark.parametrize("other", ["ledger_url", "api_key_file", "rejects_path"])
@pytest.mark.parametrize("link", [None, os.symlink, os.link], ids=["path", "symbolic link", "hard link"])
@pytest.mark.parametrize("setting", ["report_path", "plan_path"])
def test_two_settings_never_name_one_file(
    sandbox: Sandbox, target_config: Config, tmp_path: Path, setting: str, other: str, link: Any
) -> None:
    """The report would replace the ledger or the key."""
    path = tmp_path / "file"
    path.write_text(sandbox.key)
    values = {"ledger_url": f"sqlite:///{path}", "api_key_file": str(path), "rejects_path": str(path)}
    config = target_config | {other: values[other]}
    if other == "api_key_file":
        del config["api_key"]
    name = path
    if link:
        name = tmp_path / "other"
        link(path, name)
    result = run_target(config | {setting: str(name), "dry_run": setting == "plan_path"}, TEXT, tmp_path)
    assert (result.status, path.read_text()) == (2, sandbox.key)
    assert "lead to the same file" in result.stderr


@pytest.mark.parametrize("name", ["ledger.db-wal", "ledger-history.db", "ledger-history.db-shm", "ledger.db.a.lock"])
def test_no_setting_names_a_file_beside_the_ledger(target_config: Config, tmp_path: Path, name: str) -> None:
    """They belong to it as the file itself does."""
    path = tmp_path / name
    path.write_text("of the ledger")
    config = target_config | {"ledger_url": f"sqlite:///{tmp_path}/ledger.db", "rejects_path": str(path)}
    result = run_target(config, TEXT, tmp_path)
    assert (result.status, path.read_text()) == (2, "of the ledger")
    assert f"`rejects_path` and `ledger_url with {name}` lead to the same file" in result.stderr


def test_a_store_is_never_named_as_a_uri(target_config: Config, tmp_path: Path) -> None:
    """Checks of its file would look at another one."""
    config = target_config | {"ledger_url": f"sqlite:///file:{tmp_path}/ledger.db?uri=true"}
    result = run_target(config, TEXT, tmp_path)
    assert (result.status, [*tmp_path.glob("*ledger*")]) == (2, [])
    assert "setting ledger_url" in result.stderr


@pytest.mark.parametrize("has_writer", [True, False])
def test_a_key_file_may_be_a_pipe(sandbox: Sandbox, target_config: Config, tmp_path: Path, has_writer: bool) -> None:
    """A shell makes one of `<(pass show fieldpulse)`. Without a writer it is empty, and does not hang."""
    path = tmp_path / "key"
    os.mkfifo(path)
    config = {name: value for name, value in target_config.items() if name != "api_key"} | {"api_key_file": str(path)}
    if has_writer:
        writer = os.open(path, os.O_RDWR)  # a pipe with a reader, so that writing does not wait
        os.write(writer, sandbox.key.encode())
        threading.Timer(1, lambda: os.close(writer)).start()
    result = run_target(config, TEXT, tmp_path)
    assert result.status == (0 if has_writer else 2)
