"""Checks the sources of stream maps: a map of a stream that does not exist would silently change nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from fnmatch import fnmatch
from typing import Any

from singer_sdk.streams import Stream

from fieldpulse_api.errors import ConfigError, got_and_allowed
from fieldpulse_plugin.stream_maps import maps_without_stream


def check_sources(stream_maps: Mapping[str, Any], streams: Collection[str]) -> None:
    """Check that each map is for a stream, by its name, by `__source__` or by a pattern such as `*`.

    Raises: ConfigError. Fields that the map was to mask would be emitted. So they would if a stream had two maps: the
    later replaces the earlier.
    """
    for stream in streams:
        maps = [name for name, each in stream_maps.items() if _is_primary(each) and fnmatch(stream, name)]
        if len(maps) > 1:
            raise ConfigError(
                f"Stream {stream} has two stream maps, and only the last would have an effect: {', '.join(maps)}.",
                where=f"setting stream_maps · {maps[0]}",
                hint="put all rules for the stream into one map",
            )
    for name, fault in maps_without_stream(stream_maps, streams):
        raise ConfigError(
            f"A stream map is for a stream that does not exist: {fault}.",
            where=f"setting stream_maps · {name}",
            hint="correct the name; to make a stream of another name, write its source as __source__",
        )


def check_removed(stream_maps: Mapping[str, Any], streams: Mapping[str, Stream]) -> None:
    """Check that the properties exist that maps of selected streams remove; those of a pattern need not.

    Raises: ConfigError.
    """
    for name, definition in stream_maps.items():
        if not isinstance(definition, dict) or name not in streams or not streams[name].selected:
            continue
        properties = streams[name].schema["properties"]
        for removed in (key for key, rule in definition.items() if rule in (None, "__NULL__")):
            if removed not in properties and not removed.startswith("__"):
                raise ConfigError(
                    "A stream map removes a property that does not exist: "
                    f"{got_and_allowed(removed, sorted(properties))}.",
                    where=f"setting stream_maps · stream {name} · property {removed}",
                    hint="correct the name",
                )


def _is_primary(definition: Any) -> bool:
    """Return whether a map replaces its stream, and does not make another one of it."""
    return not isinstance(definition, dict) or "__source__" not in definition
