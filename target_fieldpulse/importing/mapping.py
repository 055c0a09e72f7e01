"""Which column of a file becomes which property of a record.

A column named like a property needs no mapping: case, spaces and punctuation do not count, so `E-Mail` is `email`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fieldpulse_api.errors import UserError, allowed_and_similar
from fieldpulse_api.resources.model import WritableResource
from fieldpulse_api.resources.write_model import FieldType
from fieldpulse_api.values.custom_fields import CUSTOM_FIELDS_PROPERTY
from target_fieldpulse.records.parsed_record import EXTERNAL_ID, ROW_NUMBER

from .csv_file import CsvFile, CsvRow

_COLUMN_IN_TEXT = re.compile(r"{([^{}]+)}")
_LIST_SEPARATOR = re.compile(r"[;,]")
_CUSTOM_FIELD = f"{CUSTOM_FIELDS_PROPERTY}."


@dataclass(frozen=True)
class Source:
    """A column, or a text with columns in braces such as `fair-{Lead no}`. It is empty if one of its columns is."""

    text: str

    @property
    def columns(self) -> list[str]:
        """Return the columns that are needed."""
        return _COLUMN_IN_TEXT.findall(self.text) or [self.text]

    def value(self, row: CsvRow) -> str:
        """Return the text for a row."""
        if not all(row.cells[name] for name in self.columns):
            return ""
        if not _COLUMN_IN_TEXT.search(self.text):
            return row.cells[self.text]
        return _COLUMN_IN_TEXT.sub(lambda match: row.cells[match[1]], self.text)


@dataclass(frozen=True)
class RecordMapping:
    """The sources of the properties of one stream; `ignored` are the other columns.

    With `has_email_key`, only an e-mail address is a key: logs may name another text.
    """

    resource: WritableResource
    sources: Mapping[str, Source]
    ignored: tuple[str, ...]
    has_email_key: bool

    @property
    def key_columns(self) -> list[str]:
        """Return the columns of the key of each record."""
        return (self.sources.get(EXTERNAL_ID) or self.sources["id"]).columns

    def record(self, row: CsvRow) -> dict[str, Any]:
        """Return the record of a row. An e-mail address that is a key counts in lower case."""
        record: dict[str, Any] = {ROW_NUMBER: row.number}
        for name, source in self.sources.items():
            value: Any = source.value(row)
            if name.endswith(EXTERNAL_ID) and "@" in value:
                value = value.lower()
            elif self.has_email_key and name == EXTERNAL_ID:
                value = ""
            if name.startswith(_CUSTOM_FIELD):
                record.setdefault(CUSTOM_FIELDS_PROPERTY, {})[name.removeprefix(_CUSTOM_FIELD)] = value
            else:
                record[name] = self._with_list(name, value)
        return record

    def _with_list(self, name: str, value: str) -> Any:
        reference = self.resource.write_spec.name_references.get(name)
        if not (reference and (reference.is_list or reference.list_item_key)):
            return value
        return [part.strip() for part in _LIST_SEPARATOR.split(value) if part.strip()] or None


def make_mapping(resource: WritableResource, file: CsvFile, pairs: Iterable[str], key: str | None) -> RecordMapping:
    """Return the mapping of a file. `pairs` are `column=property`; one without a property leaves the column out.

    Raises: UserError for a column that the file lacks, an unknown property, or a stream whose records have no key.
    """
    chosen = [_split(pair) for pair in pairs]
    _check_columns(file, [*(text for text, _ in chosen), *([key] if key else [])])
    allowed = {*resource.write_spec.properties, EXTERNAL_ID, "id"}
    _check_properties(resource, [name for _, name in chosen if name], allowed)
    sources = {name: Source(text) for text, name in chosen if name}
    taken = {column for text, _ in chosen for column in Source(text).columns}
    by_folded_name = {_folded(name): name for name in allowed - {"id"}}
    for header in file.headers:
        property_name = by_folded_name.get(_folded(header))
        if property_name and header not in taken and property_name not in sources:
            sources[property_name] = Source(header)
    has_email_key = False
    if key:
        sources[EXTERNAL_ID] = Source(key)
    elif not {EXTERNAL_ID, "id"} & sources.keys():
        name = _matched_field(resource, sources)
        sources[EXTERNAL_ID] = sources[name]
        has_email_key = resource.write_spec.by_name[name].type is FieldType.EMAIL
    used = {column for source in sources.values() for column in source.columns}
    ignored = tuple(header for header in file.headers if header not in used)
    return RecordMapping(resource, sources, ignored, has_email_key)


def _split(pair: str) -> tuple[str, str]:
    text, separator, name = pair.rpartition("=")
    if not separator or not text.strip():
        raise UserError(
            "A mapping has no `=` between column and property.", where=f"--map {pair}", hint='--map "E-Mail=email"'
        )
    return text.strip(), name.strip()


def _check_columns(file: CsvFile, texts: Iterable[str]) -> None:
    for column in (column for text in texts for column in Source(text).columns):
        if column not in file.headers:
            raise UserError(
                f"The file has no column {column!r}: {allowed_and_similar(column, file.headers)}.",
                where=f"file {file.name}",
                hint="write the column as in the header of the file",
            )


def _check_properties(resource: WritableResource, names: list[str], allowed: set[str]) -> None:
    has_custom_fields = bool(resource.custom_field_object)
    for name in names:
        is_custom_field = has_custom_fields and name.startswith(_CUSTOM_FIELD) and name != _CUSTOM_FIELD
        if name not in allowed and not is_custom_field:
            more = f"; a custom field is {_CUSTOM_FIELD}Its name" if has_custom_fields else ""
            raise UserError(
                f"`{resource.name}` has no property of this name: {allowed_and_similar(name, sorted(allowed))}.",
                where=f"--map …={name}",
                hint=f"see docs/target/fields.md{more}",
            )
        if names.count(name) > 1:
            raise UserError(
                f"Two columns are mapped to `{name}`.", where=f"--map …={name}", hint="choose one of the columns"
            )


def _matched_field(resource: WritableResource, sources: Mapping[str, Source]) -> str:
    """Return the field by which rows of the stream are matched: it tells the records apart, too."""
    name = next((names[0] for names in resource.write_spec.match_sets if len(names) == 1 and names[0] in sources), None)
    if name is None:
        raise UserError(
            "No column is the key of the records: each import would create them again.",
            where="--key",
            hint='name a column that tells the rows apart, such as --key "Lead no", or --key "fair-{Lead no}"',
        )
    return name


def _folded(name: str) -> str:
    return "".join(filter(str.isalnum, name.casefold()))
