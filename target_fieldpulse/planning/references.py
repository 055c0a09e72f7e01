"""References: the FieldPulse ids of the rows that a record names by external id, name or e-mail."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from fieldpulse_api.errors import RecordInvalid, ReferenceNotFound, allowed_and_similar
from fieldpulse_api.resources.catalogue import WRITABLE
from fieldpulse_api.resources.write_model import ParentLookup, Reference, WriteSpec
from fieldpulse_api.values.scalars import ConversionError, number_text, optional_int
from fieldpulse_api.values.text import PERSONAL_COLUMN, normalized, object_type
from target_fieldpulse.records.columns import Column
from target_fieldpulse.records.faults import Faults
from target_fieldpulse.records.field_codec import CORRECT_IT, describe, folded, invalid_field, list_hint
from target_fieldpulse.records.ledger_key import KeyKind, LedgerKey, comparable_key, source_key
from target_fieldpulse.records.numbers import to_integer
from target_fieldpulse.records.parsed_record import Record, is_blank, to_row_id

from .lookups import Lookup, Lookups
from .plan import RowToCreate
from .planned_state import PlannedState
from .row_matcher import RowMatcher
from .write_policy import CREATABLE


class References:
    """Finds the rows that records refer to. May be used by many threads.

    Rows of the streams in `create_missing` are created when a name is not found.
    """

    def __init__(
        self,
        state: PlannedState,
        lookups: Lookups,
        matcher: RowMatcher,
        *,
        create_missing: frozenset[str],
    ) -> None:
        self._state, self._lookups, self._matcher = state, lookups, matcher
        self._create_missing = create_missing

    def resolve(
        self, write: WriteSpec, values: Record, wanted: set[str] | None = None, *, faults: Faults
    ) -> dict[str, Any]:
        """Return the body fields that the references of a record fill, of those that are wanted.

        A reference to no row or to several, and two that contradict each other, are added to the faults.
        """
        filled: dict[str, Any] = {}
        for reference in write.references:
            if wanted is None or wanted & set(reference.fields):
                for name in (name for name in reference.properties if not is_blank(values.get(name))):
                    with faults.collect(reference.field):
                        self._fill(filled, reference, name, values)
        return filled

    def _fill(self, filled: dict[str, Any], reference: Reference, name: str, values: Record) -> None:
        """Add the fields that one property fills. Several properties may fill a field only with the same value."""
        if reference.list_item_key:
            if not is_blank(values.get(reference.field)):
                raise _contradiction_error(reference.field, name)
            filled[reference.field] = [*filled.get(reference.field, ()), *self._list_items(reference, name, values)]
            return
        resolved = self._resolve_property(reference, name, values)
        direct = {field: values.get(field) for field in resolved if field not in reference.properties}
        for field, value in resolved.items():
            other = filled.get(field, direct.get(field))
            if not is_blank(other) and _comparable(other) != _comparable(value):
                raise _contradiction_error(field, name)
        if reference.field in filled and reference.field not in resolved:
            raise _contradiction_error(reference.field, name)
        filled |= resolved

    def _resolve_property(self, reference: Reference, name: str, values: Record) -> dict[str, Any]:
        value = values[name]
        if reference.is_list:
            return {reference.field: list(dict.fromkeys(self._ids_of_list(reference, value)))}
        if name == reference.field:
            return {reference.field: to_row_id(value, name, _name_hint(reference))}
        if name == reference.external_id_property:
            row_id = self._row_written_for(reference.stream, name, value)
            return {reference.field: row_id, **dict(reference.also_sets)}
        code = self._code_of(reference, value)
        if code is not None and reference.code_labels:
            return {reference.code_labels.column: code}
        row_id = self._row_named(reference, name, value)
        return {reference.field: row_id, **self._parent_of(reference.parent, row_id, values)}

    def _list_items(self, reference: Reference, name: str, values: Record) -> list[dict[str, Any]]:
        value = values[name]
        names = value if isinstance(value, list) else [value]
        return [{str(reference.list_item_key): self._row_named(reference, name, each, value)} for each in names]

    def _ids_of_list(self, reference: Reference, value: Any) -> Iterator[int | RowToCreate]:
        field = reference.field
        for item in value if isinstance(value, list) else [value]:
            keys = ("id", "tag_id", str(reference.column), "name")
            name = next((item[key] for key in keys if item.get(key)), None) if isinstance(item, Mapping) else item
            if isinstance(name, str) and name.strip():
                yield self._row_named(reference, field, name, value)
            elif optional_int(name) is not None:
                yield to_row_id(name, field, "give ids of the stream, or names")
            else:
                raise invalid_field(f"{field} has an element that is neither a name nor an id", field)

    def _row_written_for(self, stream: str, name: str, value: Any) -> int:
        """Return the row that was written for a record of another stream."""
        try:
            external_id = source_key(value)
        except ConversionError:
            raise invalid_field(f"{name} is {describe(value)}; a key is expected: text or a number", name) from None
        key = LedgerKey(stream, KeyKind.EXTERNAL_ID, external_id)
        entry = self._state.find(key)
        if entry and entry.row_id is not None and entry.status != "deleted":
            return entry.row_id
        row_id = self._matcher.row_with_external_id(stream, external_id)
        if row_id is not None:
            return row_id
        raise _missing_row_error(
            f"{name}: no record of `{stream}` with the external_id {key.redacted} was written",
            name,
            f"send the record of `{stream}` in the same run, or before with the same ledger",
            row_key=(stream, "external_id", external_id),
        )

    def _code_of(self, reference: Reference, value: Any) -> int | str | None:
        """Return the code that a value is or labels. Names of the account take precedence over labels."""
        if reference.code_labels is None:
            return None
        code = None
        with suppress(ConversionError):
            code = to_integer(value)
        if code is not None:
            if code not in reference.code_labels.by_code:
                labels = [f"{each} {label}" for each, label in reference.code_labels.pairs]
                name = str(reference.name_property)
                raise invalid_field(f"{name}: {allowed_and_similar(value, labels)}", name)
            return code
        if self._lookup(reference).find({Column(str(reference.column)): value}):
            return None
        pairs = reference.code_labels.pairs
        return next((code for code, label in pairs if folded(label) == folded(value)), None)

    def _row_named(self, reference: Reference, name: str, value: Any, listed: Any = None) -> int | Any:
        """Return the id of the row with a name, or the row to create for it. `listed` is the list that has the name."""
        try:
            value = value if isinstance(value, str) else number_text(value)
        except ConversionError:
            raise invalid_field(f"{name} is {describe(value)}; a name is expected", name) from None
        row_ids = self._find_named(reference, value)
        if len(row_ids) == 1:
            return row_ids[0]
        if row_ids:
            ids = ", ".join(map(str, row_ids))
            raise invalid_field(
                f"{name} matches {len(row_ids)} rows of `{reference.stream}`: ids {ids}",
                name,
                f"give {reference.field}",
            )
        advice = list_hint(listed)
        if advice:  # a text, of which it is unclear whether it is a name or several
            raise invalid_field(f"{name} is {describe(value)}, and not a name{advice}", name)
        if reference.stream in self._create_missing:
            body = {str(reference.column): " ".join(str(value).split())}
            body |= dict([reference.restrict_to] if reference.restrict_to else [])
            return RowToCreate(reference.stream, tuple(body.items()))
        row_key = (reference.stream, (str(reference.column),), (normalized(value),))
        if reference.column == PERSONAL_COLUMN:  # an e-mail address appears in no message, nor do those of others
            raise _missing_row_error(
                f"{name}: no row of `{reference.stream}` has this e-mail address", name, row_key=row_key
            )
        raise _missing_row_error(
            f"{name} is {describe(value)}; {allowed_and_similar(value, self._allowed_names(reference))}",
            name,
            _creation_hint(reference.stream),
            row_key=row_key,
        )

    def _allowed_names(self, reference: Reference) -> Iterator[str]:
        labels = reference.code_labels.by_code.values() if reference.code_labels else ()
        columns, restriction = [Column(name) for name in reference.name_columns], reference.restrict_to
        rows = [
            row
            for row in self._lookup(reference).rows().values()
            if restriction is None or row.get(Column(restriction[0])) in (restriction[1], None, "")
        ]
        names = [str(row[column]) for row in rows for column in columns if row.get(column)]
        return iter(dict.fromkeys([*names, *labels]))

    def _find_named(self, reference: Reference, value: Any) -> list[int]:
        """Return the rows with a name, by the first of the columns that finds any; of a list of ids, also an id."""
        lookup = self._lookup(reference)
        columns = [Column(name) for name in reference.name_columns]
        present = [column for column in columns if column not in lookup.absent_columns] or columns[:1]
        row_ids = next(filter(None, (_find_in_column(lookup, reference, column, value) for column in present)), [])
        row_id = optional_int(value) if reference.is_list else None
        return row_ids or ([row_id] if row_id in lookup.rows() else [])

    def _parent_of(self, parent: ParentLookup | None, member_id: int, values: Record) -> dict[str, int]:
        """Return the row that a found row belongs to; of several, the one that is marked as the first."""
        if parent is None or values.get(parent.field) is not None:
            return {}
        members, preferred = Column(parent.ids_column), Column(parent.preferred_column)
        rows = self._lookups.get(parent.stream).rows()
        owners = {id_: row for id_, row in rows.items() if member_id in map(optional_int, row.get(members) or ())}
        marked = [row_id for row_id, row in owners.items() if row.get(preferred)] or list(owners)
        is_certain = len(marked) == 1 or bool(marked and owners[marked[0]].get(preferred))
        return {parent.field: marked[0]} if is_certain else {}

    def _lookup(self, reference: Reference) -> Lookup:
        return self._lookups.get(reference.stream)


def _find_in_column(lookup: Lookup, reference: Reference, column: Column, value: Any) -> list[int]:
    """Return the rows with a name in a column: with the type that the reference asks for, else without any type."""
    if reference.restrict_to is None or Column(reference.restrict_to[0]) in lookup.absent_columns:
        return lookup.find({column: value})
    type_column, wanted_type = Column(reference.restrict_to[0]), reference.restrict_to[1]
    return lookup.find({column: value, type_column: wanted_type}) or lookup.find({column: value, type_column: None})


def _comparable(value: Any) -> str:
    """Return the form in which two ids, or two object types, are the same."""
    return object_type(comparable_key(value))


def _missing_row_error(
    reason: str, field: str, hint: str = CORRECT_IT, *, row_key: tuple[Hashable, ...]
) -> RecordInvalid:
    """Return the error for a reference to no row. A row that this target can create may exist later."""
    resource = WRITABLE.get(str(row_key[0]))
    if resource is None or resource.write_spec.target_resource:
        return invalid_field(reason, field, hint)
    return ReferenceNotFound(reason, where=f"field {field}", hint=hint, row_key=row_key)


def _name_hint(reference: Reference) -> str:
    """Return what to do about an invalid id: rows can be named by your key, or by a name."""
    if reference.external_id_property:
        return f"put your own key into {reference.external_id_property}"
    return f"put the name into {reference.name_property}"


def _creation_hint(stream: str) -> str:
    return f"{CORRECT_IT}, or set create_missing_references: [{stream}]" if stream in CREATABLE else CORRECT_IT


def _contradiction_error(field: str, name: str) -> Exception:
    return invalid_field(f"`{field}` and `{name}` refer to different rows", name, "remove one of them")


def lookup_columns(match_columns: Mapping[str, Iterable[Column]]) -> dict[str, list[Column]]:
    """Return the columns of look-ups: those that references or matches search, and those that name rows to people."""
    columns: defaultdict[str, list[Column]] = defaultdict(list)
    for reference in (each for resource in WRITABLE.values() for each in resource.write_spec.references):
        names = [*reference.name_columns, *reference.person_columns]
        names += [reference.restrict_to[0]] if reference.restrict_to else []
        columns[reference.stream] += map(Column, names)
        parent = reference.parent
        if parent:
            columns[parent.stream] += map(Column, (parent.ids_column, parent.preferred_column, parent.name_column))
    for stream, matched in match_columns.items():
        columns[stream] += matched
    return columns
