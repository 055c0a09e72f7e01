"""The classes of a catalogue entry; an entry that contradicts itself fails when it is imported."""

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
    """One way to narrow a stream to the rows with a wanted value in any of `columns` (paths into the row).

    The wanted values are ids or names of the rows of `stream` (names are in its `name_columns`), or one of
    `allowed_values`. With `comparison`, the filter is one end of a range in time. Filters of one name are alternatives:
    a value belongs to the first filter that knows it.

    `query_param` is the documented parameter of the list: `filter` for a bracket filter on the first column, the name
    of a flat parameter, or `asn[…]`. Without it, only the client filters.
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
    """One list of the API, and the stream of the same name.

    `path` is the path of the list. A resource with a `parent` has one list per row of the parent, and its path contains
    columns of that row in braces. `item_path` is the path of one row; a POST goes to `create_path`, or else to `path`.
    `operations` are the documented ones.

    `sort_by` are the columns documented for the parameters `sort_by` and `sort_dir`. `supports_sort`, `supports_count`
    and `supports_page` mean that `sort[…]`, `calculate_count` and `page` are documented.

    `page_size` is how many rows to request at once at first: less than 100 where a row may have hundreds of KB.

    `excluded_fields` are row keys that are never emitted, at any depth. If a schema has `additionalProperties: false`,
    only its properties are emitted; `flags_property` then collects the true and false values that it lacks.

    `custom_field_object` is the object type whose custom fields the rows have; a list must be requested with
    `with_custom_fields_params` to contain their values.
    `moves_to` is the list that a row may move to without being deleted: a change of status turns an estimate into an
    invoice, and back (API facts 4.11).
    `webhook_events` are the vendor's names of events, without the noun in front. `source` says where the evidence for
    the shape of the rows comes from.
    `derived_columns` are columns that FieldPulse computes from another one of the row (inferred), as (column, source)
    pairs: a change of the column says nothing that a change of its source does not say.
    `has_office_names`: the rows are names that the account's office has chosen, such as statuses and custom fields.
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
    page_size: int = 100
    excluded_fields: tuple[str, ...] = ()
    flags_property: str | None = None
    custom_field_object: str | None = None
    with_custom_fields_params: tuple[tuple[str, str], ...] = ()
    code_labels: tuple[CodeLabels, ...] = ()
    filters: tuple[Filter, ...] = ()
    moves_to: str | None = None
    webhook_events: tuple[str, ...] = ()
    derived_columns: tuple[tuple[str, str], ...] = ()
    has_office_names: bool = False

    def __post_init__(self) -> None:
        """Raise ValueError for an entry that contradicts itself, when the catalogue is imported."""
        problems = [problem for is_broken, problem in self._contradictions() if is_broken]
        if problems:
            raise ValueError(f"catalogue entry {self.name!r}: {'; '.join(problems)}")

    def _contradictions(self) -> list[tuple[bool, str]]:
        return [
            (not self.name.isidentifier() or self.name != self.name.lower(), "name is not snake_case"),
            (Operation.LIST not in self.operations, "a resource without a list has no stream"),
            (bool(self.operations & _BY_ID) != bool(self.item_path), "item_path and operations disagree"),
            (("{" in self.path) != bool(self.parent), "path and parent disagree"),
        ]

    @cached_property
    def parent_keys(self) -> tuple[str, ...]:
        """Return the columns in the path of the list, which are ids of parent rows."""
        return tuple(re.findall(r"{(\w+)}", self.path))

    @property
    def is_read_only(self) -> bool:
        """Return whether the API documents no write for this resource."""
        return not self.operations & _WRITES

    @property
    def singular(self) -> str:
        """Return the name of one row: `job_statuses` → `job_status`."""
        for plural, singular in (("ies", "y"), ("sses", "ss"), ("uses", "us"), ("s", "")):
            if self.name.endswith(plural):
                return self.name.removesuffix(plural) + singular
        return self.name

    @property
    def webhook_noun(self) -> str:
        """Return the name of one row in the vendor's webhooks: `job_statuses` → `Job Status`."""
        return self.singular.replace("_", " ").title()

    @cached_property
    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of a record, from `schemas/<name>.json`; descriptions of codes list the labels."""
        schema = {key: value for key, value in self._schema_file.items() if key != "detailProperties"}
        for labels in self.code_labels:
            text = ", ".join(f"{code} {label}" for code, label in labels.pairs)
            schema["properties"][labels.column]["description"] += f": {text}"
        return schema

    @property
    def detail_properties(self) -> dict[str, Any]:
        """Return the properties of a row by id that rows of the list lack (API facts 4)."""
        properties: dict[str, Any] = self._schema_file.get("detailProperties", {})
        return properties

    @cached_property
    def _schema_file(self) -> dict[str, Any]:
        file = files(__package__).joinpath("schemas", f"{self.name}.json")
        content: dict[str, Any] = json.loads(file.read_text("utf-8"))
        return content

    @property
    def status_columns(self) -> tuple[str, ...]:
        """Return the columns that hold the status of a row; the status that the account defines comes first."""
        return tuple(name for name in ("status_id", "status") if name in self.schema["properties"])

    def sort_params(self, column: str, direction: Direction) -> dict[str, str]:
        """Return the query parameters for an order by `column`; empty if the API documents none.

        `sort_by` is used if it is documented for the column, or else `sort[…]` with `id` as the tie-breaker. The reader
        checks whether the server obeys (API facts 3.3). The tie-breaker has the opposite direction: newer rows mostly
        have higher ids, so a server that ignores the column and sorts by `id` alone would otherwise seem to obey.
        """
        if column in self.sort_by or ANY_COLUMN in self.sort_by:
            return {"sort_by": column, "sort_dir": direction}
        if not self.supports_sort:
            return {}
        params = {"sort[0][attribute]": column, "sort[0][order]": direction}
        if column == "id":
            return params
        opposite: Direction = "asc" if direction == "desc" else "desc"
        return params | {"sort[1][attribute]": "id", "sort[1][order]": opposite}


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
