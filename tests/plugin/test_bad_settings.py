"""Settings of any kind, from files and the environment: refused by name, never shown, never unforeseen."""

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
for one in PLUGINS:
    one.append_builtin_config(one.config_jsonschema)
SETTINGS = [(plugin, name) for plugin in PLUGINS for name in plugin.config_jsonschema["properties"]]
SECRET = "canary-secret"
plugins = pytest.mark.parametrize("plugin", PLUGINS, ids=lambda one: one.name)


@pytest.fixture(scope="module")
def folder(shared: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Make a folder with an empty catalog, so that runs ask nothing, and go there: any text may be a file's path."""
    folder, before = tmp_path_factory.mktemp("settings"), Path.cwd()
    (folder / "catalog.json").write_text('{"streams":[]}')
    os.chdir(folder)
    yield folder
    os.chdir(before)


def words(plugin: Plugin, folder: Path, config: str) -> list[str]:
    (folder / "config.json").write_text(config)
    catalog = [f"--catalog={folder}/catalog.json"] if plugin is TapFieldPulse else []
    return [f"--config={folder}/config.json", *catalog]


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    place=st.sampled_from(SETTINGS), value=odd, inner=st.sampled_from(["%s", '{"customers":%s}', '{"x":%s}', "[%s]"])
)
def test_a_setting_of_any_value_is_taken_or_refused_by_name(
    place: tuple[Plugin, str], value: str, inner: str, folder: Path, shared: Sandbox
) -> None:
    """Status 2 and the name, or a run; never a traceback, and never the key."""
    plugin, name = place
    base = {"api_key": SECRET, "api_url": shared.url, "rate_limit_store": "memory"} | _places(plugin, folder)
    base.pop(name, None)
    text = json.dumps(base)[:-1] + f',"{name}":{inner % value}' + "}"
    ended = run_command(plugin, *words(plugin, folder, text))
    assert ended.is_explained, ended.stderr
    is_said = name in ended.stderr or name == "api_key" or "rejected the API key" in ended.stderr  # any key
    assert ended.status == 0 or is_said, ended.stderr
    assert SECRET not in ended.stderr


@pytest.mark.parametrize(("plugin", "name"), SETTINGS, ids=lambda one: one if isinstance(one, str) else one.name)
@pytest.mark.parametrize("text", ["nan", "inf", "\udcff", "[" * 3000, '{"a":' * 3000, "1" + "0" * 5000])
def test_text_of_the_environment_that_is_no_setting_is_refused(
    plugin: Plugin, name: str, text: str, folder: Path, shared: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What only looks like a number, nested text without an end, bytes that are no text."""
    config = {"api_key": SECRET, "api_url": shared.url} | _places(plugin, folder)
    monkeypatch.setenv(f"{plugin.name.upper().replace('-', '_')}_{name.upper()}", text)
    is_text = "string" in str(plugin.config_jsonschema["properties"][name].get("type"))
    said = refusal(plugin, {one: value for one, value in config.items() if one != name})
    assert is_text or name in said
    assert said or text != "\udcff"


@plugins
@pytest.mark.parametrize("text", [*BROKEN_VALUES, *NO_JSON, "[]", "null", "5", '"x"'], ids=lambda text: text[:20])
def test_a_file_that_is_no_configuration_is_refused(plugin: Plugin, text: str, folder: Path) -> None:
    """With the file's name, and nothing of what is in it."""
    ended = run_command(plugin, *words(plugin, folder, f'{{"x":{text}}}' if text in BROKEN_VALUES else text))
    assert (ended.status, ended.is_explained) == (2, True), ended.stderr
    assert "config.json" in ended.stderr


@plugins
@pytest.mark.parametrize("data", [b'{"api_key":"\xff"}', b"\xff\xfe{\x00}\x00", b'{"x":"' + b"a" * 50_000_000 + b'"}'])
def test_a_file_of_bytes_or_of_50_mb_ends_in_three_parts(plugin: Plugin, data: bytes, folder: Path) -> None:
    """Not UTF-8, UTF-16, and a file that was never meant."""
    line = words(plugin, folder, "")
    (folder / "config.json").write_bytes(data)
    ended = run_command(plugin, *line)
    assert (ended.status, ended.is_explained) == (2, True), ended.stderr[-500:]


@plugins
@pytest.mark.parametrize("path", ["", ".", "nothing.json", "a\0b", "x" * 5000])
def test_a_path_that_is_none_is_refused(plugin: Plugin, path: str) -> None:
    """The option is named."""
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
def test_a_stream_map_that_cannot_be_evaluated_is_refused(
    plugin: Plugin, maps: Config, shared: Sandbox, tmp_path: Path
) -> None:
    """When it is read, or at the first record that it fails on; the setting is named."""
    config = {"api_key": shared.key, "api_url": shared.url, "rate_limit_store": "memory"} | _places(plugin, tmp_path)
    (tmp_path / "catalog.json").write_text(json.dumps(select_streams(TapFieldPulse(config=dict(config)), ["tags"])))
    text = singer_lines(
        schema_message("tags", "external_id", "title"), record_message("tags", external_id="m", title="Map")
    )
    line = words(plugin, tmp_path, json.dumps({**config, "stream_maps": maps}))
    ended = run_command(plugin, *line, stdin=text.encode())
    assert (ended.status, ended.is_explained, "stream_maps" in ended.stderr) == (2, True, True), ended.stderr


@plugins
def test_a_setting_that_is_given_twice_is_refused(plugin: Plugin, folder: Path) -> None:
    """The last one would win, and perhaps the first was meant; neither is shown."""
    ended = run_command(plugin, *words(plugin, folder, f'{{"api_key":"{SECRET}","api_key":"{SECRET}2"}}'))
    assert (ended.status, "'api_key' twice" in ended.stderr, SECRET in ended.stderr) == (2, True, False)


@plugins
@pytest.mark.parametrize("option", [["--nothing"], ["--config"], ["--about", "--format=x"]])
def test_a_wrong_command_line_is_refused_in_three_parts(plugin: Plugin, option: list[str]) -> None:
    """As everything else."""
    ended = run_command(plugin, *option)
    assert (ended.status, ended.is_explained) == (2, True), ended.stderr


def refusal(plugin: Plugin, config: Config) -> str:
    """Return why a plugin does not take its settings, nothing if it does."""
    try:
        plugin(config=config, parse_env_config=True)
    except ConfigError as error:
        return error.one_line
    return ""


def _places(plugin: Plugin, folder: Path) -> Config:
    if plugin is TapFieldPulse:
        return {"snapshot_url": f"sqlite:///{folder}/snapshot.db"}
    return {"ledger_url": f"sqlite:///{folder}/ledger.db", "rejects_path": f"{folder}{os.sep}rejects.singer"}
