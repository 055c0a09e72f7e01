"""The accounts of the matrix: the sandbox's profiles, and each of its switches turned alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any, Literal, get_args, get_origin, get_type_hints

from fieldpulse_sandbox.behaviour.profiles import PROFILES
from fieldpulse_sandbox.behaviour.switches import Behaviour

_OTHERS: dict[str, tuple[Any, ...]] = {
    "always_count": ((), ("customers", "jobs", "customer_contacts", "payments")),
    "page_cap": (4,),
    "default_limit": (3,),
    "lists_of_fifty": ((),),
    "unsorted_columns": (("id",), ("updated_at",)),
    "unfiltered_columns": (("status",),),
    "failing_columns": (("status",),),
    "times_zone": ("America/Chicago",),
    "missing_columns": (("customers.notes", "jobs.notes", "payments.amount", "jobs.customer_id"),),
    "unavailable": (("custom_fields", "teams"),),
    "also_required": (("jobs.notes",),),
    "repeat_any_of": (("customers",),),
    "skew_seconds": (7200.0, -7200.0),
}
_SWITCH = "switch:"
_KINDS = get_type_hints(Behaviour)


def behaviour_of(profile: str) -> Behaviour:
    """Return a behaviour of its own: that of a profile, or the default with one switch turned."""
    if not profile.startswith(_SWITCH):
        return replace(PROFILES[profile])
    name, _, shown = profile.removeprefix(_SWITCH).partition("=")
    return replace(Behaviour(), **{name: next(one for one in _others(name) if _shown(one) == shown)})


def hidden_by(behaviour: Behaviour) -> frozenset[str]:
    """Return the columns, `stream.column`, that the account holds and its lists do not show, or show as others."""
    result: tuple[str, ...] = ("invoices.status", "payments.status") if behaviour.unknown_codes else ()
    result += ("customers.tags", "jobs.tags") if behaviour.tags != "ids" else ()
    return frozenset((*behaviour.missing_columns, *result))


def switches() -> list[str]:
    """Return each switch at each value that is not its default, as profiles of their own; webhooks go elsewhere."""
    names = [one.name for one in fields(Behaviour) if not one.name.startswith("webhook")]
    return [f"{_SWITCH}{name}={_shown(one)}" for name in names for one in _others(name)]


def _others(name: str) -> Iterator[Any]:
    default = getattr(Behaviour(), name)
    values = _OTHERS.get(name) or _allowed(_KINDS[name])
    return (one for one in values if (type(one), one) != (type(default), default))


def _allowed(kind: Any) -> tuple[Any, ...]:
    """Return the values of a type that has few."""
    if kind is bool:
        return (True, False)
    if kind is type(None):
        return (None,)
    if get_origin(kind) is Literal:
        return get_args(kind)
    return tuple(one for part in get_args(kind) for one in _allowed(part))


def _shown(value: Any) -> str:
    return "+".join(value) or "none" if isinstance(value, tuple) else str(value)


def can_prove(behaviour: Behaviour) -> bool:
    """Say whether this account shows where each of its lists ends, and keeps an order or counts."""
    shows_end = behaviour.past_the_end in ("empty", "null")
    return (behaviour.count_key is not None or shows_end) and not behaviour.shuffle_unsorted
