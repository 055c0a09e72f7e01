"""Checks the sources of stream maps: a map of a stream that does not exist would silently change nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from fnmatch import fnmatch
from typing import Any

from fieldpulse_api.errors import ConfigError, got_and_allowed


def check_sources(stream_maps: Mapping[str, Any], streams: Collection[str]) -> None:
    """Check that each map is for a stream, by its name, by `__source__` or by a pattern such as `*`.

    Raises: ConfigError. Fields that the map was to mask would be emitted.
    """
    for name, definition in stream_maps.items():
        source = definition.get("__source__", name) if isinstance(definition, dict) else name
        if name.startswith("__") or any(fnmatch(stream, str(source)) for stream in streams):
            continue
        raise ConfigError(
            f"A stream map is for a stream that does not exist: {got_and_allowed(source, sorted(streams))}.",
            where=f"setting stream_maps · {name}",
            hint="correct the name; to make a stream of another name, write its source as __source__",
        )
