"""The tools of `fieldpulse mcp`, as a model reads about them."""

from __future__ import annotations

from fieldpulse_cli.mcp_server.answer_tool import Answers
from fieldpulse_cli.mcp_server.tools import tools_of
from fieldpulse_plugin.settings import SHARED_SETTINGS
from tap_fieldpulse.settings import TAP_SETTINGS, TapSettings
from target_fieldpulse.settings import TARGET_SETTINGS, TargetSettings

from .tables import table


def tools_table() -> str:
    """Return every tool with its description and its arguments as a table."""
    key = {"api_key": "unknown"}
    tap, target = (
        {name: schema["default"] for name, schema in {**SHARED_SETTINGS, **own}.items() if "default" in schema} | key
        for own in (TAP_SETTINGS, TARGET_SETTINGS)
    )
    settings = TargetSettings.from_config(target)
    tools = tools_of(
        TapSettings.from_config(tap), settings.client_settings, settings, Answers("postgresql://", "answers")
    )
    rows = []
    for tool in tools:
        required = tool.schema["required"]
        arguments = [f"**`{name}`**" if name in required else f"`{name}`" for name in tool.schema["properties"]]
        rows.append((f"`{tool.name}`", tool.description, ", ".join(arguments)))
    return table(("tool", "what the model is told", "arguments"), rows)
