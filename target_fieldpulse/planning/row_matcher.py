"""Matching: the existing row that a record means when the ledger does not know the record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from target_fieldpulse.records.columns import Column
from target_fieldpulse.records.field_codec import FieldCodec, invalid_field
from target_fieldpulse.records.ledger_key import comparable_key
from target_fieldpulse.records.parsed_record import EXTERNAL_ID, ParsedRecord

from .lookups import Lookup, Lookups
from .planned_state import PlannedState
from .write_policy import WritePolicy


class RowMatcher:
    """Finds rows by the match sets of their stream, and by external_id. May be used by many threads.

    `key_columns` are the columns in which FieldPulse keeps the external_id, by stream.
    """

    def __init__(
        self,
        state: PlannedState,
        lookups: Lookups,
        codec: FieldCodec,
        policy: WritePolicy,
        *,
        key_columns: Mapping[str, Column],
    ) -> None:
        self._state, self._lookups, self._codec = state, lookups, codec
        self._policy, self._key_columns = policy, key_columns

    def match(self, record: ParsedRecord, parent_ids: Mapping[str, int], body: Mapping[str, Any]) -> int | None:
        """Return the one row that a record means, by the first match set that finds any.

        Raises: RecordInvalid if several rows match, or if the row belongs to another key.
        """
        lookup = None
        for fields, wanted in self._match_sets(record, {**parent_ids, **body}):
            lookup = lookup or self._lookups.get(record.resource.name, parent_ids)
            row_ids, name = lookup.find(wanted), " and ".join(fields)
            if len(row_ids) > 1:
                ids = ", ".join(map(str, row_ids))
                raise invalid_field(f"{name} matches several rows: ids {ids}", name, "merge them, or give id")
            if row_ids:
                self._raise_if_linked_to_other_key(record, lookup, row_ids[0], name)
                self.claim(record, row_ids[0], name)
                return row_ids[0]
        return None

    def claim(self, record: ParsedRecord, row_id: int, name: str) -> None:
        """Let the key of a record have a row, which its field `name` leads to.

        Raises: RecordInvalid if the row belongs to another key: two people may share an e-mail address.
        """
        if self._policy.allow_shared_rows or record.external_id is None:
            return
        owner = self._state.claim_row(record.key, row_id)
        if owner:
            raise invalid_field(
                f"row {row_id} matches by {name}, but it belongs to the key {owner.redacted}",
                name,
                "correct or merge the records at their source, or set `shared_rows: allow`",
            )

    def row_with_external_id(self, stream: str, external_id: str | None) -> int | None:
        """Return the one row in which FieldPulse keeps an external_id, where the settings name a field for it."""
        column = self._key_columns.get(stream)
        if column is None or external_id is None:
            return None
        row_ids = self._lookups.get(stream).find({column: external_id})
        return row_ids[0] if len(row_ids) == 1 else None

    def _match_sets(
        self, record: ParsedRecord, values: Mapping[str, Any]
    ) -> Iterator[tuple[tuple[str, ...], Mapping[Column, Any]]]:
        """Yield the match sets that the record has values for, external_id first, with the values wanted."""
        resource, column = record.resource, self._key_columns.get(record.resource.name)
        if column and record.external_id is not None:
            yield (EXTERNAL_ID,), {column: record.external_id}
        by_name = resource.write_spec.by_name
        for names in self._policy.match_sets_of(resource):
            own = [by_name[name] for name in names if name not in resource.parent_keys]
            if own and all(self._codec.match_key(by_name[name], values.get(name)) for name in names):
                yield names, {Column(each.column): values[each.name] for each in own}

    def _raise_if_linked_to_other_key(self, record: ParsedRecord, lookup: Lookup, row_id: int, name: str) -> None:
        column = self._key_columns.get(record.resource.name)
        stored = lookup.cell(row_id, column) if column and record.external_id is not None else None
        if stored not in (None, "") and comparable_key(stored) != record.external_id:
            raise invalid_field(
                f"row {row_id} matches by {name} but is already linked to another external_id",
                name,
                "give id, or merge the records",
            )
