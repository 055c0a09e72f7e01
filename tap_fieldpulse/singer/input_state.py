"""The state of the run before, as far as it is one of this tap."""

from __future__ import annotations

from logging import Logger
from typing import Any

from fieldpulse_api.errors import ConfigError
from fieldpulse_api.resources.catalogue import BY_NAME

_OF_THE_SDK = ("progress_markers", "partitions", "replication_key_signpost", "starting_replication_value")
"""What the SDK keeps in a bookmark for taps that let it: none of it is ours, and any of it changes what it does."""


def read_state(state: dict[str, Any], events: tuple[str, ...], logger: Logger) -> dict[str, Any]:
    """Return a state without what has no meaning here; `events` are the streams that are no resources.

    What a newer version of this tap put into a bookmark stays in it.

    Raises: BadSetting for what is no state of a tap.
    """
    bookmarks: Any = state.get("bookmarks", None if state else {})
    if not _holds_objects(bookmarks):
        raise ConfigError(
            "The state is not the state of a Singer tap.",
            where="--state",
            hint="give what the last run emitted, or none to start anew",
        )
    for stream in events:
        if not _holds_objects(bookmarks.get(stream, {}).get("sources", {})):
            what = f"The state of {stream} is not one of this tap."
            raise ConfigError(what, where="--state", hint="give what the last run emitted")
    idle = [name for name in bookmarks if name not in (*BY_NAME, *events)]
    idle += [f"{stream}.{name}" for stream, one in bookmarks.items() for name in _OF_THE_SDK if name in one]
    if idle:
        logger.warning("The state holds what is not this tap's, and it has no effect: %s", ", ".join(map(repr, idle)))
    return {
        "bookmarks": {
            stream: {name: value for name, value in one.items() if name not in _OF_THE_SDK}
            for stream, one in bookmarks.items()
        }
    }


def _holds_objects(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(one, dict) for one in value.values())
