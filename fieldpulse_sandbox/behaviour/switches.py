"""Behaviour switches: one for each open question about the API.

The defaults follow the strongest evidence from the live API (API facts 8). The descriptions are printed by `--help`
and in the documentation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta

RESOURCES = Meta(extra={"names": "resource"})
LISTS = Meta(extra={"names": "list"})
"""Names of resources, or `*` for every list."""
COLUMNS = Meta(extra={"names": "column"})
"""Columns of any resource."""
RESOURCE_COLUMNS = Meta(extra={"names": "resource.column"})
TIME_ZONE = Meta(extra={"names": "time zone"})
YEAR_SECONDS = 31_536_000


@dataclass
class Behaviour:
    """The switches. A test may change one while the sandbox runs; the next request sees it."""

    # the envelope
    count_key: Annotated[
        Literal["total_count", "total_results"] | None,
        Meta(description="key of the row count in a list response; `none`: no response has a count"),
    ] = "total_count"
    always_count: Annotated[
        tuple[str, ...], LISTS, Meta(description="lists whose responses always have the count; `*`: every list")
    ] = ("customers", "jobs")
    count_on_request: Annotated[bool, Meta(description="`calculate_count` works as documented")] = True
    omit_null_count: Annotated[bool, Meta(description="a count that was not requested is omitted, not null")] = False
    extra_envelope_keys: Annotated[bool, Meta(description="envelopes have more keys than documented")] = False
    count_headers: Annotated[
        bool, Meta(description="responses of lists have `FieldPulse-*` headers with page numbers and the count")
    ] = False
    wrap_version: Annotated[bool, Meta(description="the response of `/version` has an envelope, too")] = False

    # pages and orders
    honour_page: Annotated[
        bool, Meta(description="`page` works on lists that do not document it; on the others it always works")
    ] = True
    honour_limit: Annotated[bool, Meta(description="`limit` works; otherwise every page has the default size")] = True
    default_limit: Annotated[int, Meta(ge=1, description="rows per page without `limit`")] = 20
    lists_with_limit_50: Annotated[
        tuple[str, ...], RESOURCES, Meta(description="lists that have 50 rows per page without `limit`")
    ] = ("customers", "company_profiles", "material_lists")
    max_limit: Annotated[int, Meta(ge=1, description="the largest `limit`")] = 100
    above_max_limit: Annotated[
        Literal["clamp", "refuse", "default", "honour"],
        Meta(
            description="what a larger `limit` does. `clamp`: it counts as the largest; `refuse`: validation error;"
            " `default`: it counts as the default; `honour`: it works"
        ),
    ] = "clamp"
    lists_above_max_limit: Annotated[
        tuple[str, ...], RESOURCES, Meta(description="lists on which a larger `limit` works in any case")
    ] = ("users",)
    max_response_bytes: Annotated[
        int, Meta(ge=0, description="size above which a response fails with status 500; 0: no limit")
    ] = 10_485_760
    past_the_end: Annotated[
        Literal["empty", "last", "first", "null"],
        Meta(
            description="response for a page past the end. `empty`: no rows; `last`, `first`: that page again;"
            " `null`: null instead of a list"
        ),
    ] = "empty"
    honour_sort: Annotated[
        bool | Literal["sort_by", "brackets"],
        Meta(description="sorting works; `sort_by`, `brackets`: only this form of parameters works"),
    ] = True
    sort_by_undocumented: Annotated[
        bool, Meta(description="`sort_by` accepts columns that are not documented for the list")
    ] = False
    unsortable_columns: Annotated[
        tuple[str, ...], COLUMNS, Meta(description="columns for which sort parameters are ignored")
    ] = ()
    default_order: Annotated[
        Literal["mixed", "id", "newest"],
        Meta(
            description="order without a sort. `mixed`: differs between lists; `id`: ascending ids;"
            " `newest`: descending ids"
        ),
    ] = "mixed"
    shuffle_unsorted: Annotated[bool, Meta(description="without a sort, rows move between pages")] = False

    # filters
    honour_filter: Annotated[bool, Meta(description="filters work: bracket filters, documented parameters, `asn`")] = (
        True
    )
    asn_form: Annotated[
        Literal["indexed", "flat"],
        Meta(description="form of `asn` that works. `indexed`: `asn[0][team_id]`; `flat`: `asn[team_id]`"),
    ] = "indexed"
    honour_deleted: Annotated[bool, Meta(description="`deleted=true` lists and reads deleted rows, and only these")] = (
        False
    )
    filters_match_nothing: Annotated[bool, Meta(description="a list with a filter is empty")] = False
    unfilterable_columns: Annotated[
        tuple[str, ...], COLUMNS, Meta(description="columns for which bracket filters are ignored")
    ] = ()
    failing_filter_columns: Annotated[
        tuple[str, ...], COLUMNS, Meta(description="columns for which bracket filters cause status 500")
    ] = ()

    # rows
    time_zone: Annotated[
        str, TIME_ZONE, Meta(description="IANA name of the zone of times that name none, read and written")
    ] = "UTC"
    time_format: Annotated[
        Literal["bare", "iso_z", "offset"],
        Meta(
            description="format of times. `bare`: 2026-05-01 12:00:00; `iso_z`: 2026-05-01T12:00:00.000000Z;"
            " `offset`: 2026-05-01T12:00:00+00:00"
        ),
    ] = "bare"
    numbers_as_text: Annotated[bool, Meta(description="ids and integers are text")] = False
    money_as_numbers: Annotated[bool, Meta(description="amounts, prices and quantities are numbers, not text")] = False
    null_as_empty_text: Annotated[
        bool, Meta(description="unset columns hold `''` instead of null, except for columns of objects")
    ] = False
    omit_null_columns: Annotated[bool, Meta(description="columns that hold null are omitted")] = False
    missing_columns: Annotated[
        tuple[str, ...], RESOURCE_COLUMNS, Meta(description="columns that rows lack, such as `customers.notes`")
    ] = ()
    user_columns: Annotated[
        Literal["all", "few"],
        Meta(description="columns of users. `all`: the 169 of a live account; `few`: those that were known before"),
    ] = "all"
    pipeline_label: Annotated[
        Literal["status", "name"],
        Meta(description="column with the label of a pipeline status; with `status` come a type, with `name` an order"),
    ] = "status"
    unknown_columns: Annotated[
        bool, Meta(description="rows have columns that the catalogue does not know, some of them objects")
    ] = False
    unknown_codes: Annotated[
        bool, Meta(description="some statuses of invoices and payments are undocumented numbers")
    ] = False
    tag_elements: Annotated[Literal["ids", "objects"], Meta(description="what the column `tags` holds")] = "ids"
    list_deleted_rows: Annotated[bool, Meta(description="lists contain deleted rows, with `deleted_at`")] = False
    deleted_row_by_id: Annotated[
        Literal["404", "row", "error_in_200"],
        Meta(
            description="response for a deleted row by id. `404`: not found; `row`: the row with `deleted_at`;"
            " `error_in_200`: an error with status 200"
        ),
    ] = "404"

    # errors
    bad_key_status: Annotated[Literal[401, 403], Meta(description="status for a wrong API key")] = 403
    unknown_route_status: Annotated[Literal[403, 404], Meta(description="status for an unknown path or method")] = 403
    unavailable_resources: Annotated[
        tuple[str, ...], RESOURCES, Meta(description="resources without routes, as if the account's plan excluded them")
    ] = ()
    missing_row_error: Annotated[
        Literal["backend", "documented"],
        Meta(description="body for a row that does not exist: that of the backend, or the documented one"),
    ] = "backend"
    validation_status: Annotated[
        Literal["400", "422", "200"],
        Meta(description="status of a validation error; each has its own body"),
    ] = "400"

    # writes
    create_status: Annotated[Literal[200, 201, 202], Meta(description="status of a create")] = 201
    created_with_200: Annotated[
        tuple[str, ...], RESOURCES, Meta(description="resources whose creates have status 200")
    ] = ("projects",)
    create_returns_row: Annotated[bool, Meta(description="a create returns the row; otherwise null")] = True
    payment_effects: Annotated[
        bool,
        Meta(description="a payment sets the status of its invoice, and the create returns the invoice as well"),
    ] = True
    status_moves_documents: Annotated[
        bool, Meta(description="a PUT of `status` moves an estimate to the invoices, and back")
    ] = True
    delete_returns: Annotated[Literal["row", "null", "true"], Meta(description="what a delete returns")] = "row"
    put_null: Annotated[
        Literal["ignore", "clear", "empty"],
        Meta(
            description="null in a PUT. `ignore`: no change; `clear`: clears the column;"
            " `empty`: no change, but `''` clears a text column"
        ),
    ] = "ignore"
    put_empty_clears: Annotated[
        bool, Meta(description="`''` in a PUT clears a text column; for other columns it counts as null")
    ] = True
    accepted_object_types: Annotated[
        Literal["any", "short", "class"], Meta(description="names of object types that writes accept")
    ] = "any"
    accepted_times: Annotated[
        Literal["any", "unix", "text"], Meta(description="formats of times that writes accept")
    ] = "any"
    required_on_create: Annotated[
        tuple[str, ...], RESOURCE_COLUMNS, Meta(description="more required fields of creates, such as `invoices.title`")
    ] = ()
    ignored_fields: Annotated[
        tuple[str, ...], RESOURCE_COLUMNS, Meta(description="fields that writes accept without an effect")
    ] = ()
    required_on_put: Annotated[
        tuple[str, ...],
        RESOURCES,
        Meta(description="resources whose PUTs must repeat the fields that creates require, such as `jobs`"),
    ] = ()
    custom_values_by_id: Annotated[
        bool, Meta(description="a custom value without its id is added, and does not replace the existing value")
    ] = False

    # webhooks
    webhook_values: Annotated[
        Literal["live", "documented"],
        Meta(description="statuses and logs in webhooks. `live`: numbers; `documented`: text, as in the examples"),
    ] = "live"
    webhook_signature: Annotated[bool, Meta(description="webhooks are signed in `X-Encrypted-Data`")] = False
    webhook_duplicates: Annotated[bool, Meta(description="each webhook is sent twice")] = False

    # the clock
    date_header: Annotated[bool, Meta(description="responses have a `Date` header")] = True
    date_skew_seconds: Annotated[
        float,
        Meta(
            ge=-YEAR_SECONDS,
            le=YEAR_SECONDS,
            description="seconds by which `Date` is ahead of the clock that stamps rows",
        ),
    ] = 0.0
