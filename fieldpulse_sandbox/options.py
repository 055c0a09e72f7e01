"""Conversion of command-line options and switch files to `Behaviour`, `Fault` and `RandomFaults`.

Names, types, bounds and descriptions come from the fields of these classes, so that the help text and the
documentation cannot differ from the code.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING, fields
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, get_type_hints
from zoneinfo import available_timezones

import msgspec
from msgspec import inspect
from typing_extensions import Required, TypedDict

from fieldpulse_api.resources.catalogue import BY_NAME
from fieldpulse_api.resources.model import Resource, WritableResource
from fieldpulse_sandbox.behaviour.account_profile import switches_like
from fieldpulse_sandbox.behaviour.profiles import PROFILES, profile_of
from fieldpulse_sandbox.behaviour.switches import Behaviour
from fieldpulse_sandbox.faults.fault import KINDS, Fault
from fieldpulse_sandbox.faults.random_faults import RandomFaults
from fieldpulse_sandbox.schema.table_shapes import SHAPES

Options = type[Behaviour] | type[Fault] | type[RandomFaults]
NONE = "none"
"""How a command line writes null and an empty list."""
MAX_LISTED = 60
"""Error messages list at most this many allowed names."""


class InvalidOption(ValueError):
    """Invalid command-line option or switch; the text is one line."""


class _AccountProfile(TypedDict, total=False):
    """The shape of an account profile, as far as the sandbox uses it."""

    lists: Required[dict[str, dict[str, Any]]]
    writes: dict[str, Any]
    office_names: dict[str, list[dict[str, Any]]]


class Option(NamedTuple):
    """A field as the help text shows it."""

    name: str
    values: str
    default: str
    description: str


def behaviour_from(
    profile: str, file: str | None, pairs: list[str], like: Mapping[str, Any] | None = None
) -> Behaviour:
    """Return a profile, changed by the account profile `like`, the switches of a JSON file, and `NAME=VALUE` texts.

    Raises: InvalidOption.
    """
    _check_name(profile, PROFILES, "profile")
    switches = switches_like(like) if like else {}
    switches |= _read_object(Path(file)) if file else {}
    return profile_of(profile, **_converted_options(Behaviour, [*switches.items(), *_split(pairs)]))


def account_profile_from(path: Path) -> dict[str, Any]:
    """Return the account profile in a file that `fieldpulse doctor` wrote.

    Raises: InvalidOption.
    """
    profile = _read_object(path)
    try:
        msgspec.convert(profile, _AccountProfile)
    except msgspec.ValidationError as error:
        raise InvalidOption(f"{path} is not an account profile of fieldpulse doctor: {error}") from None
    return profile


def fault_from(text: str) -> Fault:
    """Return the fault that a text such as `dropped_connection,method=POST,times=2` describes.

    Raises: InvalidOption.
    """
    kind, *pairs = text.split(",")
    _check_name(kind, KINDS, "kind of fault")
    return Fault(**_converted_options(Fault, [("kind", kind), *_split(pairs)]))


def random_faults_from(texts: Mapping[str, str | None]) -> RandomFaults | None:
    """Return the random faults that these texts describe by field, or None without any text.

    Raises: InvalidOption.
    """
    values = _converted_options(RandomFaults, [(name, text) for name, text in texts.items() if text is not None])
    return RandomFaults(**values) if values else None


def described_options(options: Options) -> Iterator[Option]:
    """Yield the fields that have a description."""
    defaults = {field.name: field.default for field in fields(options)}
    for name, hint in _hints(options).items():
        kind = inspect.type_info(hint)
        if isinstance(kind, inspect.Metadata):
            default = "" if defaults[name] is MISSING else option_text(defaults[name])
            yield Option(name, ", ".join(_words(kind)), default, (kind.extra_json_schema or {})["description"])


def option_text(value: object) -> str:
    """Return a value as a command line writes it."""
    if value is None:
        return NONE
    if isinstance(value, tuple | list):
        return ",".join(map(option_text, value)) or NONE
    return str(value).lower() if isinstance(value, bool) else str(value)


def _split(pairs: list[str]) -> Iterator[tuple[str, str]]:
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals:
            raise InvalidOption(f"{pair!r} has no value; write NAME=VALUE")
        yield name.strip(), text.strip()


def _read_object(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise InvalidOption(f"{path}: {error.strerror}") from None
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise InvalidOption(f"{path} is not a JSON object")
    return content


def _hints(options: Options) -> dict[str, Any]:
    """Return the types of the fields that can be set, in order."""
    hints = get_type_hints(options, include_extras=True)
    return {field.name: hints[field.name] for field in fields(options) if field.init}


def _converted_options(options: Options, pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Return values by name; of several values for one name the last counts.

    Raises: InvalidOption.
    """
    values, hints = {}, _hints(options)
    for name, value in pairs:
        _check_name(name, hints, "switch" if options is Behaviour else "fault option")
        kind = inspect.type_info(hints[name])
        try:
            values[name] = msgspec.convert(_parsed_text(kind, value), hints[name], strict=False)
        except msgspec.ValidationError:
            text = option_text(value)
            raise InvalidOption(f"{name}={text} is invalid; {_hint(kind, text)}") from None
        if isinstance(kind, inspect.Metadata) and kind.extra:
            what = kind.extra["names"]
            for used in (values[name],) if isinstance(values[name], str) else values[name]:
                _check_name(used, _names(what), what)
    return values


def _parsed_text(kind: inspect.Type, value: Any) -> Any:
    """Return a text of the command line as null or a list, where the type allows these."""
    types = _alternatives(kind)
    if value == NONE and any(isinstance(part, inspect.NoneType) for part in types):
        return None
    if isinstance(value, str) and any(isinstance(part, inspect.VarTupleType) for part in types):
        return [] if value == NONE else [word.strip() for word in value.split(",")]
    return value


def _alternatives(kind: inspect.Type) -> tuple[inspect.Type, ...]:
    if isinstance(kind, inspect.Metadata):
        return _alternatives(kind.type)
    return kind.types if isinstance(kind, inspect.UnionType) else (kind,)


def _words(kind: inspect.Type) -> Iterator[str]:
    """Yield the values that a type allows, or a description of them."""
    for part in _alternatives(kind):
        if isinstance(part, inspect.LiteralType):
            yield from map(str, part.values)
        elif isinstance(part, inspect.BoolType):
            yield from ("true", "false")
        elif isinstance(part, inspect.NoneType):
            yield NONE
        elif isinstance(part, inspect.VarTupleType):
            yield "names separated by commas"
        elif isinstance(part, inspect.IntType | inspect.FloatType):
            limits = (("at least", part.ge), ("at most", part.le))
            bounds = " and ".join(f"{words} {limit}" for words, limit in limits if limit is not None)
            number = "an integer" if isinstance(part, inspect.IntType) else "a number"
            yield f"{number} of {bounds}" if bounds else number
        else:
            yield "text"


def _hint(kind: inspect.Type, text: str) -> str:
    """Return the nearest allowed value of a wrong text, or everything that is allowed."""
    lists = [part for part in _alternatives(kind) if isinstance(part, inspect.VarTupleType)]
    if lists:
        allowed = list(_words(lists[0].item_type))
        wrong = [word for word in text.split(",") if word not in allowed]
        return _suggestion(wrong[0] if wrong else text, allowed)
    return _suggestion(text, list(_words(kind)))


def _suggestion(text: str, allowed: list[str]) -> str:
    near = get_close_matches(text, allowed, 1)
    return f"did you mean {near[0]!r}?" if near else f"allowed: {', '.join(allowed)}"


def _check_name(name: str, allowed: Iterable[str], what: str) -> None:
    """Raise InvalidOption with the nearest name, or with all names if these are few, unless the name is allowed."""
    names = list(allowed)
    if name in names:
        return
    hint = f"; {_suggestion(name, names)}" if len(names) <= MAX_LISTED or get_close_matches(name, names, 1) else ""
    raise InvalidOption(f"there is no {what} {name!r}{hint}")


@cache
def _names(what: str) -> tuple[str, ...]:
    """Return the names that a switch accepts, by the word in the metadata of its type."""
    columns = [f"{resource.name}.{column}" for resource in BY_NAME.values() for column in sorted(_columns(resource))]
    names: dict[str, Iterable[str]] = {
        "resource": BY_NAME,
        "list": (*BY_NAME, "*"),
        "resource.column": columns,
        "column": {name.partition(".")[2] for name in columns},
        "time zone": available_timezones(),
    }
    return tuple(names[what])


def _columns(resource: Resource) -> set[str]:
    """Return the columns of a row, and the fields that writes accept."""
    fields_written = resource.write_spec.by_name if isinstance(resource, WritableResource) else ()
    return {*SHAPES[resource.name], *resource.schema["properties"], *fields_written}
