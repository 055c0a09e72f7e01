"""Whether the body of a write is acceptable, and its values in the form that rows have.

Where the catalogue has a `Write`, its fields, limits and required names rule; elsewhere everything that is a
column is accepted, because the vendor's rules are unknown (contract 7, question 22).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from fieldpulse_api.resource import Field, Kind, Resource

from .moments import bare_from
from .seed.shapes import SHAPES

if TYPE_CHECKING:
    from collections.abc import Callable

    from .store import Store

Problem = tuple[str, str]
Body = dict[str, Any]
PROTECTED = frozenset(
    [
        "id",
        "company_id",
        "cuid",
        "author_id",
        "created_at",
        "updated_at",
        "deleted_at",
        "mongo_id",
        "customer",
        "payments",
        "main_location",
        "custom_status",
    ]
)
MAIL = re.compile(r"[^@\s]+@[^@\sA-Z]+\.[^@\sA-Z]+")
"""The domain must be in lower case (the vendor's skill file)."""
REFERENCES = {
    "customer_id": "customers",
    "invoice_id": "invoices",
    "job_id": "jobs",
    "project_id": "projects",
    "user_id": "users",
    "assigned_to": "users",
    "pipeline_status_id": "pipeline_statuses",
    "lead_source_id": "lead_sources",
}
"""Columns that must name a live row."""
PHONE_DIGITS = 7
TIME_ENDINGS = ("_time", "_at", "_date")


class Refused(Exception):  # named for what happened
    """The body failed its validation; `problems` are (field, text) pairs."""

    def __init__(self, problems: list[Problem]) -> None:
        """Keep every problem: the API reports all of them at once."""
        super().__init__(problems)
        self.problems = problems


def validated(store: Store, resource: Resource, body: Body, *, creating: bool) -> Body:
    """Return the values that the row takes over from a body.

    Raises: Refused.
    """
    problems = _absent(resource, body, creating=creating)
    values: Body = {}
    for name, field in _fields(resource).items():
        if name not in body:
            continue
        try:
            values[name] = _value(field, body[name])
        except ValueError as why:
            problems.append((name, str(why)))
    problems += _unlisted(resource, values)
    broken = {name for name, _ in problems}
    problems += _dangling(store, {name: value for name, value in values.items() if name not in broken})
    if creating and resource.name == "customers" and not problems:
        problems += _taken(store, values)
    if problems:
        raise Refused(problems)
    return values


def _fields(resource: Resource) -> dict[str, Field]:
    """Return what a body of this resource may contain."""
    if resource.write and not resource.write.into:
        return resource.write.by_name
    names = [name for name in SHAPES[resource.name] if name not in PROTECTED]
    return {name: Field(name, _guess(name)) for name in names}


def _guess(name: str) -> Kind:
    return Kind.TIME if name.endswith(TIME_ENDINGS) and name != "install_date" else Kind.JSON


def _absent(resource: Resource, body: Body, *, creating: bool) -> list[Problem]:
    """Return what is required and not there; jobs repeat this on every PUT."""
    if not resource.write:
        return []
    rules = resource.write
    missing = [name for name in rules.required if _is_blank(body.get(name))]
    problems = [(name, f"The {_spoken(name)} field is required.") for name in missing]
    if creating and rules.any_of and all(_is_blank(body.get(name)) for name in rules.any_of):
        first, *others = rules.any_of
        listed = " / ".join(_spoken(name) for name in others)
        problems.append((first, f"The {_spoken(first)} field is required when none of {listed} are present."))
    return problems


def _is_blank(value: object) -> bool:
    return value is None or value == ""


def _spoken(name: str) -> str:
    return name.replace("_", " ")


def _value(field: Field, given: Any) -> Any:
    """Return a value as the row stores it.

    Raises: ValueError with the text that the API answers.
    """
    if given is None or (given == "" and field.kind not in (Kind.TEXT, Kind.EMAIL, Kind.JSON)):
        return None
    value = CONVERSIONS[field.kind](_spoken(field.name), given)
    if field.limit and isinstance(value, str) and len(value) > field.limit:
        msg = f"The {_spoken(field.name)} may not be greater than {field.limit} characters."
        raise ValueError(msg)
    if field.allowed and value != "" and value not in field.allowed:
        raise _selected(field.name)
    return value


def _selected(name: str) -> ValueError:
    return ValueError(f"The selected {_spoken(name)} is invalid.")


def _text(name: str, given: Any) -> str:
    if isinstance(given, bool | list | dict):
        msg = f"The {name} must be a string."
        raise ValueError(msg)  # noqa: TRY004  # every refusal of a value is one kind of error
    text = str(given)
    if name.endswith("phone") and text and sum(letter.isdigit() for letter in text) < PHONE_DIGITS:
        msg = f"The {name} must be a valid phone number."
        raise ValueError(msg)
    return text


def _mail(name: str, given: Any) -> str:
    if given != "" and not (isinstance(given, str) and MAIL.fullmatch(given)):
        msg = f"The {name} must be a valid email address."
        raise ValueError(msg)
    return str(given)


def _integer(name: str, given: Any) -> int:
    try:
        if isinstance(given, int | str) and not isinstance(given, bool):
            return int(given)
    except ValueError:
        pass
    msg = f"The {name} must be an integer."
    raise ValueError(msg)


def _boolean(name: str, given: Any) -> bool:
    if given in (True, False, "0", "1"):
        return given in (True, "1")
    msg = f"The {name} field must be true or false."
    raise ValueError(msg)


def _time(name: str, given: Any) -> str:
    moment = bare_from(given)
    if moment is None:
        msg = f"The {name} is not a valid date."
        raise ValueError(msg)
    return moment


CONVERSIONS: dict[Kind, Callable[[str, Any], Any]] = {
    Kind.TEXT: _text,
    Kind.EMAIL: _mail,
    Kind.INTEGER: _integer,
    Kind.BOOLEAN: _boolean,
    Kind.TIME: _time,
    Kind.JSON: lambda _, given: given,
}


def _unlisted(resource: Resource, values: Body) -> list[Problem]:
    """Return what should be a list and is none, and the places inside a body that do not say whose they are."""
    names = [name for name, value in SHAPES[resource.name].items() if value == []]
    names += ["locations"] if "locations" in values else []
    for name in names:
        if values.get(name) == "":
            values[name] = None
    found = [name for name in names if not isinstance(values.get(name) or [], list)]
    problems = [(name, f"The {_spoken(name)} must be an array.") for name in found]
    if "locations" in values and "locations" not in found:
        for number, place in enumerate(values["locations"] or ()):
            if not (isinstance(place, dict) and place.get("object_type")):
                path = f"locations.{number}.object_type"
                problems.append((path, f"The {path} field is required."))
    return problems


def _dangling(store: Store, values: Body) -> list[Problem]:
    """Return the references to rows that are not there."""
    found = [
        (name, str(_selected(name)))
        for name, target in REFERENCES.items()
        if values.get(name) is not None and store.find(target, values[name]) is None
    ]
    for name, target, key in (("tags", "tags", None), ("customfields", "custom_fields", "field_instance_id")):
        for number, element in enumerate(values.get(name) or ()):
            wanted = element if key is None else element.get(key) if isinstance(element, dict) else None
            if store.find(target, wanted) is None:
                path = f"{name}.{number}" + (f".{key}" if key else "")
                found.append((path, f"The selected {path} is invalid."))
    return found


def _taken(store: Store, values: Body) -> list[Problem]:
    """Return the complaint about a display name that two nameless customers would share (D)."""
    name = values.get("display_name")
    if not name or values.get("first_name") or values.get("last_name"):
        return []
    rows = store.tables["customers"].having("display_name", name)
    if any(not (row["first_name"] or row["last_name"]) for row in rows):
        return [("display_name", "The display name has already been taken.")]
    return []
