"""An agent in this process: it calls the tools as the protocol does, without a process of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fieldpulse_cli.mcp_server.reading.answer_tool import Answers
from fieldpulse_cli.mcp_server.server import run_tool
from fieldpulse_cli.mcp_server.tools import tools_of
from fieldpulse_plugin.settings import SHARED_SETTINGS
from fieldpulse_sandbox.sandbox import Sandbox
from target_fieldpulse.settings import TARGET_SETTINGS, TargetSettings


class Agent:
    """An agent of a sandbox's account, which may write."""

    def __init__(self, sandbox: Sandbox, folder: Path, *, answers: Answers | None = None, **settings: Any) -> None:
        properties = {**SHARED_SETTINGS, **TARGET_SETTINGS}
        config = {name: schema["default"] for name, schema in properties.items() if "default" in schema} | {
            "api_key": sandbox.key,
            "api_url": sandbox.url,
            "rate_limit_store": "memory",
            "ledger_url": f"sqlite:///{folder}/ledger.db",
            "rejects_path": str(folder / "rejects.singer"),
            "uncertain_create_timeout_seconds": 0.3,
        }
        self.target = TargetSettings.from_config(config | settings)
        self.tools = {tool.name: tool for tool in tools_of(self.target.client_settings, self.target, answers)}

    def call(self, name: str, **arguments: Any) -> dict[str, Any]:
        """Return the structured result of a call that must not fail."""
        result = run_tool(self.tools[name], arguments)
        assert not result.is_error, result.content
        assert result.structured_content is not None
        result.model_dump_json()  # what cannot be encoded would end the server
        return result.structured_content

    def error(self, name: str, **arguments: Any) -> str:
        """Return the error of a call that must fail: what, where and what to do."""
        result = run_tool(self.tools[name], arguments)
        assert result.is_error, result.structured_content
        text = result.content[0].text
        assert "\n  where: " in text
        assert "\n  do:    " in text
        assert "This is a bug" not in text
        return text

    def parts(self, name: str, **arguments: Any) -> Iterator[dict[str, Any]]:
        """Yield the results of a list, until its cursor is null."""
        result = self.call(name, **arguments)
        yield result
        while result["cursor"]:
            result = self.call(name, stream=arguments["stream"], cursor=result["cursor"], limit=arguments["limit"])
            yield result

    def rows(self, name: str, **arguments: Any) -> list[dict[str, Any]]:
        """Return all rows of a list."""
        return [row for part in self.parts(name, **{"limit": 100, **arguments}) for row in part["rows"]]
