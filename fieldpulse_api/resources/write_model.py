"""The vocabulary of writing: what the body of a create or an update is made of. The bodies are in `writes`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Any


class FieldType(str, Enum):
    """What a body field holds, and so how a record's value is checked, put on the wire and compared with a row's.

    Times are UNIX seconds on the wire and money is text, as documented; `OBJECT_TYPE` is written short (`customer`) and
    reads back as a PHP class. `PHONE` is sent as it came, `E164` with a plus and the country's code. `KEY` is
    a key of the source's: compared letter by letter, where all else is compared apart from case and spaces.
    """

    TEXT = "text"
    EMAIL = "email"
    PHONE = "phone"
    E164 = "e164"
    INTEGER = "integer"
    DECIMAL = "decimal"
    BOOLEAN = "boolean"
    TIME = "time"
    DATE = "date"
    OBJECT_TYPE = "object_type"
    JSON = "json"
    KEY = "key"


@dataclass(frozen=True)
class CodeLabels:
    """What the codes of a column mean, as (code, label) pairs."""

    column: str
    pairs: tuple[tuple[int | str, str], ...]

    @cached_property
    def by_code(self) -> dict[int | str, str]:
        """Return the labels by their codes."""
        return dict(self.pairs)


@dataclass(frozen=True)
class Field:
    """One field of a write body. `limit` is in characters.

    `allowed` are values that the vendor documents; what is only inferred is the server's to judge. With
    `labels` a code may be given by its label. `read_as` is the column's name in rows where that is another.
    """

    name: str
    type: FieldType = FieldType.TEXT
    max_length: int | None = None
    allowed_values: tuple[str | int, ...] = ()
    code_labels: CodeLabels | None = None
    row_column: str | None = None

    @property
    def column(self) -> str:
        """Return the name under which rows have it."""
        return self.row_column or self.name


@dataclass(frozen=True, kw_only=True)
class Reference:
    """How a record may name another row instead of giving its FieldPulse id in `field`.

    `external` is a record property with the source's key (found in the ledger); `named` is a
    record property that is compared with `column` of the rows of `stream` (read once per run).
    `sets` goes into the body along with the id. `only` is a column and the value that it has in rows that
    may be meant, where it has any. `element` makes the field a list of objects with the id under that
    key, `many` a list of ids. `codes` are taken for names that the list does not have: they go
    into the labels' column. `group` finds the row that the found one belongs to.
    """

    field: str
    stream: str
    external_id_property: str | None = None
    name_property: str | None = None
    column: str | None = None
    also_sets: tuple[tuple[str, Any], ...] = ()
    restrict_to: tuple[str, str] | None = None
    list_item_key: str | None = None
    is_list: bool = False
    code_labels: CodeLabels | None = None
    parent: ParentLookup | None = None

    @property
    def properties(self) -> tuple[str, ...]:
        """Return the record properties that can say which row is meant, the surest first."""
        direct = None if self.list_item_key else self.field
        return tuple(dict.fromkeys(name for name in (direct, self.external_id_property, self.name_property) if name))

    @property
    def fields(self) -> tuple[str, ...]:
        """Return the body fields that it may fill."""
        also = (self.code_labels and self.code_labels.column, self.parent and self.parent.field)
        return (self.field, *(name for name, _ in self.also_sets), *(name for name in also if name))


@dataclass(frozen=True, kw_only=True)
class ParentLookup:
    """The row of `stream` whose `members` have an id fills `field`; of several the one that `first` marks."""

    field: str
    stream: str
    members: str
    first: str


@dataclass(frozen=True, kw_only=True)
class Action:
    """A request of its own, asked for by the record property `name`: a list of elements of the form `element`.

    A POST is one request for each element, about the entity in the element's first two required fields: what was last
    done to that `link` is not done again. A PUT sends all elements `inside` one key.
    """

    name: str
    path: str
    item: WriteSpec
    link: str | None = None
    body_key: str | None = None


@dataclass(frozen=True, kw_only=True)
class WriteSpec:
    """How records of a stream become writes.

    `into` is the resource whose rows are written where it is not the stream's own, and `row` the
    reference that says which row; such a stream only updates. `required` holds on create, `any_of`
    asks for at least one of its fields on create, `resend` must go with every PUT. `defaults`
    are sent on create where the record is silent. `match` are the sets of fields by which a row that exists
    already is found unless the settings say otherwise, `identity` recognises a create whose outcome is unknown.
    A create that `is_money` is never sent again while it is in doubt. `keeps` is the field, if there is one, that
    FieldPulse has for keys of others.
    """

    fields: tuple[Field, ...]
    references: tuple[Reference, ...] = ()
    target_resource: str | None = None
    row_reference: str | None = None
    required: tuple[str, ...] = ()
    require_any_of: tuple[str, ...] = ()
    always_resend: tuple[str, ...] = ()
    defaults: tuple[tuple[str, Any], ...] = ()
    match_sets: tuple[tuple[str, ...], ...] = ()
    fingerprint_fields: tuple[str, ...] = ()
    is_money: bool = False
    external_id_column: str | None = None
    actions: tuple[Action, ...] = ()

    @cached_property
    def by_name(self) -> dict[str, Field]:
        """Return the body fields by their names."""
        return {field.name: field for field in self.fields}

    def column_of(self, name: str) -> str:
        """Return the row column of a body field; a name that is no body field is its own column."""
        return self.by_name[name].column if name in self.by_name else name

    def reference(self, name: str) -> Reference:
        """Return the reference that fills `name`."""
        return next(ref for ref in self.references if ref.field == name)

    @cached_property
    def fields_by_property(self) -> dict[str, tuple[str, ...]]:
        """Return the body fields that each record property can fill."""
        found: dict[str, tuple[str, ...]] = {field.column: (field.name,) for field in self.fields if field.row_column}
        found |= {field.name: (field.name,) for field in self.fields}
        for reference in self.references:
            for name in reference.properties:
                found[name] = tuple(dict.fromkeys((*found.get(name, ()), *reference.fields)))
        return found

    @cached_property
    def properties(self) -> frozenset[str]:
        """Return every record property that can have an effect."""
        return frozenset({*self.fields_by_property, *(call.name for call in self.actions)})
