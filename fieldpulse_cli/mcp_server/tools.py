"""All tools of one account."""

from __future__ import annotations

from fieldpulse_api.http.settings import ClientSettings
from target_fieldpulse.settings import TargetSettings

from .reading.account import Account
from .reading.answer_tool import Answers
from .reading.read_tools import ReadTools
from .tool import Tool
from .writing.write_tools import WriteTools


def tools_of(
    client: ClientSettings, target: TargetSettings | None = None, answers: Answers | None = None
) -> list[Tool]:
    """Return the tools that read; with views that of the answers, and with a target those that write."""
    tools = ReadTools(Account(client)).tools()
    if answers:
        tools.append(answers.tool())
    return tools + WriteTools(target).tools() if target else tools
