"""The switches and names that make the sandbox like an account, from the profile that `fieldpulse doctor` wrote of it.

The profile is read as JSON, not with the code of the doctor: the sandbox shares only the catalogue with what it tests.
A fact that is null in the profile, as unknown, leaves the switch of the profile `live-2026`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from fieldpulse_api.resources.catalogue import BY_NAME

Facts = Mapping[str, Any]
_TIME_FORMATS = {"Z": "iso_z", "offset": "offset", "bare": "bare"}
_ABOVE_MAX_LIMIT = {"honoured": "honour", "100": "clamp", "refused": "refuse", "fewer": "default"}
_PAST_THE_END = {"empty": "empty", "rows": "last"}
_KNOWN_EXTRAS = {"error", "total_count", "total_results"}


def switches_like(profile: Facts) -> dict[str, Any]:
    """Return the switches for an account profile, by name."""
    lists: Mapping[str, Facts] = {name: facts for name, facts in profile.get("lists", {}).items() if name in BY_NAME}
    switches = {**_of_account(profile), **_of_lists(lists), **_of_writes(profile.get("writes", {}))}
    return {name: value for name, value in switches.items() if value is not None}


def office_names_like(profile: Facts) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of a real account that the profile was told to keep, by resource; they have at least an id."""
    lists = profile.get("office_names", {})
    return {name: [row for row in rows if row.get("id")] for name, rows in lists.items() if name in BY_NAME}


def _of_account(profile: Facts) -> dict[str, Any]:
    extras = set(profile.get("envelope_extras", ()))
    users_over_limit = profile.get("users_over_limit")
    return {
        "extra_envelope_keys": bool(extras - _KNOWN_EXTRAS) if extras else None,
        "wrap_version": profile.get("version_is_wrapped"),
        "past_the_end": _PAST_THE_END.get(str(profile.get("past_last_page"))),
        "above_max_limit": _ABOVE_MAX_LIMIT.get(str(profile.get("over_limit"))),
        "lists_above_max_limit": None if users_over_limit is None else ("users",) * (users_over_limit == "honoured"),
        "count_headers": profile.get("has_count_headers"),
        "honour_deleted": profile.get("lists_deleted_rows"),
        "asn_form": {"indexed": "indexed", "flat": "flat"}.get(str(profile.get("asn_form"))),
    }


def _of_lists(lists: Mapping[str, Facts]) -> dict[str, Any]:
    keys = Counter(facts["count_key"] for facts in lists.values() if facts.get("count_key"))
    counts = {name: facts.get("counts_rows") for name, facts in lists.items() if BY_NAME[name].supports_count}
    switches: dict[str, Any] = {
        "always_count": tuple(name for name, facts in lists.items() if facts.get("counts_rows") == "always"),
        "honour_limit": _agreed(facts.get("obeys_limit") for facts in lists.values()),
        "honour_page": _agreed(f.get("obeys_page") for name, f in lists.items() if not BY_NAME[name].supports_page),
        "unavailable_resources": tuple(name for name, facts in lists.items() if facts.get("is_available") is False),
        "missing_columns": tuple(_missing_columns(lists)),
        "unknown_columns": any(facts.get("unknown_fields") for name, facts in lists.items() if _is_open(name)),
        "time_format": _time_format(lists),
        **_sorts(lists),
        **_filters(lists),
    }
    if keys:
        switches["count_key"] = keys.most_common(1)[0][0]
        switches["count_on_request"] = "never" not in counts.values()
    return switches


def _of_writes(facts: Facts) -> dict[str, Any]:
    null_clears, empty_clears = facts.get("null_clears"), facts.get("empty_clears")
    status = facts.get("create_status")
    return {
        "create_status": status if status in (200, 201, 202) else None,
        "create_returns_row": facts.get("create_returns_row"),
        "validation_status": str(facts["validation_status"]) if facts.get("validation_status") else None,
        "put_null": {True: "clear", False: "ignore"}.get(null_clears) if null_clears is not None else None,
        "put_empty_clears": empty_clears,
        "required_on_put": ("customers",) if facts.get("put_requires_names") else None,
        "accepted_times": _accepted(facts, "unix", "accepts_unix_times", "text", "accepts_text_times"),
        "accepted_object_types": _accepted(
            facts, "short", "accepts_short_object_type", "class", "accepts_class_object_type"
        ),
        "deleted_row_by_id": "row" if facts.get("get_deleted_status") == 200 else None,  # noqa: PLR2004  HTTP OK
    }


def _agreed(values: Iterator[bool | None]) -> bool | None:
    """Return False if any list showed it, True if the others did, None if none showed anything."""
    results = [value for value in values if value is not None]
    return all(results) if results else None


def _accepted(facts: Facts, first: str, first_fact: str, second: str, second_fact: str) -> str | None:
    accepts = (facts.get(first_fact), facts.get(second_fact))
    return {(True, True): "any", (True, False): first, (False, True): second}.get(accepts)  # type: ignore[arg-type]


def _is_open(name: str) -> bool:
    return BY_NAME[name].schema.get("additionalProperties") is not False


def _missing_columns(lists: Mapping[str, Facts]) -> Iterator[str]:
    """Yield columns that rows lack; those of open lists only, and never the id."""
    for name, facts in lists.items():
        if _is_open(name):
            missing = set(facts.get("missing_fields", ())) & set(BY_NAME[name].schema["properties"])
            yield from (f"{name}.{column}" for column in sorted(missing - {"id"}))


def _time_format(lists: Mapping[str, Facts]) -> str | None:
    formats = Counter(form for facts in lists.values() for form in facts.get("time_formats", ()))
    known = [form for form, _ in formats.most_common() if form in _TIME_FORMATS]
    return _TIME_FORMATS[known[0]] if known else None


def _sorts(lists: Mapping[str, Facts]) -> dict[str, Any]:
    """Return which form of sorting works: `sort_by` is documented for some lists, brackets for the others."""
    by_form: dict[str, list[bool]] = {"sort_by": [], "brackets": []}
    for name, facts in lists.items():
        for column, sorts in facts.get("sorts_by", {}).items():
            form = "sort_by" if "sort_by" in BY_NAME[name].sort_params(column, "asc") else "brackets"
            by_form[form].append(sorts)
    works = {form for form, results in by_form.items() if results and all(results)}
    if not any(by_form.values()):
        return {}
    return {"honour_sort": True if len(works) == len(by_form) else works.pop() if works else False}


def _filters(lists: Mapping[str, Facts]) -> dict[str, Any]:
    obeyed = _agreed(facts.get("obeys_filter") for facts in lists.values())
    return {"unfilterable_columns": ("updated_at",)} if obeyed is False else {}
