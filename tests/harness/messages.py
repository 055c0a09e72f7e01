"""Singer messages and the lines of a Singer stream."""

from __future__ import annotations

import json
from typing import Any

Message = dict[str, Any]


def singer_lines(*messages: Message) -> str:
    """Return messages as the lines of a Singer stream."""
    return "".join(json.dumps(message) + "\n" for message in messages)


def schema_message(stream: str, *properties: str) -> Message:
    """Return a SCHEMA message."""
    return {
        "type": "SCHEMA",
        "stream": stream,
        "schema": {"properties": {name: {} for name in properties}},
        "key_properties": [],
    }


def record_message(stream: str, **values: Any) -> Message:
    """Return a RECORD message."""
    return {"type": "RECORD", "stream": stream, "record": values}


def state_message(value: Any) -> Message:
    """Return a STATE message."""
    return {"type": "STATE", "value": {"bookmarks": value}}
