"""Names, e-mails and external ids → FieldPulse ids."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from fieldpulse_api.errors import allowed_and_similar
from fieldpulse_api.resources.catalogue import WRITABLE
from fieldpulse_api.resources.write_model import ParentLookup, Reference, WriteSpec
from fieldpulse_api.values.scalars import optional_int
from fieldpulse_api.values.text import PERSONAL_COLUMN, normalized, object_type
from target_fieldpulse.records.field_codec import describe, refuse
from target_fieldpulse.records.ledger_key import KeyKind, LedgerKey
from target_fieldpulse.records.parsed_record import Record, is_blank, to_row_id

from .forecast import PlannedState
from .lookups import Lookup, Lookups
from .plan import RowToCreate
from .write_policy import WritePolicy


class References:
    """Find the rows that records refer to. May be used by many threads.

    `external` are the columns with the source's keys, by stream. Raises: Invalid for a reference that leads nowhere,
    to several rows, or to others than another one of the same record.
    """

    def __init__(
        self, forecast: PlannedState, lookups: Lookups, rules: WritePolicy, external: Mapping[str, str]
    ) -> None:
        self._forecast, self._lookups, self._rules, self._external = forecast, lookups, rules, external

    def resolve(self, write: WriteSpec, record: Record, wanted: set[str] | None = None) -> dict[str, Any]:
        """Return the body fields that the record's references fill, of those that are wanted."""
        filled: dict[str, Any] = {}
        for reference in write.references:
            if wanted is None or wanted & set(reference.fields):
                for given in (name for name in reference.properties if not is_blank(record.get(name))):
                    self._fill(filled, reference, given, record)
        return filled

    def _fill(self, filled: dict[str, Any], reference: Reference, given: str, record: Record) -> None:
        """Fill what one property gives; what several give must be the same."""
        if reference.list_item_key:
            if not is_blank(record.get(reference.field)):
                raise _twice(reference.field, given)
            filled[reference.field] = [*filled.get(reference.field, ()), *self._list_items(reference, given, record)]
            return
        found = self._resolve_property(reference, given, record)
        plain = {name: record.get(name) for name in found if name not in reference.properties}
        for name, value in found.items():
            said = filled.get(name, plain.get(name))
            if not is_blank(said) and str(said) != str(value) and object_type(said) != object_type(value):
                raise _twice(name, given)
        if reference.field in filled and reference.field not in found:
            raise _twice(reference.field, given)
        filled |= found

    def _resolve_property(self, reference: Reference, given: str, record: Record) -> dict[str, Any]:
        value = record[given]
        if reference.is_list:
            return {reference.field: list(dict.fromkeys(self._ids_of_list(reference, value)))}
        if given == reference.field:
            return {reference.field: to_row_id(value, given)}
        if given == reference.external_id_property:
            return {reference.field: self._row_written_for(reference, given, str(value)), **dict(reference.also_sets)}
        code = self._code_of(reference, value)
        if code is not None and reference.code_labels:
            return {reference.code_labels.column: code}
        found = self._row_named(reference, given, value)
        return {reference.field: found, **self._parent_of(reference.parent, found, record)}

    def _list_items(self, reference: Reference, given: str, record: Record) -> list[dict[str, Any]]:
        values = record[given] if isinstance(record[given], list) else [record[given]]
        return [{str(reference.list_item_key): self._row_named(reference, given, one)} for one in values]

    def _ids_of_list(self, reference: Reference, values: Any) -> Iterator[int | RowToCreate]:
        name = reference.field
        for value in values if isinstance(values, list) else [values]:
            keys = ("id", "tag_id", str(reference.column), "name")
            one = next((value[key] for key in keys if value.get(key)), None) if isinstance(value, Mapping) else value
            if isinstance(one, str) and one.strip():
                yield self._row_named(reference, name, one)
            elif optional_int(one) is not None:
                yield to_row_id(one, name)
            else:
                raise refuse(f"{name} has an element that is neither a name nor an id", name)

    def _row_written_for(self, reference: Reference, given: str, key: str) -> int:
        entry = self._forecast.find(LedgerKey(reference.stream, KeyKind.EXTERNAL_ID, key))
        if entry and entry.row_id is not None and entry.status != "deleted":
            return entry.row_id
        kept = self._row_with_external_id(reference.stream, key)
        if kept is not None:
            return kept
        raise refuse(
            f"{given}: nothing of stream {reference.stream} was written with this external_id",
            given,
            f"send the record of {reference.stream} first, in this run or an earlier one with this ledger",
        )

    def _row_with_external_id(self, stream: str, key: str) -> int | None:
        """Return the one row in which FieldPulse keeps a key, where the settings say that it does."""
        column = self._external.get(stream)
        found = self._lookups.get(stream).find({column: key}) if column else []
        return found[0] if len(found) == 1 else None

    def _code_of(self, reference: Reference, value: Any) -> int | str | None:
        """Return the code that a value is, or the label of; the account's own names go before labels."""
        if reference.code_labels is None:
            return None
        code = optional_int(value)
        if code is not None:
            if code not in reference.code_labels.by_code:
                names = [f"{one} {label}" for one, label in reference.code_labels.pairs]
                raise refuse(
                    f"{reference.name_property}: {allowed_and_similar(value, names)}", str(reference.name_property)
                )
            return code
        if self._lookup(reference).find({str(reference.column): value}):
            return None
        return next(
            (code for code, label in reference.code_labels.pairs if normalized(label) == normalized(value)), None
        )

    def _row_named(self, reference: Reference, given: str, value: Any) -> int | Any:
        if not isinstance(value, (str, int)) or isinstance(value, bool):
            raise refuse(f"{given} is {describe(value)}, and not a name", given)
        found = self._find_named(reference, value)
        if len(found) == 1:
            return found[0]
        if found:
            reason = f"{given}: {len(found)} rows of {reference.stream} have it: ids {', '.join(map(str, found))}"
            raise refuse(reason, given, f"give {reference.field}")
        if reference.stream in self._rules.create_missing_references:
            named = {
                str(reference.column): " ".join(str(value).split()),
                **dict([reference.restrict_to] if reference.restrict_to else []),
            }
            return RowToCreate(reference.stream, tuple(named.items()))
        if reference.column == PERSONAL_COLUMN:  # neither the value nor the others
            raise refuse(f"{given}: no row of {reference.stream} has this e-mail", given)
        raise refuse(
            f"{given} is {describe(value)}; {allowed_and_similar(value, self._allowed_names(reference))}", given
        )

    def _allowed_names(self, reference: Reference) -> Iterator[str]:
        """Return what may be named: of rows with a type only those of the wanted one."""
        labels = reference.code_labels.by_code.values() if reference.code_labels else ()
        rows = self._lookup(reference).rows().values()
        column, only = str(reference.column), reference.restrict_to
        fits = (row for row in rows if only is None or row.get(only[0]) in (only[1], None, ""))
        return iter(dict.fromkeys([*(str(row[column]) for row in fits if row.get(column)), *labels]))

    def _find_named(self, reference: Reference, value: Any) -> list[int]:
        lookup, column = self._lookup(reference), str(reference.column)
        only = (
            reference.restrict_to
            if reference.restrict_to and reference.restrict_to[0] not in lookup.absent_columns
            else None
        )
        found = lookup.find({column: value, only[0]: only[1]} if only else {column: value})
        found = found or (lookup.find({column: value, only[0]: None}) if only else [])
        direct = optional_int(value) if reference.is_list else None
        return found or ([direct] if direct in lookup.rows() else [])

    def _parent_of(self, group: ParentLookup | None, member: int, record: Record) -> dict[str, int]:
        """Return the row that a found one belongs to, the marked one of several."""
        if group is None or record.get(group.field) is not None:
            return {}
        rows = self._lookups.get(group.stream).rows()
        owners = {
            row_id: row for row_id, row in rows.items() if member in map(optional_int, row.get(group.ids_column) or ())
        }
        first = [row_id for row_id, row in owners.items() if row.get(group.preferred_column)] or list(owners)
        return (
            {group.field: first[0]}
            if first and (len(first) == 1 or owners[first[0]].get(group.preferred_column))
            else {}
        )

    def _lookup(self, reference: Reference) -> Lookup:
        return self._lookups.get(reference.stream)


def _twice(field: str, given: str) -> Exception:
    return refuse(f"{field} is given twice, and not the same: by {given} as well", given, "leave one of them out")


def lookup_columns(streams: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the columns by which the references of all streams look rows up."""
    asked: defaultdict[str, list[str]] = defaultdict(list)
    for reference in (one for resource in WRITABLE.values() for one in resource.write_spec.references):
        only = [reference.restrict_to[0]] if reference.restrict_to else []
        asked[reference.stream] += [*([reference.column] if reference.column else []), *only]
        if reference.parent:
            asked[reference.parent.stream] += [reference.parent.ids_column, reference.parent.preferred_column]
    for stream, columns in streams.items():
        asked[stream] += columns
    return asked
