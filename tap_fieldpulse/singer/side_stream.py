"""A Singer stream whose records are written while other streams are read."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from singer_sdk import Tap
from singer_sdk.streams import Stream
from typing_extensions import override

from tap_fieldpulse.records.record_builder import Record


class SideStream(Stream):
    """A stream without a list of its own. Its schema precedes its first record, wherever that comes from."""

    STATE_MSG_FREQUENCY = sys.maxsize

    def __init__(self, tap: Tap, name: str, schema: dict[str, Any], primary_keys: Iterable[str]) -> None:
        super().__init__(tap, schema=schema, name=name)
        self.primary_keys = list(primary_keys)
        self._has_written_schema = False

    def write(self, records: Iterable[Record]) -> None:
        """Write records if the stream is selected."""
        for record in records if self.selected else ():
            self._write_schema_message()
            self._write_record_message(record)

    @override
    def get_records(self, context: object) -> Iterable[Record]:
        """Return nothing: all records are written by other streams."""
        return ()

    @override
    def _write_schema_message(self) -> None:
        if not self._has_written_schema:
            self._has_written_schema = True
            super()._write_schema_message()
