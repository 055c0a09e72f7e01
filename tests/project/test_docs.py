"""The documents say what the code says, and the Meltano project knows every setting."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, cast

import pytest
import yaml
from jsonschema import Draft7Validator

from fieldpulse_api.resources.catalogue import BY_NAME
from scripts.docs import documents
from tap_fieldpulse.tap import TapFieldPulse
from target_fieldpulse.target import TargetFieldPulse

ROOT = Path(__file__).parent.parent.parent


def test_generated_parts_are_fresh() -> None:
    """`make fix` writes them."""
    assert [path.name for path, text in documents() if path.read_text("utf-8") != text] == []


@pytest.mark.parametrize("plugin", [TapFieldPulse, TargetFieldPulse])
def test_meltano_knows_every_setting(plugin: type[TapFieldPulse]) -> None:
    """A setting that Meltano does not know cannot be set there; a key that it does not guard would be shown."""
    text = (ROOT / "plugins" / f"{plugin.name}.meltano.yml").read_text("utf-8")
    (definition,) = next(iter(yaml.safe_load(text)["plugins"].values()))
    plugin.append_builtin_config(plugin.config_jsonschema)  # whichever test comes first
    assert {one["name"] for one in definition["settings"]} == set(plugin.config_jsonschema["properties"])
    secrets = {"api_key", "webhook_token", "webhook_secret"} & set(plugin.config_jsonschema["properties"])
    assert {one["name"] for one in definition["settings"] if one.get("sensitive")} == secrets


def test_the_yaml_to_paste_names_real_settings() -> None:
    """What the README tells to paste works as it stands."""
    pasted = pieces_of_yaml("plugins")
    for plugin, kind in ((TapFieldPulse, "extractors"), (TargetFieldPulse, "loaders")):
        (definition,) = pasted[kind]
        assert definition["executable"] == plugin.name
        assert {one["name"] for one in definition["settings"]} <= set(plugin.config_jsonschema["properties"])
        assert set(definition["capabilities"]) <= {one.value for one in plugin.capabilities}


def test_the_filters_to_paste_are_taken() -> None:
    """By the setting's own schema, each of a name that its stream has."""
    given = pieces_of_yaml("filters")
    Draft7Validator(TapFieldPulse.config_jsonschema["properties"]["filters"]).validate(given)
    for stream, some in given.items():
        assert set(some) <= {one.name for one in BY_NAME[stream].filters}


def pieces_of_yaml(name: str) -> dict[str, Any]:
    """Return what stands under a key of the README's YAML."""
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    (found,) = [piece[name] for piece in map(yaml.safe_load, blocks) if name in piece]
    return cast("dict[str, Any]", found)


def test_every_task_of_the_makefile_is_told_of() -> None:
    """`make` alone lists them all."""
    text = (ROOT / "Makefile").read_text("utf-8")
    listed = set(re.findall(r"^([a-z-]+):.*## ", text, re.MULTILINE))
    assert {"demo", "test", "check", "fix", "sandbox", "snap", "record"} <= listed
    assert listed == set(re.findall(r"^([a-z-]+):", text, re.MULTILINE))


def test_links_in_the_documents_lead_somewhere() -> None:
    """A file that a document names is there."""
    for document in ("README.md", "AGENTS.md", "CHANGELOG.md"):
        for name in re.findall(r"\]\(([^)#:]+)\)", (ROOT / document).read_text("utf-8")):
            assert (ROOT / name).exists(), f"{document}: {name}"


@pytest.mark.parametrize("plugin", ["tap", "target"])
def test_every_default_is_of_the_kind_that_meltano_is_told(plugin: str) -> None:
    """Meltano reads a default as its kind, and fails on one that is not."""
    definition = yaml.safe_load((ROOT / "plugins" / f"{plugin}-fieldpulse.meltano.yml").read_text("utf-8"))
    (known,) = next(iter(definition["plugins"].values()))
    kinds = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "options": str}
    wrong = [
        one["name"]
        for one in known["settings"]
        if one["kind"] in kinds and not isinstance(one.get("value", kinds[one["kind"]]()), kinds[one["kind"]])
    ]
    assert wrong == []


def test_the_facts_that_the_code_cites_exist() -> None:
    """`API facts 2.2` in a comment is a section of docs/api-facts.md."""
    sections = set(
        re.findall(r"^#+ (\d+(?:\.\d+)?) ", (ROOT / "docs" / "api-facts.md").read_text("utf-8"), re.MULTILINE)
    )
    packages = ("fieldpulse_api", "fieldpulse_plugin", "fieldpulse_cli", "fieldpulse_sandbox")
    sources = [
        path for name in (*packages, "tap_fieldpulse", "target_fieldpulse") for path in (ROOT / name).rglob("*.py")
    ]
    cited = {
        (number, path.name)
        for path in sources
        for number in re.findall(r"API facts (\d+(?:\.\d+)?)", path.read_text("utf-8"))
    }
    assert sorted((number, name) for number, name in cited if number not in sections) == []
