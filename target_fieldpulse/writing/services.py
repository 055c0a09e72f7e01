"""Services that the classes in this package share: the client, the ledger, look-ups, and waits."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fieldpulse_api.errors import RowNotFound
from fieldpulse_api.http.client import Client
from fieldpulse_api.reading.pages import ReadOptions
from fieldpulse_api.reading.single_rows import is_marked_deleted, read_row
from fieldpulse_api.resources.model import Resource
from target_fieldpulse.ledger.ledger import Ledger
from target_fieldpulse.ledger.run_marker import RunMarkers
from target_fieldpulse.ledger.written_rows import WrittenRows
from target_fieldpulse.planning.lookups import Lookups
from target_fieldpulse.planning.write_policy import WritePolicy
from target_fieldpulse.records.columns import Column
from target_fieldpulse.records.field_codec import FieldCodec
from target_fieldpulse.reporting.audit import Audit

from .new_ledger import NewLedger

_LOGGER = logging.getLogger(__name__)


class Waiter:
    """Waits that end early when the run is stopped. May be used by many threads."""

    def __init__(self, stopped: threading.Event) -> None:
        self._stopped = stopped

    def wait(self, seconds: float, reason: str) -> bool:
        """Wait, and return whether the run was stopped. A wait of more than a second is logged with its reason."""
        if seconds > 1:
            _LOGGER.info("Waiting %.0f s: %s", seconds, reason)
        return self._stopped.wait(seconds)


@dataclass(frozen=True)
class WriteServices:
    """The services of a run. May be used by many threads.

    `key_columns` are the columns that hold the source's keys, by stream. `timeout_seconds` is the setting
    `uncertain_create_timeout_seconds`: how long after it was sent a request may still be applied.
    """

    client: Client
    ledger: Ledger
    new_ledger: NewLedger
    runs: RunMarkers
    written_rows: WrittenRows
    lookups: Lookups
    read_options: ReadOptions
    codec: FieldCodec
    policy: WritePolicy
    audit: Audit
    key_columns: Mapping[str, Column]
    waiter: Waiter
    timeout_seconds: float

    def read_row(self, resource: Resource, path: str) -> Mapping[str, Any]:
        """Return the row at a path, with its custom fields.

        Raises: RowNotFound; UnexpectedResponse if the response is not a row; what `Client.get` raises.
        """
        row = read_row(self.client, resource, path)
        if is_marked_deleted(row, self.read_options.zone):
            raise RowNotFound(
                "FieldPulse has deleted this row.", where=f"GET {path}", hint="check the id; nothing was written"
            )
        return row


def row_path(resource: Resource, parent_ids: Mapping[str, int], row_id: int) -> str:
    """Return the path of a row."""
    return str(resource.item_path).format(**parent_ids, id=row_id)
