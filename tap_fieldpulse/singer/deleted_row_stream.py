"""The Singer stream of deleted rows, written while other streams are read.

A record in the row's own stream would empty the row in a loader that upserts: it has no other value.
"""

from __future__ import annotations

from singer_sdk import Tap

from tap_fieldpulse.changes.deleted_rows import DELETED_ROWS, KEYS, SCHEMA
from tap_fieldpulse.sync.context import SyncContext

from .side_stream import SideStream


class DeletedRowStream(SideStream):
    """The deleted rows that `detect_deletes` finds, one record per row. Selected by default with that setting."""

    def __init__(self, tap: Tap, context: SyncContext) -> None:
        super().__init__(tap, DELETED_ROWS, SCHEMA, KEYS)
        self.selected_by_default = context.settings.detect_deletes
