"""Settings from the environment: their types, their validation and the errors about them."""

from __future__ import annotations

import logging

import pytest

from fieldpulse_api.errors import ConfigError
from fieldpulse_plugin.environment import settings_from_environment
from tap_fieldpulse.tap import TapFieldPulse
from target_fieldpulse.target import TargetFieldPulse

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
