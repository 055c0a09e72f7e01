"""Behaviour profiles: what the documents say, what the live API did, and the worst that can still be read."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from .switches import Behaviour

LIVE = "live-2026"
PROFILES: dict[str, Behaviour] = {
    "documented": Behaviour(
        always_count=(),
        omit_null_count=True,
        lists_with_limit_50=("company_profiles", "material_lists"),
        lists_above_max_limit=(),
        max_response_bytes=0,
        user_columns="few",
        pipeline_label="name",
        default_order="id",
        bad_key_status=401,
        unknown_route_status=404,
        missing_row_error="documented",
        create_status=200,
        accepted_object_types="short",
        accepted_times="unix",
        asn_form="flat",
        required_on_put=("jobs",),
        created_with_200=(),
        payment_effects=False,
        status_moves_documents=False,
    ),
    LIVE: Behaviour(),
    "hostile": Behaviour(
        count_key=None,
        extra_envelope_keys=True,
        wrap_version=True,
        honour_limit=False,
        lists_with_limit_50=(),
        past_the_end="last",
        honour_sort=False,
        honour_filter=False,
        time_zone="America/Chicago",
        time_format="offset",
        numbers_as_text=True,
        money_as_numbers=True,
        null_as_empty_text=True,
        omit_null_columns=True,
        missing_columns=("customers.notes", "jobs.subtitle", "invoices.title", "items.sku"),
        unknown_columns=True,
        unknown_codes=True,
        tag_elements="objects",
        deleted_row_by_id="error_in_200",
        bad_key_status=401,
        unknown_route_status=404,
        missing_row_error="documented",
        validation_status="422",
        create_status=202,
        delete_returns="null",
        put_empty_clears=False,
        required_on_put=("customers", "jobs"),
        custom_values_by_id=True,
        date_header=False,
    ),
}
ABOUT = {
    "documented": "what the vendor's documentation says",
    LIVE: "what the live API did, by the strongest evidence; the default",
    "hostile": "the worst behaviour that still leaves the account readable",
}


def profile_of(name: str = LIVE, **switches: Any) -> Behaviour:
    """Return a copy of a profile with some switches changed.

    Raises: KeyError for an unknown profile.
    """
    return replace(PROFILES[name], **switches)
