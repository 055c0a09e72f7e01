"""Stream maps: the SDK's mapper, with errors that name stream, property and expression, and quote no record."""

from __future__ import annotations

import ast
import difflib
import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from fnmatch import fnmatch
from functools import cached_property
from typing import Any

import simpleeval  # type: ignore[import-untyped]
from singer_sdk.mapper import CustomStreamMap, PluginMapper
from typing_extensions import override

from fieldpulse_api.errors import ConfigError, got_and_allowed

_OPTIONS = ("__alias__", "__else__", "__filter__", "__key_properties__", "__source__")
_REMOVED = "__NULL__"
_WRONG_FOR_EVERY_RECORD = (
    simpleeval.FeatureNotAvailable,
    simpleeval.FunctionNotDefined,
    simpleeval.OperatorNotDefined,
)
_QUOTING_NO_RECORD = (*_WRONG_FOR_EVERY_RECORD, simpleeval.NameNotDefined, simpleeval.AttributeDoesNotExist)

Config = dict[str, Any]
Record = dict[str, Any]


class UnmappableRecord(ConfigError):
    """A stream map cannot be evaluated for a record.

    It may be right for others: the target rejects the record and goes on. The tap ends. Exit status 2.
    """


class StreamMapper(PluginMapper):
    """The SDK's mapper, with errors in the user's maps raised as ConfigError."""

    def __init__(self, plugin_config: Config, logger: logging.Logger) -> None:
        """Check the syntax of all maps. Raises: ConfigError."""
        self._definitions: Mapping[str, Any] = plugin_config.get("stream_maps") or {}
        _check_syntax(self._definitions)
        with _stream_map_errors():  # the SDK removes `__else__` from the dict
            super().__init__({**plugin_config, "stream_maps": dict(self._definitions)}, logger)

    @cached_property
    def removed_properties(self) -> set[str]:
        """Return the properties that a map removes. The SDK refuses that for a key without `__key_properties__`."""
        definitions = [each for each in self._definitions.values() if isinstance(each, dict)]
        return {name for each in definitions for name, rule in each.items() if rule in (None, _REMOVED)}

    @contextmanager
    def without_maps(self) -> Iterator[None]:
        """Register streams without their maps, which may not fit a stream that is not selected."""
        maps, self.stream_maps_dict = self.stream_maps_dict, {}
        yield
        self.stream_maps_dict = maps

    @override
    def register_raw_stream_schema(
        self, stream_name: str, schema: Config, key_properties: Sequence[str] | None
    ) -> None:
        with _stream_map_errors(stream_name):
            super().register_raw_stream_schema(stream_name, schema, key_properties)
        for stream_map in self.stream_maps[stream_name]:
            if isinstance(stream_map, CustomStreamMap):
                # The mapper creates its maps itself and has no hook for their class.
                evaluate, alias = stream_map._eval, stream_map.stream_alias  # noqa: SLF001
                place = stream_name if alias == stream_name else f"{stream_name} → {alias}"
                stream_map._eval = _with_config_errors(evaluate, place, schema)  # type: ignore[method-assign]  # noqa: SLF001


def maps_without_stream(stream_maps: Mapping[str, Any], streams: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield the name of each map that is for none of the streams, and its fault with the nearest name."""
    for name, definition in stream_maps.items():
        source = str(definition.get("__source__", name)) if isinstance(definition, dict) else name
        if not name.startswith("__") and not any(fnmatch(stream, source) for stream in streams):
            yield name, got_and_allowed(source, sorted(streams))


def _check_syntax(stream_maps: Mapping[str, Any]) -> None:
    """Raise ConfigError for an option that does not exist, and for an expression that cannot be parsed."""
    for stream, definition in stream_maps.items():
        if not isinstance(definition, dict):
            continue
        if "__alias__" in definition and "__source__" in definition:
            raise ConfigError(
                "A stream map has both __source__ and __alias__, and __alias__ would have no effect.",
                where=f"setting stream_maps · stream {stream}",
                hint="remove __alias__: the name of the map is the name of its stream",
            )
        for name, rule in definition.items():
            if problem := _rule_problem(name, rule):
                raise ConfigError(
                    f"A stream map is invalid: {problem}.",
                    where=_place(stream, name, rule),
                    hint="correct the setting",
                )


def _rule_problem(name: str, rule: Any) -> str:
    """Return why a rule of a map cannot be parsed, or an empty text. The SDK checks the values of other options."""
    if name.startswith("__") and name not in _OPTIONS:
        return f"an option that does not exist: {got_and_allowed(name, _OPTIONS)}"
    if rule is None or (name != "__filter__" and (name in _OPTIONS or rule == _REMOVED)):
        return ""
    if not isinstance(rule, str):
        return f"a rule of type {type(rule).__name__}; an expression as text, or null, is expected"
    try:
        body = ast.parse(rule).body
    except SyntaxError as error:
        return f"an expression that cannot be parsed: {error.msg}"
    except (ValueError, RecursionError, MemoryError) as error:
        return f"an expression that cannot be parsed: {type(error).__name__}"
    return "" if body and isinstance(body[0], ast.Expr) else "text that is not an expression"


def _with_config_errors(evaluate: Callable[..., Any], stream_name: str, schema: Config) -> Callable[..., Any]:
    properties = schema.get("properties") or {}

    def evaluate_or_raise(expr: str, expr_parsed: Any, record: Record, property_name: str | None) -> Any:
        try:
            return evaluate(expr, expr_parsed, record, property_name)
        except ConfigError:  # the map was registered twice
            raise
        except Exception as error:  # noqa: BLE001  an expression can raise anything
            cause = error.__cause__ or error
            raise _error_class(cause, properties, property_name)(
                f"A stream map cannot be evaluated: {_reason(cause, properties)}.",
                where=_place(stream_name, property_name or "__filter__", expr),
                hint="correct it; a property may be None, and in a deleted row all are but `id` and `deleted_at`",
            ) from None

    return evaluate_or_raise


def _error_class(cause: BaseException, properties: Collection[str], property_name: str | None) -> type[ConfigError]:
    """Return UnmappableRecord, unless the map is wrong whatever the record: then ConfigError, which ends the run."""
    name = getattr(cause, "name", None)
    name = property_name if name == "self" else name
    is_wrong_name = isinstance(cause, simpleeval.NameNotDefined) and properties and name not in properties
    return ConfigError if is_wrong_name or isinstance(cause, _WRONG_FOR_EVERY_RECORD) else UnmappableRecord


def _reason(cause: BaseException, properties: Collection[str]) -> str:
    """Return why an expression failed, with the nearest property. Other texts than these may quote the record."""
    name = type(cause).__name__
    if not isinstance(cause, _QUOTING_NO_RECORD):
        return name
    spellings = {each.lower(): each for each in properties}
    similar = difflib.get_close_matches(str(getattr(cause, "name", "")).lower(), spellings, n=1)
    return f"{name}: {cause}" + (f"; did you mean {spellings[similar[0]]!r}?" if similar else "")


def _place(stream_name: str, name: str, rule: Any) -> str:
    part = name if name.startswith("__") else f"property {name}"
    return f"setting stream_maps · stream {stream_name} · {part}" + (f" · {rule}" if isinstance(rule, str) else "")


@contextmanager
def _stream_map_errors(stream_name: str | None = None) -> Iterator[None]:
    try:
        yield
    except ConfigError:
        raise
    except Exception as error:  # noqa: BLE001  the SDK has no common class for them
        cause = f" ({type(error.__cause__).__name__})" if error.__cause__ else ""
        raise ConfigError(
            f"A stream map is invalid: {error}{cause}",
            where="setting stream_maps" + (f" · stream {stream_name}" if stream_name else ""),
            hint="correct the setting",
        ) from None
