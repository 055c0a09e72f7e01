"""An API key that is typed where something else is expected, or that somebody repeats, is in no output."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from fieldpulse_api.errors import without_likely_keys
from fieldpulse_cli.main import commands
from fieldpulse_plugin import output
from fieldpulse_plugin.exit_codes import report_error
from fieldpulse_sandbox.__main__ import main as sandbox_command
from fieldpulse_sandbox.sandbox import Sandbox
from tap_fieldpulse.changes.command import deleted
from tap_fieldpulse.tap import TapFieldPulse
from tap_fieldpulse.webhooks.command import webhooks
from target_fieldpulse.ledger.command import ledger
from target_fieldpulse.target import TargetFieldPulse
from tests.harness.commands import run_command
from tests.harness.processes import plugin_command, run_process

KEY = "sk-live-9f8e7d6c5b4a39281706f5e4d3c2b1a0"
PART = "9f8e7d6c"
PLUGINS = [TapFieldPulse, TargetFieldPulse]
for each in PLUGINS:
    each.append_builtin_config(each.config_jsonschema)
for command in (deleted, ledger, webhooks):
    commands.add_command(command)
SETTINGS = [(plugin, name) for plugin in PLUGINS for name in (*plugin.config_jsonschema["properties"], "unknown", KEY)]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Work in an empty folder, in a process that knows no key."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if "FIELDPULSE" in name]:
        monkeypatch.delenv(name)
    output._secrets.clear()
    yield
    output._secrets.clear()


@pytest.mark.parametrize(("plugin", "name"), SETTINGS, ids=lambda value: getattr(value, "name", value))
def test_a_key_in_a_setting_is_not_shown(
    plugin: type[TapFieldPulse | TargetFieldPulse], name: str, shared: Sandbox, tmp_path: Path
) -> None:
    """As a path, a zone, a name, a part of JSON."""
    (tmp_path / "catalog.json").write_text('{"streams": []}')
    arguments = ["--catalog", "catalog.json"] if plugin is TapFieldPulse else []
    for value in (KEY, [KEY], {KEY: KEY}, {"customers": {KEY: [KEY]}}, f"{KEY}\x7f"):
        config: dict[str, Any] = {"api_key": shared.key, "api_url": shared.url, "rate_limit_store": "memory"}
        if name == "api_key_file":
            del config["api_key"]
        (tmp_path / "config.json").write_text(json.dumps(config | {name: value}))
        ended = run_command(plugin, "--config", "config.json", *arguments)
        assert PART not in ended.stderr + ended.stdout, ended.stderr
        assert "\x7f" not in ended.stderr + ended.stdout
        assert ended.status in (0, 2), ended.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["--config", KEY],
        ["--catalog", KEY],
        ["--input", KEY],
        ["--state", KEY],
        ["--format", KEY],
        [KEY],
        [f"--{KEY}"],
        ["--config", "keys.json"],
        ["--config", "twice.json"],
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda plugin: plugin.name)
def test_a_key_among_the_arguments_of_a_plugin_is_not_shown(
    plugin: type[TapFieldPulse | TargetFieldPulse], arguments: list[str]
) -> None:
    """Nor one that is all of a file, or the name of a setting in it."""
    Path("keys.json").write_text(KEY)
    Path("twice.json").write_text(f'{{"{KEY}": 1, "{KEY}": 2}}')
    ended = run_command(plugin, *arguments)
    assert ended.status == 2
    assert PART not in ended.stderr


@pytest.mark.parametrize(
    "line",
    [
        "{0}",
        "--{0}",
        "doctor {0}",
        "doctor --plugin {0}",
        "doctor --plugin tap-fieldpulse--{0}",
        "ledger {0}",
        "ledger --ledger-url {0} list",
        "ledger --account {0} list",
        "ledger settle --stream {0} --key {0} --created {0}",
        "ledger settle --stream {0} --key {0} --not-created",
        "ledger relink --stream customers --key {0} --id {0}",
        "ledger export {0}",
        "webhooks {0}",
        "webhooks --port {0}",
        "webhooks --host {0}",
        "deleted --stream {0}",
        "deleted {0}",
    ],
)
def test_a_key_among_the_arguments_of_a_command_is_not_shown(
    line: str, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message says what is wrong without it."""
    monkeypatch.setenv("TAP_FIELDPULSE_WEBHOOK_TOKEN", "t" * 40)
    with caplog.at_level(logging.DEBUG), pytest.raises((click.ClickException, Exception)) as caught:
        commands.main(line.format(KEY).split(), standalone_mode=False)
    assert report_error(caught.value) == 2
    lines = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert len(lines) == 1
    assert PART not in caplog.text + "".join(capsys.readouterr())


@pytest.mark.parametrize(
    "line", ["{0}", "--{0}", "--port {0}", "--set {0}", "--like {0}", "poke {0}", "poke jobs {0}", "poke jobs 1 --x{0}"]
)
def test_a_key_among_the_arguments_of_the_sandbox_is_not_shown(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    """It belongs to the API, and not there."""
    with pytest.raises(SystemExit) as ended:
        sandbox_command(line.format(KEY).split())
    assert ended.value.code == 2
    assert PART not in "".join(capsys.readouterr())


@pytest.mark.parametrize("name", ["API_URL", "TIMEZONE", "PROFILE_PATH", "START_DATE", "FILTERS"])
def test_the_key_of_the_environment_is_not_shown_whatever_its_form(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key of letters only is recognised because the environment has it."""
    key = "onlyletterskey"
    monkeypatch.setenv("TAP_FIELDPULSE_API_KEY", key)
    monkeypatch.setenv(f"TAP_FIELDPULSE_{name}", f"/{key}/x")
    command = plugin_command("tap_fieldpulse", {}, tmp_path)[:3]
    for arguments in (["--config", "ENV"], ["--config", key]):
        ended = run_process([*command, *arguments])
        assert ended.returncode == 2, ended.stderr
        assert key not in ended.stderr + ended.stdout


@pytest.mark.parametrize(
    "text",
    [
        "setting uncertain_create_timeout_seconds",
        "/var/lib/fieldpulse-north/2026-11-29-nightly-run/config.json",
        "/tmp/pytest-of-root/pytest-123/test_a_path_of_a_test0/catalog.json",
        "--plugin tap-fieldpulse--north-2",
        "salesforce_opportunities_v2",
    ],
)
def test_what_is_no_key_stays(text: str) -> None:
    """A message without the path is of no help."""
    assert without_likely_keys(text) == text
