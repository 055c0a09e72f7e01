"""Checks the state that the user gives."""

from __future__ import annotations

from logging import Logger
from typing import Any

from fieldpulse_api.errors import ConfigError
from fieldpulse_api.resources.catalogue import BY_NAME

_SDK_KEYS = ("progress_markers", "partitions", "replication_key_signpost", "starting_replication_value")
"""Keys that the SDK may keep in a bookmark. This tap does not use them, and they would change what the SDK does."""


def read_state(state: dict[str, Any], other_streams: tuple[str, ...], logger: Logger) -> dict[str, Any]:
    """Return a state without unknown streams and keys of the SDK.

    `other_streams` are the streams besides those of resources. Unknown keys of a bookmark stay: a newer version of the
    tap may have written them.

    Raises: ConfigError if it is not the state of a tap.
    """
    bookmarks: Any = state.get("bookmarks", None if state else {})
    if not _holds_objects(bookmarks):
        raise ConfigError(
            "The state is not the state of a Singer tap.",
            where="--state",
            hint="pass the last state of an earlier run, or no state to start from the beginning",
        )
    for stream in other_streams:
        if not _holds_objects(bookmarks.get(stream, {}).get("sources", {})):
            what = f"The state of stream {stream} is not a state of this tap."
            raise ConfigError(what, where="--state", hint="pass the last state of an earlier run")
    unknown = [name for name in bookmarks if name not in (*BY_NAME, *other_streams)]
    unknown += [f"{stream}.{name}" for stream, bookmark in bookmarks.items() for name in _SDK_KEYS if name in bookmark]
    if unknown:
        logger.warning("Ignoring unknown parts of the state: %s", ", ".join(map(repr, unknown)))
    return {
        "bookmarks": {
            stream: {name: value for name, value in bookmark.items() if name not in _SDK_KEYS}
            for stream, bookmark in bookmarks.items()
        }
    }


def _holds_objects(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(element, dict) for element in value.values())
