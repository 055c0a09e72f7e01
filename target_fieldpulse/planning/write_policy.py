"""The write policy: the settings that say how records are matched, and what may be written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from fieldpulse_api.errors import ConfigError, got_and_allowed
from fieldpulse_api.resources.catalogue import WRITABLE
from fieldpulse_api.resources.model import WritableResource
from fieldpulse_api.resources.write_model import FieldType
from target_fieldpulse.records.columns import Column
from target_fieldpulse.records.custom_fields import CustomFieldWriter
from target_fieldpulse.records.field_codec import FieldCodec
from target_fieldpulse.records.parsed_record import RecordParser

Mode = Literal["upsert", "create_only", "update_only"]
MODES: tuple[Mode, ...] = ("upsert", "create_only", "update_only")
_ALL_OTHERS = "*"  # stands for all streams that `write_mode` does not name


def _creatable() -> dict[str, tuple[str, ...]]:
    """Return the streams whose rows need nothing but the name that records refer to, with the columns of that name."""
    creatable: dict[str, tuple[str, ...]] = {}
    for reference in (each for resource in WRITABLE.values() for each in resource.write_spec.references if each.column):
        write = WRITABLE[reference.stream].write_spec if reference.stream in WRITABLE else None
        if write and not write.target_resource and write.required == (reference.column,):
            columns = (*creatable.get(reference.stream, ()), reference.column, *(reference.restrict_to or ())[:1])
            creatable[reference.stream] = tuple(dict.fromkeys(columns))
    return creatable


CREATABLE = _creatable()


@dataclass(frozen=True)
class WritePolicy:
    """What may be written, and how rows are matched.

    `match_sets` are sets of body fields by stream, tried in order. `external_id_fields` say by stream where FieldPulse
    keeps the external_id: a body field, or the name of a custom field.
    """

    match_sets: Mapping[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)
    modes: Mapping[str, Mode] = field(default_factory=dict)
    external_id_fields: Mapping[str, str] = field(default_factory=dict)
    create_missing_references: frozenset[str] = frozenset()
    clear_nulls: bool = False
    fill_empty_only: bool = False
    hard_delete: bool = False
    allow_shared_rows: bool = False
    trust_ids: bool = False
    drop_invalid_fields: bool = False

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> WritePolicy:
        """Parse a validated configuration. Raises: ConfigError for an unknown stream, field or mode."""
        return cls(
            match_sets={stream: _match_sets(stream, sets) for stream, sets in _by_stream(config["match"], "match")},
            modes=_modes(config["write_mode"]),
            external_id_fields=_external_id_fields(config["external_id_fields"]),
            create_missing_references=frozenset(config["create_missing_references"]),
            clear_nulls=config["null_policy"] == "clear",
            fill_empty_only=config["fill_empty_only"],
            hard_delete=config["hard_delete"],
            allow_shared_rows=config["shared_rows"] == "allow",
            trust_ids=config["trust_ids"],
            drop_invalid_fields=config["invalid_fields"] == "drop",
        )

    def record_parser(
        self, resource: WritableResource, codec: FieldCodec, custom_fields: CustomFieldWriter
    ) -> RecordParser:
        """Return the parser for the records of a stream."""
        return RecordParser(
            resource,
            codec,
            clear_nulls=self.clear_nulls,
            fill_empty_only=self.fill_empty_only,
            stores_external_id=resource.name in self.external_id_fields,
            custom_fields=custom_fields,
        )

    def match_sets_of(self, resource: WritableResource) -> tuple[tuple[str, ...], ...]:
        """Return the sets of body fields that rows of a stream are matched by."""
        return self.match_sets.get(resource.name, resource.write_spec.match_sets)

    def match_columns(self, key_columns: Mapping[str, Column]) -> dict[str, list[Column]]:
        """Return the columns that rows are matched by, by stream; `key_columns` hold the external_id."""
        columns: dict[str, list[Column]] = {}
        for resource in WRITABLE.values():
            names = dict.fromkeys(name for names in self.match_sets_of(resource) for name in names)
            own = [key_columns[resource.name]] if resource.name in key_columns else []
            columns[resource.name] = [*own, *(Column(resource.write_spec.by_name[name].column) for name in names)]
        return columns

    def mode(self, stream: str) -> Mode:
        """Return what may be done in a stream."""
        return self.modes.get(stream, self.modes.get(_ALL_OTHERS, "upsert"))


def external_id_columns(resource: WritableResource) -> list[str]:
    """Return the columns in which FieldPulse keeps keys of other systems, and which people do not edit."""
    column = resource.write_spec.external_id_column
    return [column] if column else []


def _by_stream(values: Mapping[str, Any], setting: str, *others: str) -> Iterator[tuple[str, Any]]:
    for stream, value in values.items():
        if stream not in (*WRITABLE, *others):
            what = f"No stream of this name can be written: {got_and_allowed(stream, (*WRITABLE, *others))}."
            raise ConfigError(what, where=f"setting {setting}.{stream}", hint="correct the setting")
        yield stream, value


def _match_sets(stream: str, sets: list[list[str]]) -> tuple[tuple[str, ...], ...]:
    where, write = f"setting match.{stream}", WRITABLE[stream].write_spec
    if write.target_resource:
        what = f"`{stream}` has no rows of its own to match: it changes rows of `{write.target_resource}`."
        raise ConfigError(what, where=where, hint="remove the setting")
    fields = [each.name for each in write.fields if each.type is not FieldType.JSON]
    for name in (name for names in sets for name in names):
        if name not in fields:
            what = f"Rows cannot be matched by this field: {got_and_allowed(name, fields)}."
            raise ConfigError(what, where=where, hint="correct the setting")
    return tuple(map(tuple, sets))


def _modes(value: str | Mapping[str, str]) -> dict[str, Mode]:
    by_stream = {_ALL_OTHERS: value} if isinstance(value, str) else value
    modes = dict(_by_stream(by_stream, "write_mode", _ALL_OTHERS))
    for stream, mode in modes.items():
        if mode not in MODES:
            what = f"Unknown write mode: {got_and_allowed(mode, MODES)}."
            raise ConfigError(what, where=f"setting write_mode.{stream}", hint="correct the setting")
    return cast("dict[str, Mode]", modes)


def _external_id_fields(names: Mapping[str, str]) -> dict[str, str]:
    fields = dict(_by_stream(names, "external_id_fields"))
    for stream, name in fields.items():
        columns = external_id_columns(WRITABLE[stream])
        if not WRITABLE[stream].custom_field_object and name not in columns:
            what = f"Rows of `{stream}` cannot keep an external_id in this field: {got_and_allowed(name, columns)}."
            raise ConfigError(what, where=f"setting external_id_fields.{stream}", hint="correct the setting")
    return fields
