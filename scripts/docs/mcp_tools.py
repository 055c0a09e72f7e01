"""The tools of `fieldpulse mcp`, as a model reads about them."""

from __future__ import annotations

from fieldpulse_cli.mcp_server.reading.answer_tool import Answers
from fieldpulse_cli.mcp_server.tools import tools_of
from fieldpulse_plugin.settings import SHARED_SETTINGS
from target_fieldpulse.settings import TARGET_SETTINGS, TargetSettings

from .tables import table


def tools_table() -> str:
    """Return every tool with its description and its arguments as a table."""
    properties = {**SHARED_SETTINGS, **TARGET_SETTINGS}
    config = {name: schema["default"] for name, schema in properties.items() if "default" in schema}
    settings = TargetSettings.from_config(config | {"api_key": "unknown"})
    tools = tools_of(settings.client_settings, settings, Answers("postgresql://", "answers"))
    rows = []
    for tool in tools:
        required = tool.schema["required"]
        arguments = [f"**`{name}`**" if name in required else f"`{name}`" for name in tool.schema["properties"]]
        rows.append((f"`{tool.name}`", tool.description, ", ".join(arguments)))
    return table(("tool", "what the model is told", "arguments"), rows)
