"""Values of fields as text, by the types of the fields."""

from __future__ import annotations

from difflib import get_close_matches
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

NONE = "none"
WORDS = {int: "a whole number", float: "a number", str: "a text"}


def spoken(value: object) -> str:
    """Return a value as it is said."""
    if value is None:
        return NONE
    if isinstance(value, tuple | list):
        return ",".join(map(spoken, value)) or NONE
    return str(value).lower() if isinstance(value, bool) else str(value)


def allowed(hint: Any) -> str:
    """Return in words what a type allows."""
    others = [WORDS.get(one, "names with commas between them") for one in _others(hint)]
    return ", ".join([*others, *_choices(hint)])


def read(hint: Any, text: str) -> Any:
    """Return the value of this type that a text says.

    Raises: ValueError with the nearest value, or what is allowed.
    """
    choices = _choices(hint)
    if text in choices:
        return choices[text]
    for one in _others(hint):
        if get_origin(one) is tuple:
            return tuple(read(get_args(one)[0], word.strip()) for word in text.split(",")) if text != NONE else ()
        try:
            return one(text)
        except ValueError:
            break
    near = get_close_matches(text, choices, 1)
    raise ValueError(f"did you mean {near[0]!r}?" if near else f"allowed: {allowed(hint)}")


def _alternatives(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)


def _choices(hint: Any) -> dict[str, Any]:
    """Return the values that a type lists, by how they are said."""
    found: dict[str, Any] = {}
    for one in _alternatives(hint):
        if one is type(None):
            found[NONE] = None
        elif one is bool:
            found |= {"true": True, "false": False}
        elif get_origin(one) is Literal:
            found |= {spoken(value): value for value in get_args(one)}
    return found


def _others(hint: Any) -> list[Any]:
    return [one for one in _alternatives(hint) if one in WORDS or get_origin(one) is tuple]
