"""Settings from the environment: their types, their validation and the errors about them."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from fieldpulse_api.errors import ConfigError
from fieldpulse_plugin.environment import environment_variables, settings_from_environment
from tap_fieldpulse.tap import TapFieldPulse
from target_fieldpulse.target import TargetFieldPulse
from tests.harness.commands import run_command

Plugin = type[TapFieldPulse] | type[TargetFieldPulse]
SETTINGS = [
    (plugin, name, schema)
    for plugin in (TapFieldPulse, TargetFieldPulse)
    for name, schema in plugin.config_jsonschema["properties"].items()
    if "default" in schema
]


@pytest.mark.parametrize(
    ("plugin", "name", "schema"), SETTINGS, ids=lambda value: value if isinstance(value, str) else ""
)
def test_every_setting_can_be_set_in_the_environment(
    plugin: type[TapFieldPulse], name: str, schema: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The text of a default converts back to the default."""
    prefix = f"{plugin.name.upper().replace('-', '_')}_"
    monkeypatch.setenv(f"{prefix}API_KEY", "k")
    monkeypatch.setenv(prefix + name.upper(), str(schema["default"]))
    more = {"setup_mapper": False} if plugin is TapFieldPulse else {}  # it would send requests
    assert plugin(config={}, parse_env_config=True, **more).config[name] == schema["default"]


@pytest.mark.parametrize(
    ("name", "text"),
    [("REQUESTS_PER_SECOND", "fast"), ("PAGE_SIZE", "abc"), ("PAGE_SIZE", "1.5"), ("COMPLETENESS", "fial")],
)
def test_an_invalid_text_does_not_fall_back_to_the_default(
    name: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message names the setting."""
    monkeypatch.setenv("TAP_FIELDPULSE_API_KEY", "k")
    monkeypatch.setenv(f"TAP_FIELDPULSE_{name}", text)
    with pytest.raises(ConfigError, match=name.lower()):
        TapFieldPulse(config={}, parse_env_config=True)


@pytest.mark.parametrize(("text", "expected"), [("true", True), ("1", True), ("FALSE", False), ("no", False)])
def test_a_boolean_setting_accepts_the_usual_words(text: str, expected: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """In any case."""
    monkeypatch.setenv("TARGET_FIELDPULSE_DRY_RUN", text)
    assert settings_from_environment("TARGET_FIELDPULSE_", TargetFieldPulse.config_jsonschema["properties"]) == {
        "dry_run": expected
    }


def test_a_misspelt_boolean_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    """`dry_run: ture` must not write."""
    monkeypatch.setenv("TARGET_FIELDPULSE_API_KEY", "k")
    monkeypatch.setenv("TARGET_FIELDPULSE_DRY_RUN", "ture")
    with pytest.raises(ConfigError, match="dry_run"):
        TargetFieldPulse(config={}, parse_env_config=True)


def test_a_misspelt_setting_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the nearest setting."""
    monkeypatch.setenv("TAP_FIELDPULSE_API_KEY", "k")
    monkeypatch.setenv("TAP_FIELDPULSE_COMPLETENES", "fail")
    with pytest.raises(ConfigError, match="did you mean 'completeness'"):
        TapFieldPulse(config={}, parse_env_config=True, setup_mapper=False)


def test_an_unknown_setting_is_ignored_with_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A variable of another tool may start with the same prefix."""
    monkeypatch.setenv("TAP_FIELDPULSE_API_KEY", "k")
    monkeypatch.setenv("TAP_FIELDPULSE_FAVOURITE_COLOUR", "blue")
    with caplog.at_level(logging.WARNING):
        TapFieldPulse(config={}, parse_env_config=True, setup_mapper=False)
    assert "Ignoring unknown setting 'favourite_colour'" in caplog.text


@pytest.mark.parametrize(("value", "expected"), [(0.5, 0.5), ("0.5", 0.5), ("2", 2.0)])
def test_a_number_may_be_text_in_a_file(value: object, expected: float) -> None:
    """Meltano passes a number of the environment as text."""
    plugin = TargetFieldPulse(config={"api_key": "k", "requests_per_second": value, "audit_days": "7"})
    assert plugin.config["requests_per_second"] == plugin.settings.client_settings.requests_per_second == expected
    assert plugin.settings.audit_days == 7


def test_an_object_may_be_text_in_a_file() -> None:
    """So does `meltano config set` store a setting that is not declared."""
    plugin = TargetFieldPulse(config={"api_key": "k", "stream_maps": '{"tags": null}', "dry_run": "true"})
    assert plugin.config["stream_maps"] == {"tags": None}
    assert plugin.settings.dry_run is True
    assert TargetFieldPulse(config={"api_key": "k", "write_mode": "create_only"}).config["write_mode"] == "create_only"


def test_a_text_that_is_not_a_number_is_rejected_in_a_file() -> None:
    """With the name of its setting."""
    with pytest.raises(ConfigError, match="requests_per_second"):
        TargetFieldPulse(config={"api_key": "k", "requests_per_second": "fast"})


def warnings_of(plugin: Plugin, folder: Path, config: dict[str, object], *more: str) -> list[str]:
    """Return the warnings of a run with a configuration file that ends before it sends a request."""
    (folder / "config.json").write_text(json.dumps({"profile_path": str(folder / "missing"), **config}))
    result = run_command(plugin, f"--config={folder}/config.json", *more)
    assert result.status == 2
    return [line.partition("WARNING ")[2].strip() for line in result.stderr.splitlines() if "WARNING" in line]


@pytest.mark.parametrize(
    ("plugin", "name", "text"),
    [
        (TargetFieldPulse, "MAX_UPDATES", "canary"),
        (TargetFieldPulse, "DRY_RUN", "true"),
        (TargetFieldPulse, "STREAM_MAPS", "{}"),
        (TapFieldPulse, "COMPLETENESS", "fail"),
        (TapFieldPulse, "START_DATE", "canary"),
    ],
)
def test_a_variable_that_the_configuration_lacks_is_named(
    plugin: Plugin, name: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Meltano drops settings that it does not know. The warning says what to do, and shows no value."""
    variable = f"{plugin.name.upper().replace('-', '_')}_{name}"
    monkeypatch.setenv(variable, text)
    (warning,) = warnings_of(plugin, tmp_path, {"api_key": "k", name.lower(): None})
    assert f"{variable} is set in the environment and has no effect" in warning
    assert f"`{name.lower()}`" in warning
    assert "canary" not in warning
    assert warnings_of(plugin, tmp_path, {"api_key": "k"}, "--config=ENV") == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *(
            ("TARGET_FIELDPULSE_API_KEY", "k"),
            ("TARGET_FIELDPULSE_MATCH_CUSTOMERS", "[]"),
            ("MELTANO_LOAD_DRY_RUN", "1"),
        ),
        *(("TARGET_FIELDPULSE__DIALECT", "target_fieldpulse"), ("TARGET_FIELDPULSE__LOAD_SCHEMA", "tap_x")),
        *(
            ("TARGET_FIELDPULSE_LOAD_SCHEMA", "x"),
            ("TARGET_FIELDPULSE_EXECUTABLE", "x"),
            ("TAP_FIELDPULSE_FILTERS", "{}"),
        ),
        *(("TARGET_FIELDPULSE_DRY_RUN", "false"), ("TARGET_FIELDPULSE_STREAM_MAPS_X", "{}")),
        *(("TARGET_FIELDPULSE_LOGLEVEL", "WARNING"), ("TARGET_FIELDPULSE_FAVOURITE_COLOUR", "blue")),
    ],
)
def test_other_variables_are_not_named(name: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings that the configuration has, defaults, members of objects, and what Meltano and the SDK read."""
    monkeypatch.setenv(name, text)
    assert warnings_of(TargetFieldPulse, tmp_path, {"api_key": "k", "match": {"customers": []}}) == []


def test_a_misspelt_variable_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the variable that was meant."""
    monkeypatch.setenv("TARGET_FIELDPULSE_MAX_UPDATE", "1")
    (warning,) = warnings_of(TargetFieldPulse, tmp_path, {"api_key": "k"})
    assert "TARGET_FIELDPULSE_MAX_UPDATE is not a setting; did you mean TARGET_FIELDPULSE_MAX_UPDATES?" in warning


@pytest.mark.parametrize(
    "name",
    [
        "TAP_FIELDPULSE__SELECT",
        "TAP_FIELDPULSE_LOAD_SCHEMA",
        "TAP_FIELDPULSE_EXECUTABLE",
        "TAP_FIELDPULSE_STREAM_MAPS_X",
    ],
)
def test_variables_of_meltano_are_not_settings(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are neither read nor warned of. It has one for each member of an object."""
    monkeypatch.setenv(name, "x")
    assert settings_from_environment("TAP_FIELDPULSE_", TapFieldPulse.config_jsonschema["properties"]) == {}


@pytest.mark.parametrize("setting", ["API_KEY", "CONTACTS_FULL_REFRESH_DAYS", "SNAPSHOT_URL"])
def test_variables_of_another_plugin_of_meltano_are_no_mistakes(
    setting: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`.env` of a project has those of tap-fieldpulse-crm too, and Meltano hands all of them to each plugin."""
    monkeypatch.setenv(f"TAP_FIELDPULSE_CRM_{setting}", "x")
    monkeypatch.setenv("TAP_FIELDPULSE_CONTACT_FULL_REFRESH_DAYS", "1")
    monkeypatch.setenv("MELTANO_PROJECT_ROOT", str(tmp_path))
    (warning,) = warnings_of(TapFieldPulse, tmp_path, {"api_key": "k"})
    assert "TAP_FIELDPULSE_CONTACT_FULL_REFRESH_DAYS is not a setting" in warning


@pytest.mark.parametrize("key", ["API_KEY", "API_KEY_FILE"])
@pytest.mark.parametrize("prefix", ["TAP_FIELDPULSE_", "TARGET_FIELDPULSE_"])
def test_the_file_of_a_folder_does_not_redirect_the_key(
    prefix: str, key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The key of the environment goes to the address of the environment, whatever `.env` the current folder has."""
    (tmp_path / ".env").write_text(f"{prefix}API_URL=http://127.0.0.1:9\n")
    monkeypatch.chdir(tmp_path)
    assert environment_variables()[f"{prefix}API_URL"] == "http://127.0.0.1:9"
    monkeypatch.setenv(prefix + key, "secret")
    with pytest.raises(ConfigError, match="an address for the API key") as caught:
        environment_variables()
    assert "secret" not in str(caught.value)
    monkeypatch.setenv(f"{prefix}API_URL", "https://own.example.com")
    assert environment_variables()[f"{prefix}API_URL"] == "https://own.example.com"
