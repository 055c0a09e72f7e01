"""Invalid settings from files and the environment: rejected with the setting's name, and never shown."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fieldpulse_api.errors import ConfigError
from fieldpulse_sandbox.sandbox import Sandbox
from tap_fieldpulse.tap import TapFieldPulse
from target_fieldpulse.target import TargetFieldPulse
from tests.harness.commands import run_command
from tests.harness.messages import record_message, schema_message, singer_lines
from tests.harness.odd_values import BROKEN_VALUES, NO_JSON, odd
from tests.harness.tap_runner import select_streams

Config = dict[str, Any]
Plugin = type[TapFieldPulse] | type[TargetFieldPulse]
PLUGINS = [TapFieldPulse, TargetFieldPulse]
for plugin_class in PLUGINS:
    plugin_class.append_builtin_config(plugin_class.config_jsonschema)
SETTINGS = [(plugin, name) for plugin in PLUGINS for name in plugin.config_jsonschema["properties"]]
SECRET = "canary-secret"
plugins = pytest.mark.parametrize("plugin", PLUGINS, ids=lambda plugin: plugin.name)


@pytest.fixture(scope="module")
def folder(shared: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Change to a folder with an empty catalog: runs send no request, and a setting may name a file there."""
    folder, before = tmp_path_factory.mktemp("settings"), Path.cwd()
    (folder / "catalog.json").write_text('{"streams":[]}')
    os.chdir(folder)
    yield folder
    os.chdir(before)


def arguments(plugin: Plugin, folder: Path, config: str) -> list[str]:
    (folder / "config.json").write_text(config)
    catalog = [f"--catalog={folder}/catalog.json"] if plugin is TapFieldPulse else []
    return [f"--config={folder}/config.json", *catalog]


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    place=st.sampled_from(SETTINGS), value=odd, inner=st.sampled_from(["%s", '{"customers":%s}', '{"x":%s}', "[%s]"])
)
def test_a_value_is_accepted_or_rejected_with_the_name_of_its_setting(
    place: tuple[Plugin, str], value: str, inner: str, folder: Path, shared: Sandbox
) -> None:
    """The run succeeds or ends with status 2, without a traceback and without the API key."""
    plugin, name = place
    base = {"api_key": SECRET, "api_url": shared.url, "rate_limit_store": "memory"} | _places(plugin, folder)
    base.pop(name, None)
    text = json.dumps(base)[:-1] + f',"{name}":{inner % value}' + "}"
    ended = run_command(plugin, *arguments(plugin, folder, text))
    assert ended.is_explained, ended.stderr
    is_named = name in ended.stderr or name == "api_key" or "rejected the API key" in ended.stderr  # any key
    assert ended.status == 0 or is_named, ended.stderr
    assert SECRET not in ended.stderr


@pytest.mark.parametrize(("plugin", "name"), SETTINGS, ids=lambda value: getattr(value, "name", value))
@pytest.mark.parametrize("text", ["nan", "inf", "\udcff", "[" * 3000, '{"a":' * 3000, "1" + "0" * 5000])
def test_malformed_text_in_the_environment_is_rejected(
    plugin: Plugin, name: str, text: str, folder: Path, shared: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NaN, infinity, lone surrogates, deep nesting and long numbers."""
    config = {"api_key": SECRET, "api_url": shared.url} | _places(plugin, folder)
    monkeypatch.setenv(f"{plugin.name.upper().replace('-', '_')}_{name.upper()}", text)
    is_text = "string" in str(plugin.config_jsonschema["properties"][name].get("type"))
    message = rejection(plugin, {key: value for key, value in config.items() if key != name})
    assert is_text or name in message
    assert message or text != "\udcff"


@plugins
@pytest.mark.parametrize("text", [*BROKEN_VALUES, *NO_JSON, "[]", "null", "5", '"x"'], ids=lambda text: text[:20])
def test_a_malformed_configuration_file_is_rejected(plugin: Plugin, text: str, folder: Path) -> None:
    """The message names the file and quotes nothing from it."""
    ended = run_command(plugin, *arguments(plugin, folder, f'{{"x":{text}}}' if text in BROKEN_VALUES else text))
    assert (ended.status, ended.is_explained) == (2, True), ended.stderr
    assert "config.json" in ended.stderr


@plugins
@pytest.mark.parametrize("data", [b'{"api_key":"\xff"}', b"\xff\xfe{\x00}\x00", b'{"x":"' + b"a" * 50_000_000 + b'"}'])
def test_a_file_of_bytes_or_of_50_mb_is_rejected(plugin: Plugin, data: bytes, folder: Path) -> None:
    """Not UTF-8, UTF-16, and a file given by mistake."""
    line = arguments(plugin, folder, "")
    (folder / "config.json").write_bytes(data)
    ended = run_command(plugin, *line)
    assert (ended.status, ended.is_explained) == (2, True), ended.stderr[-500:]


@plugins
@pytest.mark.parametrize("path", ["", ".", "nothing.json", "a\0b", "x" * 5000])
def test_a_path_that_cannot_be_read_is_rejected(plugin: Plugin, path: str) -> None:
    """The message names the option."""
    ended = run_command(plugin, "--config", path)
    assert (ended.status, ended.is_explained, "--config" in ended.stderr) == (2, True, True), ended.stderr


@pytest.mark.parametrize(
    "maps",
    [
        *({"tags": {"title": text}} for text in ("title.nothing()", "1/0", "(", "9**9**9", "nothing")),
        *({"tags": {"__filter__": "1/0"}}, {"tags": {"__key_properties__": ["nothing"]}}, {"tags": 5}, {"__else__": 5}),
    ],
    ids=str,
)
@plugins
def test_an_invalid_stream_map_is_rejected(plugin: Plugin, maps: Config, shared: Sandbox, tmp_path: Path) -> None:
    """At set-up, or at the first record for which it fails; the message names the setting.

    The target rejects a record for which a map fails that may be right for others.
    """
    config = {"api_key": shared.key, "api_url": shared.url, "rate_limit_store": "memory"} | _places(plugin, tmp_path)
    (tmp_path / "catalog.json").write_text(json.dumps(select_streams(TapFieldPulse(config=dict(config)), ["tags"])))
    text = singer_lines(
        schema_message("tags", "external_id", "title"), record_message("tags", external_id="m", title="Map")
    )
    line = arguments(plugin, tmp_path, json.dumps({**config, "stream_maps": maps}))
    ended = run_command(plugin, *line, stdin=text.encode())
    status = 1 if "rejected: tags" in ended.stderr else 2
    assert (ended.status, ended.is_explained, "stream_maps" in ended.stderr) == (status, True, True), ended.stderr


@plugins
def test_a_duplicate_setting_is_rejected(plugin: Plugin, folder: Path) -> None:
    """JSON would silently use the last value. The message shows neither."""
    ended = run_command(plugin, *arguments(plugin, folder, f'{{"api_key":"{SECRET}","api_key":"{SECRET}2"}}'))
    assert (ended.status, "'api_key' twice" in ended.stderr, SECRET in ended.stderr) == (2, True, False)


@plugins
@pytest.mark.parametrize("option", [["--nothing"], ["--config"], ["--about", "--format=x"]])
def test_a_wrong_command_line_is_rejected(plugin: Plugin, option: list[str]) -> None:
    """With what, where and hint."""
    ended = run_command(plugin, *option)
    assert (ended.status, ended.is_explained) == (2, True), ended.stderr


def rejection(plugin: Plugin, config: Config) -> str:
    """Return the error of a plugin's settings, or an empty text if they are valid."""
    try:
        plugin(config=config, parse_env_config=True)
    except ConfigError as error:
        return error.one_line
    return ""


def _places(plugin: Plugin, folder: Path) -> Config:
    if plugin is TapFieldPulse:
        return {"snapshot_url": f"sqlite:///{folder}/snapshot.db"}
    return {"ledger_url": f"sqlite:///{folder}/ledger.db", "rejects_path": f"{folder}{os.sep}rejects.singer"}
