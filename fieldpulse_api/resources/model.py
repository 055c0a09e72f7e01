"""The vocabulary of one catalogue entry, and when an entry is wrong. The entries are in `catalogue`."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from importlib.resources import files
from typing import Any, Literal

from typing_extensions import override

from .write_model import CodeLabels, WriteSpec

Direction = Literal["asc", "desc"]
ANY_COLUMN = "*"


class Evidence(str, Enum):
    """How well a fact about the API is known, best first (API facts 0.1)."""

    VERIFIED = "verified"
    DOCUMENTED = "documented"
    OBSERVED = "observed"
    INFERRED = "inferred"


class Operation(str, Enum):
    """What the API documents for the rows of a resource: list them, or get, create, update or delete one."""

    LIST = "list"
    GET = "get"
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


ALL_OPERATIONS = frozenset(Operation)
LIST_ONLY = frozenset({Operation.LIST})
LIST_AND_GET = frozenset({Operation.LIST, Operation.GET})
_BY_ID = frozenset({Operation.GET, Operation.UPDATE, Operation.DELETE})
_WRITES = frozenset({Operation.CREATE, Operation.UPDATE, Operation.DELETE})


@dataclass(frozen=True, kw_only=True)
class Filter:
    """One way to narrow a stream: rows that have a wanted value in any of `columns` (paths into the row).

    `stream` and `named` say whose rows a value may name; `allowed` are the values of a column without
    ids; `bound` makes it an end of a range in time. `sent` is the documented parameter: `filter`
    for a bracket filter on the first column, a flat name, or `asn[…]`; None where nothing is
    documented. Filters of one name are alternatives: a value belongs to the first that knows it.
    """

    name: str
    columns: tuple[str, ...]
    stream: str | None = None
    name_columns: tuple[str, ...] = ()
    allowed_values: tuple[str, ...] = ()
    comparison: Literal[">=", "<="] | None = None
    query_param: str | None = None


@dataclass(frozen=True, kw_only=True)
class Resource:
    """One list of the API, and the stream of the same content.

    `path` is the list; `{…}` in it is filled from a row of `parent`. `item_path` is the row by id,
    `create_path` where a POST goes if that is not the list. `operations` are those the vendor
    documents: List, Get, Create, Update, Delete. `sort_by` are the columns documented for
    `sort_by`/`sort_dir`; `sorts`, `counts` and `paged` say whether `sort[…]`, `calculate_count` and
    `page` are documented. `never` are row keys that are not emitted, at any depth. `custom` is the
    object type whose custom fields the rows have values of, and `ask_values` what a list must be
    asked with to show them. `webhooks` are the vendor's events of a row, without the noun before them.
    """

    name: str
    path: str
    title: str
    evidence: Evidence
    source: str
    operations: frozenset[Operation] = ALL_OPERATIONS
    item_path: str | None = None
    create_path: str | None = None
    parent: str | None = None
    updated_column: str | None = "updated_at"
    sort_by: tuple[str, ...] = ()
    supports_sort: bool = True
    supports_count: bool = True
    supports_page: bool = True
    excluded_fields: tuple[str, ...] = ()
    custom_field_object: str | None = None
    with_custom_fields_params: tuple[tuple[str, str], ...] = ()
    code_labels: tuple[CodeLabels, ...] = ()
    filters: tuple[Filter, ...] = ()
    webhook_events: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse an entry that contradicts itself, when the catalogue is imported."""
        wrong = [text for broken, text in self._contradictions() if broken]
        if wrong:
            msg = f"catalogue entry {self.name!r}: {'; '.join(wrong)}"
            raise ValueError(msg)

    def _contradictions(self) -> list[tuple[bool, str]]:
        return [
            (not self.name.isidentifier() or self.name != self.name.lower(), "name is not snake_case"),
            (Operation.LIST not in self.operations, "a resource without a list has no stream"),
            (bool(self.operations & _BY_ID) != bool(self.item_path), "item_path and operations disagree"),
            (("{" in self.path) != bool(self.parent), "path and parent disagree"),
        ]

    @cached_property
    def parent_keys(self) -> tuple[str, ...]:
        """Return the fields that are part of the list's path: ids of rows above."""
        return tuple(re.findall(r"{(\w+)}", self.path))

    @property
    def is_read_only(self) -> bool:
        """Say whether the API documents no write at all."""
        return not self.operations & _WRITES

    @property
    def singular(self) -> str:
        """Return the name of one row: `job_statuses` → `job_status`."""
        for ending, instead in (("ies", "y"), ("sses", "ss"), ("uses", "us"), ("s", "")):
            if self.name.endswith(ending):
                return self.name.removesuffix(ending) + instead
        return self.name

    @property
    def webhook_noun(self) -> str:
        """Return what the vendor's webhooks call one row: `job_statuses` → `Job Status`."""
        return self.singular.replace("_", " ").title()

    @cached_property
    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of an emitted record, from `schemas/<name>.json`; codes carry their labels."""
        text = files(__package__).joinpath("schemas", f"{self.name}.json").read_text("utf-8")
        schema: dict[str, Any] = json.loads(text)
        for labels in self.code_labels:
            meaning = ", ".join(f"{code} {label}" for code, label in labels.pairs)
            schema["properties"][labels.column]["description"] += f": {meaning}"
        return schema

    @property
    def status_columns(self) -> tuple[str, ...]:
        """Return the columns that hold a row's status, the account's own first."""
        return tuple(name for name in ("status_id", "status") if name in self.schema["properties"])

    def sort_params(self, column: str, direction: Direction) -> dict[str, str]:
        """Return the query that asks for rows by `column`, in the idiom documented for it.

        `sort_by` where it is documented with that column, else `sort[…]` with `id` to break ties,
        else nothing. Whether the server does it is for the reader to check (contract 3.3). Ties are broken
        the other way round: a server that ignores the column and heeds `id` then cannot look as if it sorted, for
        newer rows mostly have higher ids.
        """
        if column in self.sort_by or ANY_COLUMN in self.sort_by:
            return {"sort_by": column, "sort_dir": direction}
        if not self.supports_sort:
            return {}
        first = {"sort[0][attribute]": column, "sort[0][order]": direction}
        if column == "id":
            return first
        other: Direction = "asc" if direction == "desc" else "desc"
        return first | {"sort[1][attribute]": "id", "sort[1][order]": other}


@dataclass(frozen=True, kw_only=True)
class WritableResource(Resource):
    """A resource that the target can write, with the rules of its write bodies."""

    write_spec: WriteSpec

    @override
    def _contradictions(self) -> list[tuple[bool, str]]:
        is_own = self.write_spec.target_resource is None
        return [
            *super()._contradictions(),
            (is_own and Operation.UPDATE not in self.operations, "it has a write_spec but no update"),
            (not set(self.parent_keys) <= set(self.write_spec.by_name), "its path needs a field that it lacks"),
        ]
