"""The lines that a client writes: messages are passed on, everything else is answered with an error."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, BinaryIO

import anyio.to_thread
import mcp_types as types
from mcp.shared.message import SessionMessage
from pydantic import ValidationError

_LOGGER = logging.getLogger(__name__)
_MAX_BYTES = 4 << 20
_MAX_ID_LENGTH = 100


class ClientLines:
    """The lines of standard input that are messages. Waiting for one does not keep the process from ending.

    The SDK drops a line that it cannot parse, and the client would wait forever. `reply` sends an error instead.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.reply: Callable[[SessionMessage], Awaitable[None]] | None = None

    async def __aiter__(self) -> AsyncIterator[str]:
        while line := await anyio.to_thread.run_sync(self._read_line, abandon_on_cancel=True):
            text = line.decode("utf-8", "replace")
            try:
                types.jsonrpc_message_adapter.validate_json(text, by_name=False)
            except ValidationError:
                if text.strip():
                    await self._refuse(text, is_cut=len(line) >= _MAX_BYTES)
            else:
                yield text

    def _read_line(self) -> bytes:
        """Return the next line; of one that is too long, its beginning."""
        line = rest = self._stream.readline(_MAX_BYTES)
        while len(rest) == _MAX_BYTES and not rest.endswith(b"\n"):
            rest = self._stream.readline(_MAX_BYTES)
        return line

    async def _refuse(self, text: str, *, is_cut: bool) -> None:
        what = f"The line has more than {_MAX_BYTES:,} bytes." if is_cut else "The line is not a JSON-RPC message."
        _LOGGER.warning("%s It was not carried out.", what)
        error = types.ErrorData(code=types.PARSE_ERROR, message=f"{what} Send one message in UTF-8 on each line.")
        if self.reply:
            message = types.JSONRPCError(jsonrpc="2.0", id=None if is_cut else _id_of(text), error=error)
            await self.reply(SessionMessage(message))


def _id_of(text: str) -> int | str | None:
    """Return the id of a request that is JSON and yet no valid message, such as one with half a surrogate pair."""
    try:
        message: Any = json.loads(text)
    except (ValueError, RecursionError):
        return None
    request_id = message.get("id") if isinstance(message, dict) else None
    if isinstance(request_id, str) and len(request_id) <= _MAX_ID_LENGTH and request_id.isprintable():
        return request_id
    return request_id if type(request_id) is int and abs(request_id) < 2**63 else None
