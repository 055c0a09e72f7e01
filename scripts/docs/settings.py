"""Settings of both plugins: as tables, and as the definitions that a Meltano project needs."""

from __future__ import annotations

from typing import Any

import yaml

from tap_fieldpulse.tap import TapFieldPulse
from target_fieldpulse.target import TargetFieldPulse

from .tables import table

Plugin = type[TapFieldPulse] | type[TargetFieldPulse]

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


def definition(plugin: Plugin) -> str:
    """Return the definition of a plugin for a Meltano project, as a file."""
    text: str = yaml.safe_dump(
        {"plugins": {_kind(plugin): [_plugin(plugin, "-e ${MELTANO_PROJECT_ROOT}", _described)]}},
        sort_keys=False,
        width=110,
        allow_unicode=True,
    )
    return f"# Written by `make fix` from the code.\n{text}"


def snippet() -> str:
    """Return the definitions of both plugins as YAML to paste: every setting on a line, without descriptions."""
    lines = ["plugins:"]
    for plugin in (TapFieldPulse, TargetFieldPulse):
        lines += [f"  {_kind(plugin)}:"]
        for name, value in _plugin(plugin, "-e ${MELTANO_PROJECT_ROOT}/../singer-fieldpulse", _short).items():
            if name == "settings":
                lines += ["    settings:", *(f"    - {_flow(setting)}" for setting in value)]
            else:
                text = _flow(value) if isinstance(value, list) else value
                lines.append(f"  {'-' if name == 'name' else ' '} {name}: {text}")
    return "\n".join(["```yaml", *lines, "```\n"])


def _plugin(plugin: Plugin, pip_url: str, setting: Any) -> dict[str, Any]:
    return {
        "name": plugin.name,
        "namespace": plugin.name.replace("-", "_"),
        "label": "FieldPulse",
        "pip_url": pip_url,
        "executable": plugin.name,
        "capabilities": [str(capability.value) for capability in plugin.capabilities],
        "settings": [setting(name, schema) for name, schema in plugin.config_jsonschema["properties"].items()],
    }


def _kind(plugin: Plugin) -> str:
    return "extractors" if plugin is TapFieldPulse else "loaders"


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
    if schema.get("secret"):
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
