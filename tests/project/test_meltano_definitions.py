"""The definitions in `plugins/` are whole, and in the forms of Meltano. `make meltano` runs the real Meltano."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from fieldpulse_cli.main import COMMANDS
from fieldpulse_cli.meltano import UTILITY_SETTINGS
from scripts.docs.documents import ROOT
from scripts.docs.settings import Plugin
from tap_fieldpulse.tap import TapFieldPulse
from target_fieldpulse.target import TargetFieldPulse

NAMES = ("tap-fieldpulse", "target-fieldpulse", "fieldpulse")


def definition(name: str) -> dict[str, Any]:
    result: dict[str, Any] = yaml.safe_load((ROOT / "plugins" / f"{name}.yml").read_text("utf-8"))
    return result


@pytest.mark.parametrize("plugin", [TapFieldPulse, TargetFieldPulse])
def test_meltano_knows_every_setting(plugin: Plugin) -> None:
    """A setting that Meltano does not know cannot be set there; a secret that it does not guard would be shown."""
    plugin.append_builtin_config(plugin.config_jsonschema)  # whichever test comes first
    properties = plugin.config_jsonschema["properties"]
    settings = definition(plugin.name)["settings"]
    assert {setting["name"] for setting in settings} == set(properties)
    secrets = {"api_key", "webhook_token", "webhook_secret", "push_secret"}
    may_hold_a_password = {"rate_limit_store", "snapshot_url", "skip_written_by", "ledger_url"}
    expected = (secrets | may_hold_a_password) & set(properties)
    assert {setting["name"] for setting in settings if setting.get("sensitive")} == expected
    assert all(setting["label"] and setting["description"] for setting in settings)


def test_the_utility_has_every_command() -> None:
    """Each but the command that starts Meltano, with a line for `meltano invoke --list-commands fieldpulse`."""
    utility = definition("fieldpulse")
    assert set(utility["commands"]) == set(COMMANDS) - {"meltano"}
    assert all(each["args"] == name and each["description"] for name, each in utility["commands"].items())
    assert [setting["name"] for setting in utility["settings"]] == list(UTILITY_SETTINGS)


@pytest.mark.parametrize("name", NAMES)
def test_every_default_is_of_the_kind_that_meltano_is_told(name: str) -> None:
    """Meltano reads a default as its kind, and fails on one that is not."""
    kinds = {"object": dict, "array": list, "boolean": bool, "integer": int, "options": str, "date_iso8601": str}
    kinds["string"] = object  # of numbers, too: Meltano converts only text
    wrong = [
        setting["name"]
        for setting in definition(name)["settings"]
        if not isinstance(setting.get("value", kinds[setting["kind"]]()), kinds[setting["kind"]])
    ]
    assert wrong == []


def test_the_short_definitions_have_the_same_settings() -> None:
    """Those of the docs, to paste, and those that this repository's meltano.yml includes."""
    page = (ROOT / "docs" / "getting-started" / "meltano.md").read_text("utf-8")
    (pasted,) = (block for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) if "namespace" in block)
    for text in (pasted, (ROOT / "plugins" / "fieldpulse.meltano.yml").read_text("utf-8")):
        plugins = [plugin for kind in yaml.safe_load(text)["plugins"].values() for plugin in kind]
        assert [plugin["name"] for plugin in plugins] == list(NAMES)
        for plugin in plugins:
            whole = definition(plugin["name"])
            assert {*plugin} == {*whole}
            assert [each["name"] for each in plugin["settings"]] == [each["name"] for each in whole["settings"]]
            assert plugin.get("commands") == whole.get("commands")
            for name in {*plugin} - {"settings", "pip_url"}:
                assert plugin[name] == whole[name]


def test_the_use_cases_name_what_exists() -> None:
    """Each job runs plugins that are defined, by itself or in meltano.yml, and each schedule a job."""
    use_cases = yaml.safe_load((ROOT / "plugins" / "use-cases.meltano.yml").read_text("utf-8"))
    ours = yaml.safe_load((ROOT / "meltano.yml").read_text("utf-8"))
    plugins = [plugin for part in (use_cases, ours) for kind in part["plugins"].values() for plugin in kind]
    known = {*NAMES, *(plugin["name"] for plugin in plugins)}
    assert {name for job in use_cases["jobs"] for task in job["tasks"] for name in task.split()} <= known
    assert {plugin["inherit_from"] for plugin in plugins if "inherit_from" in plugin} <= known
    assert sorted(schedule["job"] for schedule in use_cases["schedules"]) == sorted(
        job["name"] for job in use_cases["jobs"]
    )
