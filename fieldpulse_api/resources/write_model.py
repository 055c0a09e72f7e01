"""The classes of write rules: the fields of a body, the references in it, and the actions beside it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Any


class FieldType(str, Enum):
    """The type of a body field: how a value is validated, sent, and compared with the value of a row.

    A TIME is sent in UNIX seconds and a DECIMAL as text, as documented. A TEXT_TIME is sent as text in UTC, beside
    `use_timestamp: true` (API facts 4.8). An OBJECT_TYPE is sent as a short name
    (`customer`) and read back as a PHP class name. A PHONE is sent as it is; E164 is sent with a plus and the country
    code. A KEY, an external id, is compared exactly; all other text is compared without regard to case and spacing.
    """

    TEXT = "text"
    EMAIL = "email"
    PHONE = "phone"
    E164 = "e164"
    INTEGER = "integer"
    DECIMAL = "decimal"
    BOOLEAN = "boolean"
    TIME = "time"
    TEXT_TIME = "text_time"
    DATE = "date"
    OBJECT_TYPE = "object_type"
    JSON = "json"
    KEY = "key"


_DECIMAL_PLACES = {"amount": 2, "discount": 2}
_UNIT_AMOUNTS, _UNIT_DECIMAL_PLACES = ("unit_price", "unit_cost", "per_unit_measure"), 4


def decimal_places(column: str) -> int | None:
    """Return how many decimal places a column of money has in rows (verified), and None for any other column."""
    return _UNIT_DECIMAL_PLACES if column.endswith(_UNIT_AMOUNTS) else _DECIMAL_PLACES.get(column)


TEXT_TIME_FLAG = "use_timestamp"
"""The field that goes into a body beside a TEXT_TIME."""


@dataclass(frozen=True)
class CodeLabels:
    """The labels of the codes in a column, as (code, label) pairs."""

    column: str
    pairs: tuple[tuple[int | str, str], ...]

    @cached_property
    def by_code(self) -> dict[int | str, str]:
        """Return the labels by code."""
        return dict(self.pairs)


@dataclass(frozen=True)
class Field:
    """One field of a write body.

    `max_length` is in characters. `allowed_values` are documented, and no evidence contradicts them; all other values
    are left to the server's validation. `object_types` are the known ones, in the form in which they are sent. With
    `code_labels`, a record may contain the label instead of the code. `row_column` is the column's name in rows if it
    is not the field's name. `amount_keys` lead to the amount of each element of a list, level by level: an element with
    its amount elsewhere would count as 0.00.
    """

    name: str
    type: FieldType = FieldType.TEXT
    max_length: int | None = None
    allowed_values: tuple[str | int, ...] = ()
    object_types: tuple[str, ...] = ()
    code_labels: CodeLabels | None = None
    row_column: str | None = None
    amount_keys: tuple[str, ...] = ()

    @property
    def column(self) -> str:
        """Return the name of the row column that shows the field."""
        return self.row_column or self.name


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A field that refers to a row of `stream`, and how a record may name that row without its FieldPulse id.

    `external_id_property` is a record property with the external id of the row, which the ledger maps to its id.
    `name_property` is a record property that is compared with `column` in all rows of `stream`, or with
    `alternative_column` if no row has a `column`: it is not known which of the two FieldPulse sends.

    `also_sets` are fields that go into the body with the id. `restrict_to` is a column and its value in the rows that
    the name may refer to; rows without a value in the column qualify too. With `list_item_key` the field is a list of
    objects that hold the id under that key; with `is_list` it is a list of ids. `code_labels` are accepted as names
    that the stream lacks; their code goes into the labels' column. `parent` fills one more field with the row's parent.
    `person_columns` hold the name of a person: it may appear in a plan, and never in a log.
    """

    field: str
    stream: str
    external_id_property: str | None = None
    name_property: str | None = None
    column: str | None = None
    alternative_column: str | None = None
    also_sets: tuple[tuple[str, Any], ...] = ()
    restrict_to: tuple[str, str] | None = None
    list_item_key: str | None = None
    is_list: bool = False
    code_labels: CodeLabels | None = None
    parent: ParentLookup | None = None
    person_columns: tuple[str, ...] = ()

    @property
    def properties(self) -> tuple[str, ...]:
        """Return the record properties that can name the row, in order of precedence."""
        id_property = None if self.list_item_key else self.field
        names = (id_property, self.external_id_property, self.name_property)
        return tuple(dict.fromkeys(name for name in names if name))

    @property
    def name_columns(self) -> tuple[str, ...]:
        """Return the columns that may hold the name of a row."""
        return tuple(column for column in (self.column, self.alternative_column) if column)

    @property
    def fields(self) -> tuple[str, ...]:
        """Return the body fields that the reference may fill."""
        also = (self.code_labels and self.code_labels.column, self.parent and self.parent.field)
        return (self.field, *(name for name, _ in self.also_sets), *(name for name in also if name))


@dataclass(frozen=True, kw_only=True)
class ParentLookup:
    """A field that is filled with the row of `stream` whose list of ids `members` contains the referenced id.

    If several rows contain it, the row whose column `preferred_column` is true is taken. `name_column` has its name.
    """

    field: str
    stream: str
    ids_column: str
    preferred_column: str
    name_column: str


@dataclass(frozen=True, kw_only=True)
class Action:
    """A request beside the write itself, for the record property `name`: a list of objects of the form `item`.

    With `body_key`, a PUT sends all objects under that key. Without it, each object is a POST that makes or removes a
    link to the entity in the first two required fields; `link` names the kind of link. The ledger keeps the last action
    for each link, so that it is not repeated.
    """

    name: str
    path: str
    item: WriteSpec
    link_kind: str | None = None
    body_key: str | None = None


@dataclass(frozen=True, kw_only=True)
class WriteSpec:
    """The rules by which the records of a stream become write requests.

    With `target_resource`, the stream only updates rows of that resource, and `row_reference` names the reference to
    the row. `required` fields are needed on create, and one of `require_any_of`; `always_resend` fields are needed in
    every PUT. `defaults` are sent on create if the record has no value.

    `match_sets` are the sets of fields by which an existing row is found, unless the settings name others.
    `fingerprint_fields` identify the row of a create whose response was lost. If `is_money`, such a create is never
    repeated. `external_id_column` is the column that FieldPulse provides for external ids.
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
        """Return the body fields by name."""
        return {field.name: field for field in self.fields}

    @cached_property
    def _by_name_and_column(self) -> dict[str, Field]:
        return {field.column: field for field in self.fields} | self.by_name

    def field_of(self, name: str) -> Field | None:
        """Return the body field of a record property: its name, or the column that rows have for it."""
        return self._by_name_and_column.get(name)

    def column_of(self, name: str) -> str:
        """Return the row column of a body field; any other name is its own column."""
        return self.by_name[name].column if name in self.by_name else name

    def reference(self, name: str) -> Reference:
        """Return the reference that fills the field `name`."""
        return next(ref for ref in self.references if ref.field == name)

    @cached_property
    def name_references(self) -> dict[str, Reference]:
        """Return, for each record property that holds keys or names of rows, its reference."""
        return {
            name: reference
            for reference in self.references
            for name in reference.properties
            if name != reference.field or reference.is_list
        }

    @cached_property
    def fields_by_property(self) -> dict[str, tuple[str, ...]]:
        """Return, for each record property, the body fields that it can fill."""
        fields: dict[str, tuple[str, ...]] = {field.column: (field.name,) for field in self.fields if field.row_column}
        fields |= {field.name: (field.name,) for field in self.fields}
        for reference in self.references:
            for name in reference.properties:
                fields[name] = tuple(dict.fromkeys((*fields.get(name, ()), *reference.fields)))
        return fields

    @cached_property
    def properties(self) -> frozenset[str]:
        """Return the record properties that have an effect."""
        return frozenset({*self.fields_by_property, *(action.name for action in self.actions)})

    @cached_property
    def time_properties(self) -> frozenset[str]:
        """Return the record properties that are times: fields, by name or column."""
        return self._properties_of_type(FieldType.TIME, FieldType.TEXT_TIME)

    @cached_property
    def nested_properties(self) -> frozenset[str]:
        """Return the record properties that are lists or objects."""
        return self._properties_of_type(FieldType.JSON) | {action.name for action in self.actions}

    def _properties_of_type(self, *types: FieldType) -> frozenset[str]:
        fields = (field for field in self.fields if field.type in types)
        return frozenset(name for field in fields for name in (field.name, field.column))
