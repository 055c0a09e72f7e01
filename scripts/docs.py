"""Write what the documents say about settings, streams, errors, statuses and the sandbox, from the code; or check it.

`python -m scripts.docs` writes, `--check` only says what is stale and ends with status 1.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import yaml

from fieldpulse_api import errors
from fieldpulse_api.resources.catalogue import RESOURCES
from fieldpulse_api.resources.model import Filter, Resource
from fieldpulse_plugin.exit_codes import EXIT_STATUSES
from fieldpulse_sandbox.behaviour.profiles import ABOUT, PROFILES
from fieldpulse_sandbox.behaviour.switches import Behaviour
from fieldpulse_sandbox.faults.fault import KINDS, Fault
from fieldpulse_sandbox.faults.random_faults import Chaos
from fieldpulse_sandbox.option_pairs import spoken
from fieldpulse_sandbox.options import Options, described
from tap_fieldpulse.singer import change_event_stream as change_events
from tap_fieldpulse.singer import webhook_event_stream as webhook_events
from tap_fieldpulse.tap import TapFieldPulse
from target_fieldpulse.target import TargetFieldPulse

ROOT = Path(__file__).parent.parent
Plugin = type[TapFieldPulse] | type[TargetFieldPulse]

_MELTANO_KINDS = {"string": "string", "integer": "integer", "number": "decimal", "boolean": "boolean"}


def settings_table(plugin: Plugin) -> str:
    """Return a plugin's settings as a table."""
    rows = [
        (f"`{name}`", _kind(one), _default(name, one), one["description"])
        for name, one in plugin.config_jsonschema["properties"].items()
        if not name.startswith(("stream_map", "faker", "flattening"))
    ]
    return _table(("setting", "type", "default", "meaning"), rows)


def streams_table() -> str:
    """Return the streams as a table."""
    rows = [(f"`{one.name}`", one.title, _replication(one), _writes(one), one.evidence.value) for one in RESOURCES]
    events = {
        change_events.NAME: "What changed in the streams above; not selected unless asked for",
        webhook_events.NAME: "What webhooks delivered, as it came; not selected unless asked for",
    }
    rows += [(f"`{name}`", title, "append", "", "") for name, title in events.items()]
    return _table(("stream", "what it is", "replication", "target writes", "evidence"), rows)


def writes_table() -> str:
    """Return what can be written as a table."""
    rows = []
    for resource in RESOURCES:
        write = resource.write_spec
        if write is None:
            continue
        named = {
            name: None
            for one in write.references
            for name in one.properties
            if name not in write.by_name or one.is_list
        }
        required = [*write.required, *([f"one of {', '.join(write.require_any_of)}"] if write.require_any_of else [])]
        rows.append(
            (
                f"`{resource.name}`",
                ", ".join(
                    f"`{name}`" for name in [*named, *(["custom_fields"] if resource.custom_field_object else [])]
                ),
                ", ".join(required) or "",
                " or ".join(" and ".join(one) for one in write.match_sets),
                ", ".join(f"`{call.name}`" for call in write.actions),
                "yes" if "D" in resource.operations else "",
            )
        )
    head = (
        "stream",
        "by name or your key",
        "required to create",
        "found by, unless `match` says otherwise",
        "calls",
        "delete",
    )
    return _table(head, rows)


def filters_table() -> str:
    """Return the filters as a table."""
    rows = []
    for resource in RESOURCES:
        named: dict[str, list[Filter]] = {}
        for one in resource.filters:
            named.setdefault(one.name, []).append(one)
        rows += [(f"`{resource.name}`", f"`{name}`", *_filter(resource, some)) for name, some in named.items()]
    return _table(("stream", "filter", "values", "sent as"), rows)


def errors_table() -> str:
    """Return the errors as a table, grouped by whose turn it is."""
    kinds = list(_descendants(errors.FieldPulseError))
    rows = [(f"`{kind.__name__}`", (kind.__doc__ or "").strip(), str(kind.exit_status)) for kind in kinds]
    return _table(("error", "what it means", "exit status"), rows)


def exits_table() -> str:
    """Return the exit statuses as a table."""
    return _table(("status", "meaning"), [(str(status), text) for status, text in EXIT_STATUSES.items()])


def profiles_table() -> str:
    """Return the profiles of the sandbox as a table, with the switches that they turn."""
    rows = []
    for name, behaviour in PROFILES.items():
        turned = [f"`{one}={said}`" for one, said in _switched(behaviour)]
        rows.append((f"`{name}`", ABOUT[name], " ".join(turned)))
    return _table(("profile", "what it is", "switches"), rows)


def options_table(options: Options, head: tuple[str, str, str, str]) -> str:
    """Return what there is to say of switches or faults as a table."""
    lines = [
        (f"`{name}`", values, f"`{default}`", about) for name, values, default, about in described(options) if default
    ]
    return _table(head, lines)


def faults_table() -> str:
    """Return the kinds of faults of the sandbox as a table."""
    return _table(("kind of fault", "what happens"), [(f"`{kind}`", text) for kind, text in KINDS.items()])


def plugin_yaml(plugin: Plugin, kind: str) -> str:
    """Return what a Meltano project needs to know of a plugin."""
    definition = {
        "name": plugin.name,
        "namespace": plugin.name.replace("-", "_"),
        "label": "FieldPulse",
        "pip_url": "-e ${MELTANO_PROJECT_ROOT}",
        "executable": plugin.name,
        "capabilities": [str(one.value) for one in plugin.capabilities],
        "settings": [_meltano(name, one) for name, one in plugin.config_jsonschema["properties"].items()],
    }
    head = "# Written by `make fix` from the code.\n"
    text: str = yaml.safe_dump({"plugins": {kind: [definition]}}, sort_keys=False, width=110, allow_unicode=True)
    return head + text


def documents() -> Iterator[tuple[Path, str]]:
    """Yield every document with generated parts, and what it should say."""
    for plugin, kind in ((TapFieldPulse, "extractors"), (TargetFieldPulse, "loaders")):
        plugin.append_builtin_config(plugin.config_jsonschema)
        yield ROOT / "plugins" / f"{plugin.name}.meltano.yml", plugin_yaml(plugin, kind)
    readme = ROOT / "README.md"
    text = readme.read_text("utf-8")
    blocks = {
        "tap settings": settings_table(TapFieldPulse),
        "target settings": settings_table(TargetFieldPulse),
        "streams": streams_table(),
        "filters": filters_table(),
        "writes": writes_table(),
        "errors": errors_table(),
        "sandbox profiles": profiles_table(),
        "sandbox switches": options_table(Behaviour, ("switch", "values", "default", "what it says")),
        "sandbox faults": faults_table(),
        "sandbox fault options": options_table(Fault, ("of a fault", "values", "default", "what it says")),
        "sandbox chaos": options_table(Chaos, ("`--fault-…`", "values", "default", "what it says")),
        "exit statuses": exits_table(),
    }
    for name, block in blocks.items():
        begin, end = f"<!-- begin {name}: written by `make fix` -->\n", f"<!-- end {name} -->"
        text = re.sub(
            f"{re.escape(begin)}.*?{re.escape(end)}",
            lambda _, b=begin, t=block, e=end: b + t + e,
            text,
            flags=re.DOTALL,
        )
        if begin not in text:
            raise SystemExit(f"README.md lacks the block {name!r}")
    yield readme, text


def main() -> None:
    """Write the documents, or check them."""
    stale = [(path, text) for path, text in documents() if not path.exists() or path.read_text("utf-8") != text]
    if "--check" in sys.argv[1:]:
        if stale:
            raise SystemExit(f"stale: {', '.join(str(path.relative_to(ROOT)) for path, _ in stale)}; run `make fix`")
        return
    for path, text in stale:
        path.write_text(text, "utf-8")


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def _kind(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return " \\| ".join(f"`{one}`" for one in schema["enum"]).replace("\\|", "or")
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return schema.get("format") or next(kind for kind in kinds if kind != "null")


def _default(name: str, schema: dict[str, Any]) -> str:
    if name == "api_key":
        return "required, or `api_key_file`"
    return (
        f"`{str(schema['default']).lower() if isinstance(schema['default'], bool) else schema['default']}`"
        if "default" in schema
        else ""
    )


def _filter(resource: Resource, some: list[Filter]) -> tuple[str, str]:
    values = []
    for one in some:
        labels = next((labels for labels in resource.code_labels if labels.column == one.columns[0]), None)
        if one.comparison:
            values.append("a time or a day")
        elif one.stream:
            values.append(f"names or ids of `{one.stream}`")
        elif labels:
            values.append("labels or codes")
        elif one.query_param:
            values.append(", ".join(one.allowed_values) or "codes")
        else:
            values.append(f"what is in {', '.join(f'`{column}`' for column in one.columns)}")
    sent = [_sent(one) for one in some]
    return " or ".join(values), " or ".join(dict.fromkeys(sent))


def _sent(one: Filter) -> str:
    if one.query_param is None:
        return "not sent"
    return f"`filter` on `{one.columns[0]}`" if one.query_param == "filter" else f"`{one.query_param}`"


def _switched(behaviour: Behaviour) -> Iterator[tuple[str, str]]:
    """Yield the switches that differ from their defaults."""
    for one in fields(Behaviour):
        value = getattr(behaviour, one.name)
        if value != one.default:
            yield one.name, spoken(value)


def _replication(resource: Resource) -> str:
    if resource.parent:
        return f"below changed `{resource.parent}`"
    return f"incremental, `{resource.updated_column}`" if resource.updated_column else "full table"


def _writes(resource: Resource) -> str:
    if not resource.write_spec:
        return ""
    if resource.write_spec.target_resource:
        return f"moves {resource.write_spec.target_resource}"
    return "create, update, delete" if "D" in resource.operations else "create, update"


def _descendants(kind: type[errors.FieldPulseError]) -> Iterator[type[errors.FieldPulseError]]:
    for child in kind.__subclasses__():
        yield child
        yield from _descendants(child)


def _meltano(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    kinds = schema.get("type", "string")
    kind = next((one for one in ([kinds] if isinstance(kinds, str) else kinds) if one != "null"), "string")
    setting: dict[str, Any] = {"name": name, "kind": _MELTANO_KINDS.get(kind, kind)}
    if schema.get("secret"):
        setting["sensitive"] = True
    if schema.get("format") == "date-time":
        setting["kind"] = "date_iso8601"
    if "enum" in schema:
        setting["kind"] = "options"
        setting["options"] = [{"label": one, "value": one} for one in schema["enum"]]
    if "default" in schema:
        setting["value"] = schema["default"]
    if "title" in schema:
        setting["label"] = schema["title"]
    setting["description"] = schema.get("description", "")
    return setting


if __name__ == "__main__":
    main()
