"""Whether a record is of this account, and its key and id are those of one row."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from contextlib import suppress

from fieldpulse_api.values.scalars import ConversionError
from target_fieldpulse.ledger.entry import Entry
from target_fieldpulse.records.field_codec import invalid_field
from target_fieldpulse.records.ledger_key import source_key
from target_fieldpulse.records.parsed_record import (
    COMPANY_ID,
    EXTERNAL_ID,
    INPUT_STREAM,
    LEAVE_ID_OUT,
    ParsedRecord,
    is_blank,
)
from target_fieldpulse.records.property_hashes import hash_property

from .write_policy import WritePolicy


class OriginCheck:
    """Rejects records that another account or another stream of the input made.

    `company_id` is that of the account, None if it is not known. `input_streams` are the streams of the input that
    stream maps rename: one key must not come from two of them.
    """

    def __init__(self, policy: WritePolicy, *, company_id: str | None, input_streams: AbstractSet[str]) -> None:
        self._policy, self._company_id, self._input_streams = policy, company_id, input_streams

    def check_row(self, record: ParsedRecord, entry: Entry | None) -> None:
        """Raise RecordInvalid unless a record may be written to the row of its key; `entry` is the key's."""
        is_of_account = self.check_account(record)
        if entry and entry.status != "deleted" and not self._policy.allow_shared_rows:
            self._raise_if_of_other_stream(record, entry)
        has_ids = record.row_id is not None and record.external_id is not None
        if has_ids and not (is_of_account or self._policy.trust_ids or (entry and entry.row_id == record.row_id)):
            raise invalid_field(
                "the record has an external_id and an id, and the ledger does not have this row for its key",
                "id",
                f"{LEAVE_ID_OUT}; if it is the FieldPulse id, set trust_ids",
            )

    def check_account(self, record: ParsedRecord) -> bool:
        """Raise RecordInvalid if a record has the id of another company. Return whether it has that of this one."""
        value = record.values.get(COMPANY_ID)
        if is_blank(value) or self._company_id is None:
            return False
        with suppress(ConversionError):
            if source_key(value) == self._company_id:
                return True
        raise invalid_field(
            f"{COMPANY_ID} is that of another FieldPulse account",
            COMPANY_ID,
            f"check which account the API key belongs to; leave it out if it is the source's own (`{COMPANY_ID}: "
            "__NULL__` in a stream map)",
        )

    def _raise_if_of_other_stream(self, record: ParsedRecord, entry: Entry) -> None:
        """Raise RecordInvalid if two streams are mapped to one, and the key of the record is that of the other one."""
        written = entry.property_hashes.get(INPUT_STREAM)
        others = self._input_streams - {record.input_stream}
        other = next((name for name in others if hash_property(INPUT_STREAM, name)[INPUT_STREAM] == written), None)
        if written and other and record.input_stream:
            streams = f"{other!r} and {record.input_stream!r}"
            raise invalid_field(
                f"the input streams {streams} are mapped to `{record.resource.name}` with the same key",
                EXTERNAL_ID,
                "give each of them keys of its own, such as `'contact-' + str(id)`, or set `shared_rows: allow`",
            )
