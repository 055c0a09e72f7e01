"""What the user wants of each stream: how records are matched, what may be written, and how much of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from fieldpulse_api.errors import ConfigError, got_and_allowed
from fieldpulse_api.resources.catalogue import WRITABLE
from fieldpulse_api.resources.model import WritableResource
from fieldpulse_api.resources.write_model import FieldType
from target_fieldpulse.records.columns import Column
from target_fieldpulse.records.parsed_record import RecordParser

Mode = Literal["upsert", "create_only", "update_only"]
MODES: tuple[Mode, ...] = ("upsert", "create_only", "update_only")
ALL_OTHERS = "*"
"""What stands for all streams that are not named."""


def _creatable() -> dict[str, tuple[str, ...]]:
    """Return the streams whose rows can be created from nothing but how records name them, and those columns."""
    found: dict[str, tuple[str, ...]] = {}
    for reference in (one for resource in WRITABLE.values() for one in resource.write_spec.references if one.column):
        write = WRITABLE[reference.stream].write_spec if reference.stream in WRITABLE else None
        if write and not write.target_resource and write.required == (reference.column,):
            columns = (*found.get(reference.stream, ()), reference.column, *(reference.restrict_to or ())[:1])
            found[reference.stream] = tuple(dict.fromkeys(columns))
    return found


CREATABLE = _creatable()


@dataclass(frozen=True)
class WritePolicy:
    """The settings that say what is written. `match` are sets of body fields, by stream, tried in order.

    `external` says, by stream, where FieldPulse keeps the source's key: a body field, or the name of a custom field.
    """

    match_sets: Mapping[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)
    modes: Mapping[str, Mode] = field(default_factory=dict)
    external_id_fields: Mapping[str, str] = field(default_factory=dict)
    create_missing_references: frozenset[str] = frozenset()
    clear_nulls: bool = False
    fill_empty_only: bool = False
    hard_delete: bool = False

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> WritePolicy:
        """Read the settings. Raises: BadSetting for a stream or a field that there is not."""
        return cls(
            match_sets={stream: _checked(stream, sets) for stream, sets in _by_stream(config["match"], "match")},
            modes=_modes(config),
            external_id_fields=dict(_external(config)),
            create_missing_references=frozenset(config["create_missing_references"]),
            clear_nulls=config["null_policy"] == "clear",
            fill_empty_only=config["fill_empty_only"],
            hard_delete=config["hard_delete"],
        )

    def record_parser(self, resource: WritableResource) -> RecordParser:
        """Return the parser for the records of a stream."""
        return RecordParser(
            resource,
            clear_nulls=self.clear_nulls,
            fill_empty_only=self.fill_empty_only,
            stores_external_id=resource.name in self.external_id_fields,
        )

    def match_sets_of(self, resource: WritableResource) -> tuple[tuple[str, ...], ...]:
        """Return the sets of fields by which a stream's rows are found."""
        return self.match_sets.get(resource.name, resource.write_spec.match_sets)

    def match_columns(self, key_columns: Mapping[str, Column]) -> dict[str, list[Column]]:
        """Return the columns by which rows are matched, by stream."""
        columns: dict[str, list[Column]] = {}
        for resource in WRITABLE.values():
            names = dict.fromkeys(name for fields in self.match_sets_of(resource) for name in fields)
            fields = resource.write_spec.by_name
            own = [key_columns[resource.name]] if resource.name in key_columns else []
            columns[resource.name] = [*own, *(Column(fields[name].column) for name in names)]
        return columns

    def mode(self, stream: str) -> Mode:
        """Return what may be done in a stream."""
        return self.modes.get(stream, self.modes.get(ALL_OTHERS, "upsert"))


def _by_stream(given: Mapping[str, Any], setting: str, *also: str) -> Iterator[tuple[str, Any]]:
    for stream, value in given.items():
        if stream not in (*WRITABLE, *also):
            what = f"There is no such stream to write: {got_and_allowed(stream, (*WRITABLE, *also))}."
            raise ConfigError(what, where=f"setting {setting}.{stream}", hint="correct the setting")
        yield stream, value


def _checked(stream: str, sets: list[list[str]]) -> tuple[tuple[str, ...], ...]:
    write = WRITABLE[stream].write_spec
    known = [one.name for one in write.fields if one.type is not FieldType.JSON] if not write.target_resource else []
    if not known:
        what = "This stream changes rows of another, and matches none of its own."
        raise ConfigError(what, where=f"setting match.{stream}", hint="leave it out")
    for name in (name for one in sets for name in one):
        if name not in known:
            what = f"The stream has no such field to be matched by: {got_and_allowed(name, known)}."
            raise ConfigError(what, where=f"setting match.{stream}", hint="correct the setting")
    return tuple(tuple(one) for one in sets)


def _modes(config: Mapping[str, Any]) -> dict[str, Mode]:
    given = config["write_mode"]
    if isinstance(given, str):
        given = {ALL_OTHERS: given}
    modes = dict(_by_stream(given, "write_mode", ALL_OTHERS))
    for stream, mode in modes.items():
        if mode not in MODES:
            what = f"There is no such mode: {got_and_allowed(mode, MODES)}."
            raise ConfigError(what, where=f"setting write_mode.{stream}", hint="correct the setting")
    return cast("dict[str, Mode]", modes)


def _external(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for stream, name in _by_stream(config["external_id_fields"], "external_id_fields"):
        resource = WRITABLE[stream]
        if not resource.custom_field_object and name not in external_id_columns(resource):
            columns = got_and_allowed(name, external_id_columns(resource))
            what = f"Rows of {stream} have no such column for keys: {columns}."
            raise ConfigError(what, where=f"setting external_id_fields.{stream}", hint="correct the setting")
        yield stream, name


def external_id_columns(resource: WritableResource) -> list[str]:
    """Return the columns in which FieldPulse keeps keys of others; what people write is none."""
    column = resource.write_spec.external_id_column
    return [column] if column else []
