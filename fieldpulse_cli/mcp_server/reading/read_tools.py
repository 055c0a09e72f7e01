"""The tools that read: describe, list, search, get."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

from fieldpulse_api.errors import RowNotFound, UserError
from fieldpulse_api.reading.pages import Pages, Row
from fieldpulse_api.reading.single_rows import find_row, is_marked_deleted
from fieldpulse_api.resources.catalogue import BY_NAME, RESOURCES
from fieldpulse_api.resources.model import Operation, Resource, WritableResource
from fieldpulse_api.values.custom_fields import CUSTOM_FIELDS_PROPERTY
from fieldpulse_cli.mcp_server.arguments import (
    CURSOR,
    DEFAULT_ROWS,
    FIELDS,
    FILTER_VALUES,
    LIMIT,
    ROW_ID,
    STREAM,
    Schema,
    object_of,
)
from fieldpulse_cli.mcp_server.results import Record, fitted, without_empty
from fieldpulse_cli.mcp_server.tool import Tool
from tap_fieldpulse.reading.bookmark import Bookmark
from tap_fieldpulse.reading.filters import Filters
from tap_fieldpulse.reading.list_reader import ResourceListReader
from tap_fieldpulse.records.shaper import is_secret_name
from tap_fieldpulse.settings import parse_time

from .account import Account
from .description import describe_stream, describe_streams
from .open_reads import OpenRead, OpenReads
from .row_filters import filters_of, with_text

_MAX_NAMED_ROWS = 50
_FIRST_TIME = datetime.min.replace(tzinfo=timezone.utc)
_PARENTS = sorted({resource.name for resource in RESOURCES if resource.parent})
_READABLE_BY_ID = [resource.name for resource in RESOURCES if Operation.GET in resource.operations]
_PARENT_ID: Schema = ROW_ID | {"description": f"Id of the parent row; needed for {', '.join(_PARENTS)} only."}
_FILTERS: Schema = {
    "type": "object",
    "maxProperties": 20,
    "additionalProperties": FILTER_VALUES,
    "description": 'Such as {"status": "New", "assignee": "Kim Lee", "customer": "Ada Roe"}. Names of filters are in '
    "`describe`; any other column that is not nested works by its exact value. Several values of a filter are "
    "alternatives, several filters must all match; null finds an empty column.",
}
_CHANGED_SINCE: Schema = {
    "type": "string",
    "maxLength": 40,
    "description": "Only rows that changed at or after this time, in ISO 8601. Costs few requests.",
}


class ReadTools:
    """The tools that read one account. May be used by many threads."""

    def __init__(self, account: Account) -> None:
        self._account, self._reads = account, OpenReads()

    def tools(self) -> list[Tool]:
        """Return the tools, in the order in which a model needs them."""
        read = {"filters": _FILTERS, "parent_id": _PARENT_ID, "fields": FIELDS, "limit": LIMIT, "cursor": CURSOR}
        listed = {"stream": STREAM, "changed_since": _CHANGED_SINCE, **read}
        text: Schema = {"type": "string", "minLength": 2, "maxLength": 200, "description": "Words to find."}
        return [
            Tool(
                name="describe",
                title="Describe the data",
                description="What FieldPulse holds. Without `stream`: all lists, such as customers, jobs and invoices,"
                " with the filters of each. With `stream`: its columns, filters, and what may be written. Costs "
                "next to nothing. Call it first.",
                schema=object_of({"stream": STREAM}),
                run=self._describe,
            ),
            Tool(
                name="list_rows",
                title="List rows",
                description="List rows of a stream, those that changed last first, with filters by name. Use it when "
                "the rows are known by a status, a date, an assignee or an id of another row; use `search_rows` for a "
                "name, a phone number or another text. `cursor` in the result is null once all rows were returned; "
                "else more may follow, also if `rows` is empty.",
                schema=object_of(listed, "stream"),
                run=self._list,
            ),
            Tool(
                name="search_rows",
                title="Search rows by text",
                description="Find the rows of a stream that contain all words of `text`, in any field: a name, a phone "
                "number, an e-mail address, a word of a note. Use it to find the id of a customer before you list its "
                "jobs or invoices with a filter on `customer_id`. Goes on with `cursor` like `list_rows`.",
                schema=object_of({"stream": STREAM, "text": text, **read}, "stream"),
                run=self._search,
            ),
            Tool(
                name="get_row",
                title="Get a row by id",
                description="Read one row in full by its FieldPulse id, with nested objects such as line items, and "
                "with custom fields.",
                schema=object_of(
                    {
                        "stream": STREAM | {"enum": _READABLE_BY_ID},
                        "id": ROW_ID,
                        "parent_id": _PARENT_ID,
                        "fields": FIELDS,
                    },
                    "stream",
                    "id",
                ),
                run=self._get,
            ),
        ]

    def _describe(self, arguments: Mapping[str, Any]) -> Record:
        if "stream" not in arguments:
            return describe_streams()
        resource = BY_NAME[arguments["stream"]]
        return describe_stream(resource, self._account.builder(resource).schema)

    def _list(self, arguments: Mapping[str, Any]) -> Record:
        return self._read(arguments, lambda filters, _: filters)

    def _search(self, arguments: Mapping[str, Any]) -> Record:
        if "text" not in arguments and "cursor" not in arguments:
            raise UserError("The argument 'text' is missing.", where="tool search_rows", hint="add the words to find")
        return self._read(arguments, lambda filters, record: with_text(filters, arguments["text"], record))

    def _read(
        self, arguments: Mapping[str, Any], narrow: Callable[[Filters, Callable[[Row], Record]], Filters]
    ) -> Record:
        limit = arguments.get("limit", DEFAULT_ROWS)
        if "cursor" in arguments:
            return self._reads.go_on(arguments["stream"], arguments["cursor"], limit)
        resource, fields = BY_NAME[arguments["stream"]], arguments.get("fields")
        self._check_fields(resource, fields)
        path, parent_ids = self._path(resource, arguments)

        def record_of(row: Row) -> Record:
            missing = {name: value for name, value in parent_ids.items() if not row.get(name)}
            return self._account.record(resource, {**row, **missing})

        wanted = arguments.get("filters", {})
        filters = narrow(filters_of(self._account, resource, wanted, record_of, self._ids_of_name), record_of)
        since = parse_time(arguments.get("changed_since"), "changed_since")
        column = resource.updated_column
        if since and not column:
            raise UserError(
                f"Rows of {resource.name} do not say when they changed.",
                where="changed_since",
                hint="leave it out: these lists are short",
            )
        reader = self._reader(resource, path, filters, since)
        order = "changed last first" if column else "by id"
        read = OpenRead(resource.name, reader, filters, lambda row: _selected(record_of(row), fields), order)
        return self._reads.start(read, limit)

    def _reader(self, resource: Resource, path: str, filters: Filters, since: datetime | None) -> ResourceListReader:
        column = resource.updated_column
        options = replace(self._account.options, query=dict(resource.with_custom_fields_params))
        return ResourceListReader(
            Pages(self._account.client, resource, options, path),
            bookmark=Bookmark(column, None) if column else None,
            since=(since or _FIRST_TIME) if column else None,
            reads_full_list=False,
            skip_deleted=True,
            filters=filters,
        )

    def _ids_of_name(self, resource: WritableResource, name: str) -> list[int]:
        """Return the ids of the rows whose names contain all words. Raises: UserError for no row, and for too many."""
        columns = resource.write_spec.require_any_of

        def record_of(row: Row) -> Record:
            return self._account.record(resource, row)

        filters = with_text(Filters(), name, record_of, columns)
        reader = self._reader(resource, resource.path, filters, None)
        read = OpenRead(resource.name, reader, filters, lambda row: {"id": int(row["id"])}, order="")
        result = OpenReads().start(read, _MAX_NAMED_ROWS)
        if result["rows"] and not result["cursor"]:
            return [row["id"] for row in result["rows"]]
        what = "too many rows" if result["cursor"] else "no row"
        raise UserError(
            f"The name means {what} of {resource.name}.",
            where=f"filters.{resource.name[:-1]}",
            hint=f"find the id with `search_rows`, and filter by {resource.name[:-1]}_id",
        )

    def _get(self, arguments: Mapping[str, Any]) -> Record:
        resource, row_id = BY_NAME[arguments["stream"]], int(arguments["id"])
        self._check_fields(resource, arguments.get("fields"))
        _, parent_ids = self._path(resource, arguments)
        row = find_row(self._account.client, resource, {**parent_ids, "id": row_id})
        if row is None:
            raise RowNotFound(
                f"FieldPulse has no row {row_id} in {resource.name}, or it was deleted.",
                where=f"tool get_row · stream {resource.name}",
                hint="find the id with `search_rows` or `list_rows`; it is not the number `cuid`",
            )
        missing = {name: value for name, value in parent_ids.items() if not row.get(name)}
        record = without_empty(self._account.record(resource, {**row, **missing}))
        wanted = arguments.get("fields")
        record, cuts = fitted({name: record.get(name) for name in wanted} if wanted else record)
        result: Record = {"stream": resource.name, "row": record}
        if is_marked_deleted(row, self._account.options.zone):
            result["notes"] = ["This row is deleted in FieldPulse."]
        return result | ({"cut_fields": {"id": row_id, **cuts}} if cuts else {})

    def _path(self, resource: Resource, arguments: Mapping[str, Any]) -> tuple[str, dict[str, int]]:
        """Return the path of a list, and the ids in it. Raises: UserError if the parent's is missing."""
        if not resource.parent:
            return resource.path, {}
        if "parent_id" not in arguments:
            raise UserError(
                f"{resource.name} are one list for each row of {resource.parent}.",
                where=f"stream {resource.name}",
                hint=f"give the id of the row of {resource.parent} as parent_id",
            )
        parent_ids = {name: int(arguments["parent_id"]) for name in resource.parent_keys}
        return resource.path.format(**parent_ids), parent_ids

    def _check_fields(self, resource: Resource, fields: list[str] | None) -> None:
        """Raise UserError for a field that no record of the stream has."""
        if not fields:
            return
        properties = self._account.builder(resource).schema["properties"]
        known = [name for name in properties if not is_secret_name(name)]
        for name in fields:
            if name not in known:
                names = ", ".join(known)
                raise UserError(
                    f"{resource.name} have no field {name!r}. Fields: {names}.",
                    where="fields",
                    hint="`describe` explains them",
                )


def _selected(record: Record, fields: list[str] | None) -> Record:
    """Return what a list shows of a record: the fields that were asked for, or those that are not nested.

    The names of nested fields that are left out stay, so that a model knows of them.
    """
    if fields:
        return {name: record.get(name) for name in dict.fromkeys(["id", *fields])}
    filled = without_empty(record)
    nested = [
        name for name, value in filled.items() if isinstance(value, (dict, list)) and name != CUSTOM_FIELDS_PROPERTY
    ]
    flat = {name: value for name, value in filled.items() if name not in nested}
    return flat | ({"nested_fields_left_out": nested} if nested else {})
