"""Write bodies: fields, references, custom fields and nulls of a record, in the form that the API takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from fieldpulse_api.errors import RecordInvalid, ReferenceNotFound
from fieldpulse_api.resources.model import WritableResource
from fieldpulse_api.resources.write_model import TEXT_TIME_FLAG, Action, FieldType, WriteSpec, decimal_places
from fieldpulse_api.values.custom_fields import CUSTOM_FIELDS_PROPERTY
from fieldpulse_api.values.text import is_empty
from target_fieldpulse.records.columns import Column
from target_fieldpulse.records.custom_fields import DEFINITION, CustomFieldWriter, row_values
from target_fieldpulse.records.custom_fields import FIELD as CUSTOM_FIELDS
from target_fieldpulse.records.faults import Faults
from target_fieldpulse.records.field_codec import FieldCodec, describe, invalid_field
from target_fieldpulse.records.nested_values import NestedValues
from target_fieldpulse.records.parsed_record import EXTERNAL_ID, ParsedRecord, Record
from target_fieldpulse.records.property_hashes import fields_of

from .plan import Body, Plan
from .references import References
from .write_policy import WritePolicy

_NO_SCHEMA: Mapping[str, Any] = {}


@dataclass(frozen=True)
class Content:
    """What a request would carry: the attributes of the same names of a plan."""

    body: Body
    parent_ids: Mapping[str, int]
    resend: Body = field(default_factory=dict)
    actions: Mapping[str, list[Body]] = field(default_factory=dict)
    dropped: Mapping[str, str] = field(default_factory=dict)


class BodyBuilder:
    """Builds the bodies of records of any writable stream. May be used by many threads.

    `key_columns` are the columns in which FieldPulse keeps the external_id, by stream. Every method raises
    RecordInvalid for values that the API would not take, naming each field and rule. Of a stream's `droppable` fields,
    such values are left out instead: of fields that are not required, that hold no list and no amount, and, of a row
    that may be new, that no row is matched by.
    """

    def __init__(
        self,
        references: References,
        custom_fields: CustomFieldWriter,
        codec: FieldCodec,
        *,
        key_columns: Mapping[str, Column],
        policy: WritePolicy,
    ) -> None:
        self._references, self._custom_fields, self._codec = references, custom_fields, codec
        self._key_columns, self._policy, self._clear_nulls = key_columns, policy, policy.clear_nulls
        self._nested = NestedValues()

    def full(self, record: ParsedRecord) -> Content:
        """Return everything that a record says, as for a row that does not exist yet."""
        resource, changed = record.resource, tuple(record.property_hashes)
        faults = Faults(self._droppable(record, is_new=True))
        body = self._record_fields(record, None, faults)
        body |= self._custom_field_entries(record, body, changed, faults, is_new=True)
        body |= self._external_id(record, body)
        actions = self._actions(record, changed, faults)
        faults.raise_any()
        parent_ids = self._take_parent_ids(resource, body, {})
        return Content(parent_ids=parent_ids, body=body, actions=actions, dropped=faults.dropped)

    def changes(self, record: ParsedRecord, changed: tuple[str, ...], parent_ids: Mapping[str, int]) -> Content:
        """Return what some properties of a record say, with the fields that every PUT must repeat.

        A null clears its field where the settings say so. `parent_ids` are those of the row, where they are known.
        """
        resource, write = record.resource, record.resource.write_spec
        fields = fields_of(write, changed)
        wanted = {*fields, *write.always_resend, *resource.parent_keys}
        faults = Faults(self._droppable(record, is_new=False))
        body = self._record_fields(record, wanted, faults)
        if CUSTOM_FIELDS in fields:
            body |= self._custom_field_entries(record, body, changed, faults, is_new=False)
        if EXTERNAL_ID in changed:
            body |= self._external_id(record, body)
        actions = self._actions(record, changed, faults)
        faults.raise_any()
        parent_ids = self._take_parent_ids(resource, body, parent_ids)
        nulls = _nulls(write, record.values, body, fields) if self._clear_nulls else {}
        return Content(
            parent_ids=parent_ids,
            body={name: value for name, value in body.items() if name in fields or name not in wanted} | nulls,
            resend={name: value for name, value in body.items() if name in write.always_resend},
            actions=actions,
            dropped=faults.dropped,
        )

    def parent_ids(self, record: ParsedRecord) -> Mapping[str, int]:
        """Return the ids that fill the path of a record's list."""
        resource, faults = record.resource, Faults()
        filled = self._references.resolve(resource.write_spec, record.values, set(resource.parent_keys), faults=faults)
        faults.raise_any()
        return self._take_parent_ids(resource, filled, {})

    def row_change(self, record: ParsedRecord) -> tuple[int, Body]:
        """Return the row that a record of a stream without rows of its own changes, and the fields that it changes."""
        write, faults = record.resource.write_spec, Faults()
        filled = self._references.resolve(write, record.values, faults=faults)
        body = self._fields(write, record.values, filled, faults)
        faults.raise_any()
        row_id = filled.pop(str(write.row_reference), None)
        if row_id is None:
            reference = write.reference(str(write.row_reference))
            raise invalid_field(f"one of {', '.join(reference.properties)} is required", reference.field)
        body.pop(str(write.row_reference), None)
        for name in write.required:
            if body.get(name) is None:
                raise invalid_field(f"one of {', '.join(write.reference(name).properties)} is required", name)
        return row_id, body

    def _droppable(self, record: ParsedRecord, *, is_new: bool) -> frozenset[str]:
        """Return the fields of which a value that the API would not take is left out."""
        if not self._policy.drop_invalid_fields:
            return frozenset()
        write = record.resource.write_spec
        needed = {*write.required, *(name for reference in write.references for name in reference.fields)}
        if is_new:
            needed |= {name for names in self._policy.match_sets_of(record.resource) for name in names}
        fields = (each.name for each in write.fields if each.type is not FieldType.JSON)
        custom_fields = (f"{CUSTOM_FIELDS_PROPERTY}.{name}" for name in record.custom_fields)
        return frozenset({*(name for name in fields if decimal_places(name) is None), *custom_fields} - needed)

    def _record_fields(self, record: ParsedRecord, wanted: set[str] | None, faults: Faults) -> Body:
        """Return the fields of a record, those of its references included."""
        write, schema = record.resource.write_spec, record.resource.schema["properties"]
        filled = self._references.resolve(write, record.values, wanted, faults=faults)
        return self._fields(write, record.values, filled, faults, wanted, schema=schema)

    def _fields(
        self,
        write: WriteSpec,
        values: Record,
        filled: Mapping[str, Any],
        faults: Faults,
        wanted: set[str] | None = None,
        *,
        schema: Mapping[str, Any] = _NO_SCHEMA,
    ) -> Body:
        """Return the fields of a record; `filled` are those that its references fill, `schema` has nested columns."""
        body: Body = {}
        for each in (each for each in write.fields if wanted is None or each.name in wanted):
            name = each.name if each.name in values else each.column
            value, sent = values.get(name), filled.get(each.name)
            if sent is None and value is not None and not faults.concerns(each.name):
                with faults.collect(each.name):
                    sent = self._codec.to_wire(each if name == each.name else replace(each, name=name), value)
                    if each.type is FieldType.JSON and each.column in schema:
                        sent = self._nested.to_wire(each, sent, schema[each.column], name)
            if sent is not None:
                body[each.name] = sent
                if each.type is FieldType.TEXT_TIME:
                    body[TEXT_TIME_FLAG] = True
        return body

    def _custom_field_entries(
        self, record: ParsedRecord, body: Body, changed: tuple[str, ...], faults: Faults, *, is_new: bool
    ) -> Body:
        """Return the custom fields that changed. Named ones replace those in the API's own form."""
        object_type = record.resource.custom_field_object
        if record.values.get(CUSTOM_FIELDS_PROPERTY) is None or not object_type:
            if CUSTOM_FIELDS in body and not self._clear_nulls:  # empty text is null in the API's own form, too
                body[CUSTOM_FIELDS] = [each for each in body[CUSTOM_FIELDS] if not is_empty(each.get("value"))]
            return {}
        with faults.collect():
            _check_is_object(record.values[CUSTOM_FIELDS_PROPERTY])
        named = {
            name: value for name, value in record.custom_fields.items() if f"{CUSTOM_FIELDS_PROPERTY}.{name}" in changed
        }
        entries = self._custom_fields.entries(
            object_type, named, row_values(record.values), clear_nulls=self._clear_nulls, faults=faults
        )
        body.pop(CUSTOM_FIELDS, None)
        key_column = self._key_columns.get(record.resource.name)
        key_field = key_column.custom_field_id if key_column else None
        for entry in entries:
            with faults.collect():
                if entry[DEFINITION] == key_field and entry["value"] not in ("", record.external_id):
                    raise invalid_field(
                        f"{CUSTOM_FIELDS_PROPERTY}: the field that stores external_id has a different value",
                        CUSTOM_FIELDS_PROPERTY,
                    )
        sent = [each for each in entries if each[DEFINITION] != key_field and not (is_new and each["value"] == "")]
        return {CUSTOM_FIELDS: sent} if sent else {}

    def _external_id(self, record: ParsedRecord, body: Body) -> Body:
        """Return the field in which FieldPulse keeps the external_id."""
        column = self._key_columns.get(record.resource.name)
        if column is None or record.external_id is None:
            return {}
        if column.custom_field_id is None:
            return {column.name: record.external_id}
        entry = {DEFINITION: column.custom_field_id, "value": record.external_id}
        return {CUSTOM_FIELDS: [*body.get(CUSTOM_FIELDS, ()), entry]}

    @staticmethod
    def _take_parent_ids(resource: WritableResource, body: Body, known: Mapping[str, int]) -> Mapping[str, int]:
        """Remove the fields of the path from a body and return them. The API cannot move a row to another parent."""
        parent_ids = {**known}
        for name in resource.parent_keys:
            value = body.pop(name, None)
            if value is not None and known.get(name) not in (None, value):
                raise invalid_field(f"{name} has changed; FieldPulse cannot move rows of `{resource.name}`", name)
            if value is None and name not in parent_ids:
                raise invalid_field(f"{name} is required to address a row of `{resource.name}`", name)
            parent_ids.setdefault(name, int(value or 0))
        return parent_ids

    def _actions(self, record: ParsedRecord, changed: tuple[str, ...], faults: Faults) -> dict[str, list[Body]]:
        """Return the elements of the actions that changed, and of all actions on the same links."""
        actions = record.resource.write_spec.actions
        links = {action.link_kind for action in actions if action.name in changed and action.link_kind}
        due = [action for action in actions if action.name in changed or action.link_kind in links]
        elements: dict[str, list[Body]] = {}
        for action in (action for action in due if record.values.get(action.name) is not None):
            with faults.collect():
                items = _items(action, record.values[action.name])
                column = record.resource.schema["properties"].get(action.body_key, {})
                schema = column.get("items", {}).get("properties", _NO_SCHEMA)
                elements[action.name] = [self._element(action, item, schema) for item in items]
        return elements

    def _element(self, action: Action, item: Mapping[str, Any], schema: Mapping[str, Any]) -> Body:
        faults = Faults()
        try:
            filled = self._references.resolve(action.item, item, faults=faults)
            body = self._fields(action.item, item, filled, faults, schema=schema)
            faults.raise_any()
            return with_defaults(action.item, body, purpose="in each element")
        except ReferenceNotFound as error:
            raise ReferenceNotFound(
                f"{action.name}: {error.what}", where=error.where, hint=error.hint, row_key=error.row_key
            ) from None
        except RecordInvalid as error:
            raise invalid_field(f"{action.name}: {error.what}", action.name) from None


def _check_is_object(custom_fields: Any) -> None:
    if not isinstance(custom_fields, Mapping):
        raise invalid_field(
            f"{CUSTOM_FIELDS_PROPERTY} is {describe(custom_fields)}; an object of names and values is expected",
            CUSTOM_FIELDS_PROPERTY,
        )


def as_create(plan: Plan) -> Plan:
    """Return the plan of a create, its body with the defaults. Raises: RecordInvalid for a missing required field."""
    body = with_defaults(plan.resource.write_spec, {**plan.parent_ids, **plan.body}, purpose="to create")
    body = {name: value for name, value in body.items() if name not in plan.parent_ids}
    return replace(plan, action="create", body=body)


def with_defaults(write: WriteSpec, body: Body, *, purpose: str) -> Body:
    """Return a body with the defaults of its fields. Raises: RecordInvalid for a missing required field."""
    body = {**dict(write.defaults), **body}
    faults = Faults()
    for name in write.required:
        with faults.collect():
            if body.get(name) in (None, ""):
                properties = [each for ref in write.references if name in ref.fields for each in ref.properties]
                others = " or ".join(each for each in properties if each != name)
                raise invalid_field(f"{name} is required {purpose}{', or ' if others else ''}{others}", name)
    faults.raise_any()
    if write.require_any_of and not any(body.get(name) for name in write.require_any_of):
        raise invalid_field(f"one of {', '.join(write.require_any_of)} is required {purpose}", write.require_any_of[0])
    return body


def _nulls(write: WriteSpec, values: Record, body: Body, fields: set[str]) -> Body:
    """Return the fields that nulls of the record clear. Raises: RecordInvalid for a required field."""
    nulls: Body = {}
    for each in (write.by_name[name] for name in write.by_name if name in fields and name not in body):
        names = [name for name, filled in write.fields_by_property.items() if filled[0] == each.name and name in values]
        if any(values[name] is None for name in names):
            if each.name in write.required:
                raise invalid_field(f"{each.name} is required and cannot be null", each.name)
            nulls[each.name] = [] if each.type is FieldType.JSON else None
    return nulls


def _items(action: Action, value: Any) -> list[Mapping[str, Any]]:
    if action.body_key and isinstance(value, Mapping):
        value = value.get(action.body_key)
    if not isinstance(value, list) or not all(isinstance(item, Mapping) for item in value):
        raise invalid_field(f"{action.name} must be a list of objects", action.name)
    return value
