"""What the parts of a run share: the account, what is known of it, and the rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fieldpulse_api.errors import UnexpectedResponse
from fieldpulse_api.http.client import Client
from fieldpulse_api.reading.pages import ReadOptions
from fieldpulse_api.resources.model import Resource
from target_fieldpulse.ledger.ledger import Ledger
from target_fieldpulse.planning.lookups import Lookups
from target_fieldpulse.planning.write_policy import WritePolicy
from target_fieldpulse.records.field_codec import FieldCodec
from target_fieldpulse.reporting.audit import Audit


@dataclass(frozen=True)
class WriteServices:
    """All of it may be used by many threads. `external` are the columns with the source's keys, by stream."""

    client: Client
    ledger: Ledger
    lookups: Lookups
    read_options: ReadOptions
    codec: FieldCodec
    rules: WritePolicy
    audit: Audit
    key_columns: Mapping[str, str]

    def read_row(self, resource: Resource, path: str) -> Mapping[str, Any]:
        """Read a row by id, with its custom fields. Raises: NotFound; UnexpectedReply; what `Client.get` raises."""
        row = self.client.get(path, dict(resource.with_custom_fields_params)).data
        if not isinstance(row, dict):
            what = "FieldPulse answered with something that is no row."
            raise UnexpectedResponse(
                what, where=f"GET {path}", hint="run again; if it stays, the API has changed: report it"
            )
        return row


def row_path(resource: Resource, parent_ids: Mapping[str, int], row_id: int) -> str:
    """Return the path of a row."""
    return str(resource.item_path).format(**parent_ids, id=row_id)
