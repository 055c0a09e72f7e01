"""What the live API may do otherwise: one switch for each open question and each default of the contract.

The defaults are the strongest live evidence (contract 8). The texts here are those of `--help` and of the README.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal


def switch(
    default: object,
    about: str,
    *,
    least: float | None = None,
    most: float | None = None,
    of: Literal["resources", "lists", "fields", "columns", "zone"] | None = None,
) -> Any:
    """Return a field of a dataclass with the line that says what it does, the bounds of it, and what its names are of.

    Lists are resources, or `*` for all; fields are `resource.column`, columns those of any resource.
    """
    return field(default=default, metadata={"about": about, "least": least, "most": most, "of": of})


@dataclass
class Behaviour:
    """The switches. Tests may turn one while the sandbox runs; it holds from the next request on.

    Resources are named as in the catalogue, columns of rows as `resource.column`.
    """

    # the envelope
    count_key: Literal["total_count", "total_results"] | None = switch(
        "total_count", "the key of a list's count; none: no answer has one"
    )
    always_count: tuple[str, ...] = switch(
        ("customers", "jobs"), "lists that are counted without being asked; `*` is all", of="lists"
    )
    count_on_request: bool = switch(default=True, about="`calculate_count` does what is documented")
    omit_null_count: bool = switch(default=False, about="a count that is not given is left out, not null")
    extra_envelope_keys: bool = switch(default=False, about="envelopes have more keys than are documented")
    wrap_version: bool = switch(default=False, about="`/version` answers in the envelope too")

    # pages and orders
    honour_page: bool = switch(
        default=True, about="`page` works on the lists that do not document it; the others always have it"
    )
    honour_limit: bool = switch(default=True, about="`limit` works; if not, every page has the default size")
    default_limit: int = switch(20, "rows on a page where no limit is sent", least=1)
    lists_with_limit_50: tuple[str, ...] = switch(
        ("customers", "company_profiles", "material_lists"), "lists whose default is 50 instead", of="resources"
    )
    max_limit: int = switch(100, "the largest limit that is honoured", least=1)
    above_max_limit: Literal["clamp", "refuse", "default", "honour"] = switch(
        "clamp", "what a limit above the cap does: the cap counts, a failed validation, the default counts, it counts"
    )
    past_the_end: Literal["empty", "last", "first", "null"] = switch(
        "empty", "a page behind the last one: no rows, the last page again, the first one again, a null response"
    )
    honour_sort: Literal[True, False, "sort_by", "brackets"] = switch(
        default=True, about="sorts work; or only `sort_by` does, or only `sort[…]`"
    )
    sort_by_undocumented: bool = switch(
        default=False, about="`sort_by` also takes columns that are not documented for the list"
    )
    unsortable_columns: tuple[str, ...] = switch((), "columns on which a sort does nothing", of="columns")
    default_order: Literal["mixed", "id", "newest"] = switch(
        "mixed", "the order where no sort works: each list its own, by id, newest id first"
    )
    shuffle_unsorted: bool = switch(
        default=False, about="where no sort works, rows slide between one page and the next"
    )

    # filters
    honour_filter: bool = switch(default=True, about="filters work: brackets, the documented flat ones, `asn`")
    filters_match_nothing: bool = switch(default=False, about="a filter takes away the very rows that fit it")
    unfilterable_columns: tuple[str, ...] = switch((), "columns on which a bracket filter does nothing", of="columns")
    failing_filter_columns: tuple[str, ...] = switch(
        (), "columns on which a bracket filter ends in status 500", of="columns"
    )

    # rows
    time_zone: str = switch("UTC", "the zone of times without one, read and written, in IANA's name", of="zone")
    time_format: Literal["bare", "iso_z", "offset"] = switch(
        "bare", "2026-05-01 12:00:00, 2026-05-01T12:00:00.000000Z, or 2026-05-01T12:00:00+00:00"
    )
    numbers_as_text: bool = switch(default=False, about="ids and whole numbers are text")
    money_as_numbers: bool = switch(default=False, about="amounts, prices and quantities are numbers, not text")
    null_as_empty_text: bool = switch(
        default=False, about="unset columns hold '' instead of null, save those of objects"
    )
    omit_null_columns: bool = switch(default=False, about="columns that hold null are not there")
    missing_columns: tuple[str, ...] = switch((), "columns that rows lack: `customers.notes`", of="fields")
    unknown_columns: bool = switch(default=False, about="rows have columns that no catalogue knows, objects among them")
    unknown_codes: bool = switch(default=False, about="some statuses of invoices and payments are undocumented numbers")
    tag_elements: Literal["ids", "objects"] = switch("ids", "what the elements of `tags` are")
    list_deleted_rows: bool = switch(default=False, about="lists still show deleted rows, with their `deleted_at`")
    deleted_row_by_id: Literal["404", "row", "error_in_200"] = switch(
        "404", "a deleted row by id: missing, the row with its `deleted_at`, or an error with status 200"
    )

    # refusals
    bad_key_status: Literal[401, 403] = switch(403, "the status of a wrong key")
    unknown_route_status: Literal[403, 404] = switch(403, "the status of a path or method that there is not")
    unavailable_resources: tuple[str, ...] = switch(
        (), "resources that are not there, as if the account's plan lacked them", of="resources"
    )
    missing_row_error: Literal["backend", "documented"] = switch("backend", "whose words say that a row is not there")
    validation_status: Literal["400", "422", "200"] = switch(
        "400", "the status of a failed validation, each with its shape"
    )

    # writes
    create_status: Literal[200, 201, 202] = switch(201, "the status of a create")
    create_returns_row: bool = switch(default=True, about="a create answers the row; if not, null")
    delete_returns: Literal["row", "null", "true"] = switch("row", "the response to a delete")
    put_null: Literal["ignore", "clear", "empty"] = switch(
        "ignore", "a null in a PUT: no change, clears; or no change, but '' surely clears a text"
    )
    put_empty_clears: bool = switch(default=True, about="'' in a PUT clears a column of text; in others it is a null")
    accepted_object_types: Literal["any", "short", "class"] = switch("any", "names of object types that a write takes")
    accepted_times: Literal["any", "unix", "text"] = switch("any", "forms of times that a write takes")
    required_on_create: tuple[str, ...] = switch(
        (), "fields without which nothing is created: `invoices.title`", of="fields"
    )
    names_required_on_put: tuple[str, ...] = switch(
        (), "resources whose PUTs need one of the names that a create needs one of: `customers`", of="resources"
    )
    custom_values_by_id: bool = switch(
        default=False, about="a custom value written without its row's id is one more, and replaces none"
    )

    # webhooks
    webhook_values: Literal["live", "documented"] = switch(
        "live", "statuses and logs of webhooks as numbers, or as text as in the documents' examples"
    )
    webhook_signature: bool = switch(default=False, about="webhooks are signed in `X-Encrypted-Data`")
    webhook_duplicates: bool = switch(default=False, about="each webhook comes twice")

    # the clock
    date_header: bool = switch(default=True, about="answers have a `Date`")
    date_skew_seconds: float = switch(0.0, "how far `Date` is ahead of the clock that stamps rows, in seconds")
