"""Switches and faults from flags and files, and what is wrong with what was said.

Names, types, limits and explanations come from the fields of `Behaviour`, `Fault` and `RandomFaults`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING, Field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_type_hints
from zoneinfo import available_timezones

from fieldpulse_api.resources.catalogue import BY_NAME
from fieldpulse_api.resources.model import WritableResource
from fieldpulse_sandbox.behaviour.profiles import PROFILES, profile_of
from fieldpulse_sandbox.behaviour.switches import Behaviour
from fieldpulse_sandbox.faults.fault import KINDS, Fault
from fieldpulse_sandbox.faults.random_faults import RandomFaults
from fieldpulse_sandbox.schema.table_shapes import SHAPES

from .option_pairs import allowed, read, spoken

Options = type[Behaviour] | type[Fault] | type[RandomFaults]
Said = Iterable[tuple[str, str]]
EVERY = "*"
FEW = 60


class InvalidOption(ValueError):
    """Something that was said cannot be meant; its text is one line."""


def behaviour_from(profile: str, file: str | None, pairs: list[str]) -> Behaviour:
    """Return a profile, with the switches of a JSON file over it, and those of `name=value` texts over both.

    Raises: InvalidOption.
    """
    known(profile, PROFILES, "profile")
    switches = dict(_values(Behaviour, _in_file(Path(file)))) if file else {}
    return profile_of(profile, **(switches | dict(_values(Behaviour, _split(pairs)))))


def fault_from(text: str) -> Fault:
    """Return the fault of a text such as `drop,method=POST,times=2`.

    Raises: InvalidOption.
    """
    kind, *pairs = text.split(",")
    known(kind, KINDS, "kind of fault")
    return Fault(**dict(_values(Fault, [("kind", kind), *_split(pairs)])))


def chaos_from(said: Mapping[str, str | None]) -> RandomFaults | None:
    """Return the chaos of these texts by field, or None if nothing is said.

    Raises: InvalidOption.
    """
    given = [(name, text) for name, text in said.items() if text is not None]
    return RandomFaults(**dict(_values(RandomFaults, given))) if given else None


def known(name: str, names: Iterable[str], what: str) -> str:
    """Return a name that there is.

    Raises: InvalidOption with the nearest one, or all if they are few.
    """
    there = list(names)
    if name in there:
        return name
    hint = f"; there are {', '.join(there)}" if len(there) <= FEW else ""
    if near := get_close_matches(name, there, 1):
        hint = f"; did you mean {near[0]!r}?"
    raise InvalidOption(f"no {what} {name!r}{hint}")


def described(options: Options) -> Iterator[tuple[str, str, str, str]]:
    """Yield what there is to say: its name, its values, its default, and what it does."""
    hints = get_type_hints(options)
    for name, one in _fields(options).items():
        default = "" if one.default is MISSING else spoken(one.default)
        yield name, allowed(hints[name]), default, one.metadata["about"]


def _fields(options: Options) -> dict[str, Field[Any]]:
    return {one.name: one for one in fields(options) if one.init}


def _split(pairs: list[str]) -> Iterator[tuple[str, str]]:
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals:
            raise InvalidOption(f"{pair!r} gives no value; say NAME=VALUE")
        yield name.strip(), text.strip()


def _in_file(path: Path) -> list[tuple[str, str]]:
    try:
        content = json.loads(path.read_text("utf-8"))
    except OSError as why:
        raise InvalidOption(f"{path}: {why.strerror}") from None
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise InvalidOption(f"{path} is no JSON object of switches")
    return [(name, spoken(value)) for name, value in content.items()]


def _values(options: Options, said: Said) -> Iterator[tuple[str, Any]]:
    """Yield the values that were said, by name; of one that is said twice the last counts."""
    hints, there = get_type_hints(options), _fields(options)
    for name, text in said:
        known(name, there, "switch" if options is Behaviour else "option of faults")
        try:
            value = read(hints[name], text)
            _check(there[name], value)
        except ValueError as why:
            raise InvalidOption(f"{name}={text}: {why}") from None
        yield name, value


def _check(one: Field[Any], value: Any) -> None:
    """Refuse a value of the right type that nothing can be done with.

    Raises: ValueError with the reason.
    """
    least, most, of = (one.metadata.get(key) for key in ("least", "most", "of"))
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("a finite number is needed")
    if least is not None and value < least:
        raise ValueError(f"at least {least} is needed")
    if most is not None and value > most:
        raise ValueError(f"at most {most} is possible")
    if of:
        for name in (value,) if isinstance(value, str) else value:
            NAMES[of](name)


def _resource(name: str) -> None:
    known(name, BY_NAME, "resource")


def _list(name: str) -> None:
    if name != EVERY:
        _resource(name)


def _field(name: str) -> None:
    resource, _, column = name.partition(".")
    _resource(resource)
    known(column, _columns(resource), f"column of {resource}")


def _column(name: str) -> None:
    known(name, {column for one in BY_NAME for column in _columns(one)}, "column")


def _zone(name: str) -> None:
    known(name, available_timezones(), "time zone")


NAMES = {"resources": _resource, "lists": _list, "fields": _field, "columns": _column, "zone": _zone}
"""What raises InvalidOption for a name that there is not, by what the name is of."""


def _columns(name: str) -> set[str]:
    """Return what a row of a resource has, and what one may write of it."""
    resource = BY_NAME[name]
    return {
        *SHAPES[name],
        *resource.schema["properties"],
        *(resource.write_spec.by_name if isinstance(resource, WritableResource) else ()),
    }
