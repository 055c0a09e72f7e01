"""Whole behaviours with a name: what the documents say, what was seen, and the worst that can still be read."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from .switches import Behaviour

LIVE = "live-2026"
PROFILES: dict[str, Behaviour] = {
    "documented": Behaviour(
        always_count=(),
        count_left_out=True,
        lists_of_fifty=("company_profiles", "material_lists"),
        default_order="id",
        bad_key_status=401,
        unknown_route_status=404,
        missing="documented",
        create_status=200,
        object_types="short",
        write_times="unix",
    ),
    LIVE: Behaviour(),
    "hostile": Behaviour(
        count_key=None,
        envelope_extra=True,
        version_wrapped=True,
        honour_limit=False,
        lists_of_fifty=(),
        past_the_end="last",
        honour_sort=False,
        honour_filter=False,
        times_zone="America/Chicago",
        time_form="offset",
        text_for_numbers=True,
        numbers_for_money=True,
        empty_for_null=True,
        null_columns_left_out=True,
        missing_columns=("customers.notes", "jobs.subtitle", "invoices.title", "items.sku"),
        unknown_columns=True,
        unknown_codes=True,
        tags="objects",
        deleted_by_id="error200",
        bad_key_status=401,
        unknown_route_status=404,
        missing="documented",
        validation="422",
        create_status=202,
        delete_answers="null",
        put_empty=False,
        repeat_any_of=("customers",),
        customfields_by_id=True,
        date_header=False,
    ),
}
ABOUT = {
    "documented": "what the vendor's documents say",
    LIVE: "the strongest live evidence; the default",
    "hostile": "the worst answers at once that still leave an account readable",
}


def profile_of(name: str = LIVE, **switches: Any) -> Behaviour:
    """Return a behaviour of one's own: a named one, with these switches over it.

    Raises: KeyError for a name that there is not.
    """
    return replace(PROFILES[name], **switches)
