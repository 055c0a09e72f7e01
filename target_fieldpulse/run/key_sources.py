"""Keys of several input streams that stream maps send into one stream: the same key must not mean two things."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from target_fieldpulse.records.field_codec import invalid_field
from target_fieldpulse.records.parsed_record import EXTERNAL_ID, ParsedRecord


class KeySources:
    """Remembers the input stream that each key came from, for streams that stream maps rename others to."""

    def __init__(self, stream_maps: Mapping[str, Any]) -> None:
        self._aliases = {
            each["__alias__"] for each in stream_maps.values() if isinstance(each, dict) and "__alias__" in each
        }
        self._sources: dict[int, str] = {}  # by the hash of a key: there may be millions

    def check(self, record: ParsedRecord, source: str) -> ParsedRecord:
        """Return a record, with an error if its key came from another input stream before."""
        if record.resource.name not in self._aliases or record.external_id is None or record.error:
            return record
        first = self._sources.setdefault(hash(record.key), source)
        if first == source:
            return record
        reason = f"the input streams {first!r} and {source!r} are mapped to `{record.resource.name}` with the same key"
        hint = "give each of them keys of its own, such as `'contact-' + str(id)`, or set `shared_rows: allow`"
        return replace(record, error=invalid_field(reason, EXTERNAL_ID, hint))
