"""Settings of both plugins: as tables, and as the definitions that a Meltano project needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import yaml

from fieldpulse_cli.main import COMMANDS
from fieldpulse_cli.meltano import UTILITY_SETTINGS
from tap_fieldpulse.tap import TapFieldPulse
from target_fieldpulse.target import TargetFieldPulse

from .tables import table

Plugin = type[TapFieldPulse] | type[TargetFieldPulse]

_HEADING = "# Written by `make fix` from the code.\n"
_BESIDE_THE_PROJECT = "-e ${MELTANO_PROJECT_ROOT}/../singer-fieldpulse"  # until the first release
_USE_CASES = Path(__file__).parent.parent.parent / "plugins" / "use-cases.meltano.yml"
_FROM_THE_SDK = ("stream_map", "faker", "flattening")
# Not `decimal`: Meltano 4.4 fails at each such value from the environment. As a string, 0.5 comes as a number from
# meltano.yml and as text from the environment; the plugins accept both.
_MELTANO_KINDS = {"number": "string"}


def table_of(plugin: Plugin) -> str:
    """Return a plugin's own settings as a table."""
    rows = [
        (f"`{name}`", _type(schema), _default(name, schema), schema["description"])
        for name, schema in plugin.config_jsonschema["properties"].items()
        if not name.startswith(_FROM_THE_SDK)
    ]
    return table(("setting", "type", "default", "meaning"), rows)


def table_of_utility() -> str:
    """Return the settings of the utility as a table."""
    rows = [(f"`{name}`", _default(name, schema), schema["description"]) for name, schema in UTILITY_SETTINGS.items()]
    return table(("setting", "default", "meaning"), rows)


def table_of_commands() -> str:
    """Return the commands of the utility as a table."""
    return table(
        ("command", "what it does"),
        [(f"`meltano invoke fieldpulse:{name}`", each["description"]) for name, each in _commands().items()],
    )


def hub_definitions() -> Iterator[tuple[str, str]]:
    """Yield the name of each plugin, and its definition as Meltano Hub has it: for `meltano add --from-ref`."""
    for definition in _definitions(_BESIDE_THE_PROJECT, _described):
        definition.pop("plugin_type")
        text: str = yaml.safe_dump(definition, sort_keys=False, width=110, allow_unicode=True)
        yield definition["name"], f"{_HEADING}{text}"


def project_definitions(path_of_repository: str = "") -> str:
    """Return the definitions of all plugins as a file that the `meltano.yml` of a project includes.

    The path is that from the folder of the project to this repository, such as `/../..`.
    """
    return "\n".join([_HEADING.strip(), *_lines(f"-e ${{MELTANO_PROJECT_ROOT}}{path_of_repository}"), ""])


def snippet() -> str:
    """Return the definitions of all plugins as YAML to paste."""
    return "\n".join(["```yaml", *_lines(_BESIDE_THE_PROJECT), "```\n"])


def use_cases() -> str:
    """Return the file of jobs and schedules, as it is."""
    return f"```yaml\n{_USE_CASES.read_text('utf-8')}```\n"


def _lines(pip_url: str) -> Iterator[str]:
    """Yield the definitions as YAML, without descriptions and defaults: every setting and command on a line."""
    yield "plugins:"
    for definition in _definitions(pip_url, _short):
        yield f"  {definition.pop('plugin_type')}:"
        for name, value in definition.items():
            if name == "settings":
                yield from ("    settings:", *(f"    - {_flow(setting)}" for setting in value))
            elif name == "commands":
                yield from ("    commands:", *(f"      {command}: {_flow(each)}" for command, each in value.items()))
            else:
                yield f"  {'-' if name == 'name' else ' '} {name}: {_flow(value) if isinstance(value, list) else value}"


def _definitions(pip_url: str, setting: Callable[[str, dict[str, Any]], dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for plugin, plugin_type in ((TapFieldPulse, "extractors"), (TargetFieldPulse, "loaders")):
        properties = plugin.config_jsonschema["properties"]
        yield {
            "plugin_type": plugin_type,
            "name": plugin.name,
            "namespace": plugin.name.replace("-", "_"),
            "variant": "singer-fieldpulse",
            "label": "FieldPulse",
            "pip_url": pip_url,
            "executable": plugin.name,
            "capabilities": [str(capability.value) for capability in plugin.capabilities],
            "settings_group_validation": [["api_key"], ["api_key_file"]],
            "settings": [setting(name, schema) for name, schema in properties.items()],
        }
    yield {
        "plugin_type": "utilities",
        "name": "fieldpulse",
        "namespace": "fieldpulse",
        "variant": "singer-fieldpulse",
        "label": "FieldPulse",
        "pip_url": f"{pip_url}[report,webhooks]",
        "executable": "fieldpulse",
        "settings": [setting(name, schema) for name, schema in UTILITY_SETTINGS.items()],
        "commands": _commands(),
    }


def _commands() -> dict[str, dict[str, str]]:
    return {
        name: {"args": name, "description": (resolve_name(place).help or "").split("\n\n")[0].replace("\n", " ")}
        for name, place in COMMANDS.items()
        if name != "meltano"  # it starts Meltano
    }


def _flow(value: Any) -> str:
    text: str = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10_000)
    return text.strip()


def _short(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """Return what Meltano must know of a setting: defaults are the plugin's own."""
    described = _described(name, schema)
    kind = "string" if described["kind"] == "options" else described["kind"]
    return {"name": name, "kind": kind} | ({"sensitive": True} if described.get("sensitive") else {})


def _described(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    types = schema.get("type", "string")
    kind = next((each for each in ([types] if isinstance(types, str) else types) if each != "null"), "string")
    setting: dict[str, Any] = {"name": name, "kind": _MELTANO_KINDS.get(kind, kind)}
    if schema.get("secret") or schema.get("writeOnly"):
        setting["sensitive"] = True
    if schema.get("format") == "date-time":
        setting["kind"] = "date_iso8601"
    if "enum" in schema:
        setting["kind"] = "options"
        setting["options"] = [{"label": value, "value": value} for value in schema["enum"]]
    if "default" in schema:
        setting["value"] = schema["default"]
    if "title" in schema:
        setting["label"] = schema["title"]
    setting["description"] = schema.get("description", "")
    return setting


def _type(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return str(schema.get("format") or next(name for name in types if name != "null"))


def _default(name: str, schema: dict[str, Any]) -> str:
    if name == "api_key":
        return "required, or `api_key_file`"
    default = schema.get("default")
    return "" if default is None else f"`{str(default).lower() if isinstance(default, bool) else default}`"
