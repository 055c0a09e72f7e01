"""All tools of one account."""

from __future__ import annotations

from fieldpulse_api.http.settings import ClientSettings
from tap_fieldpulse.settings import TapSettings
from target_fieldpulse.settings import TargetSettings

from .account import Account
from .read_tools import ReadTools
from .tool import Tool
from .write_tools import WriteTools


def tools_of(tap: TapSettings, client: ClientSettings, target: TargetSettings | None) -> list[Tool]:
    """Return the tools that read, and with settings of a target those that write. Sends no request."""
    tools = ReadTools(Account(tap, client)).tools()
    return tools + WriteTools(target).tools() if target else tools
