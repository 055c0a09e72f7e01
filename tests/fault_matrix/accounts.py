"""The accounts of the matrix: the sandbox's profiles, and the default account with one switch changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any, Literal, get_args, get_origin, get_type_hints

from fieldpulse_api.resources.catalogue import BY_NAME
from fieldpulse_sandbox.behaviour.profiles import PROFILES
from fieldpulse_sandbox.behaviour.switches import Behaviour
from fieldpulse_sandbox.responses.row_format import PIPELINE_COLUMNS
from fieldpulse_sandbox.schema.table_shapes import FEW_USER_COLUMNS, SHAPES

_SAMPLE_VALUES: dict[str, tuple[Any, ...]] = {
    "always_count": ((), ("customers", "jobs", "customer_contacts", "payments")),
    "max_limit": (4,),
    "default_limit": (3,),
    "lists_with_limit_50": ((),),
    "unsortable_columns": (("id",), ("updated_at",)),
    "unfilterable_columns": (("status",),),
    "failing_filter_columns": (("status",),),
    "time_zone": ("America/Chicago",),
    "missing_columns": (("customers.notes", "jobs.notes", "payments.amount", "jobs.customer_id"),),
    "unavailable_resources": (("custom_fields", "teams"),),
    "ignored_fields": (("customers.notes",),),
    "required_on_create": (("jobs.notes",),),
    "required_on_put": (("customers",),),
    "date_skew_seconds": (7200.0, -7200.0),
}
_SWITCH = "switch:"
_TYPES = get_type_hints(Behaviour)


def behaviour_of(profile: str) -> Behaviour:
    """Return a copy of a profile's behaviour, or the default behaviour with one switch changed."""
    if not profile.startswith(_SWITCH):
        return replace(PROFILES[profile])
    name, _, text = profile.removeprefix(_SWITCH).partition("=")
    return replace(Behaviour(), **{name: next(value for value in _values_to_try(name) if _as_text(value) == text)})


def hidden_columns(behaviour: Behaviour) -> frozenset[str]:
    """Return the columns, as `stream.column`, that lists do not show, or show with other values.

    Of users only the columns of the catalogue are emitted.
    """
    result: tuple[str, ...] = ("invoices.status", "payments.status") if behaviour.unknown_codes else ()
    result += ("customers.tags", "jobs.tags") if behaviour.tag_elements != "ids" else ()
    users = set(SHAPES["users"]) - set(BY_NAME["users"].schema["properties"])
    users |= set(SHAPES["users"]) - FEW_USER_COLUMNS if behaviour.user_columns == "few" else set()
    other_label = "name" if behaviour.pipeline_label == "status" else "status"
    result += tuple(f"pipeline_statuses.{name}" for name in PIPELINE_COLUMNS[other_label])
    return frozenset((*behaviour.missing_columns, *result, *(f"users.{name}" for name in users)))


def switch_profiles() -> list[str]:
    """Return a profile for each switch and each of its values but the default. Webhooks are sent elsewhere."""
    names = [field.name for field in fields(Behaviour) if not field.name.startswith("webhook")]
    return [f"{_SWITCH}{name}={_as_text(value)}" for name in names for value in _values_to_try(name)]


def _values_to_try(name: str) -> Iterator[Any]:
    default = getattr(Behaviour(), name)
    values = _SAMPLE_VALUES.get(name) or _values_of_type(_TYPES[name])
    return (value for value in values if (type(value), value) != (type(default), default))


def _values_of_type(kind: Any) -> tuple[Any, ...]:
    """Return the values of a boolean, a literal, None, or a union of them."""
    if kind is bool:
        return (True, False)
    if kind is type(None):
        return (None,)
    if get_origin(kind) is Literal:
        return get_args(kind)
    return tuple(value for part in get_args(kind) for value in _values_of_type(part))


def _as_text(value: Any) -> str:
    return "+".join(value) or "none" if isinstance(value, tuple) else str(value)


def can_prove_completeness(behaviour: Behaviour) -> bool:
    """Return whether this account shows the end of each list, and has a stable order or a count."""
    shows_end = behaviour.past_the_end in ("empty", "null")
    return (behaviour.count_key is not None or shows_end) and not behaviour.shuffle_unsorted


def can_settle_creates(behaviour: Behaviour) -> bool:
    """Return whether this account's rows tell if a create arrived whose answer was lost.

    An absent row needs a proof that the list was read whole; a present one, the columns that tell it from others.
    """
    return can_prove_completeness(behaviour) and "jobs.customer_id" not in behaviour.missing_columns
