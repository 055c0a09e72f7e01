"""What this project relies on in the Singer SDK, so that an upgrade fails here and not in a run.

mypy reports an override whose hook the SDK has dropped (`explicit-override`). These tests report what mypy cannot see:
parameters that the SDK has added where an override is typed differently, and options of the command line.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from singer_sdk import Tap, Target
from singer_sdk.plugin_base import PluginBase, _ConfigInput
from typing_extensions import override

from fieldpulse_plugin.sdk import FieldPulsePlugin
from fieldpulse_plugin.stream_maps import StreamMapper
from tap_fieldpulse.singer.change_event_stream import ChangeEventStream
from tap_fieldpulse.singer.resource_stream import ResourceStream
from tap_fieldpulse.singer.webhook_event_stream import WebhookEventStream
from tap_fieldpulse.tap import TapFieldPulse
from target_fieldpulse.message_reader import MessageReader
from target_fieldpulse.sink import DiscardSink, FieldPulseSink
from target_fieldpulse.target import TargetFieldPulse

CLASSES: list[type] = [
    *(FieldPulsePlugin, StreamMapper, TapFieldPulse, TargetFieldPulse, MessageReader),
    *(ResourceStream, ChangeEventStream, WebhookEventStream, FieldPulseSink, DiscardSink),
]


def function_of(member: object) -> Callable[..., Any] | None:
    """Return the function behind a method of any kind; None for an attribute."""
    if isinstance(member, (classmethod, staticmethod)):
        return member.__func__
    if isinstance(member, property):
        return member.fget
    return member if inspect.isfunction(member) else None


def overrides() -> Iterator[tuple[str, Callable[..., Any], Callable[..., Any]]]:
    """Yield the name, our function and the SDK's function for every override of an SDK method."""
    for cls in CLASSES:
        for name, member in vars(cls).items():
            sdk_classes = (base for base in cls.__mro__[1:] if base.__module__.startswith("singer_sdk"))
            inherited = next((vars(base)[name] for base in sdk_classes if name in vars(base)), None)
            ours, sdks = function_of(member), function_of(inherited)
            if ours and sdks and not (name.startswith("__") and name.endswith("__")):
                yield f"{cls.__name__}.{name}", ours, sdks


def parameters(function: Callable[..., Any]) -> list[str]:
    return [name for name in inspect.signature(function).parameters if name not in ("self", "cls")]


OVERRIDES = list(overrides())


def test_the_overrides_are_found() -> None:
    """The test below would pass on an empty list."""
    names = {name for name, _, _ in OVERRIDES}
    assert {
        "FieldPulsePlugin._validate_config",
        "FieldPulsePlugin._handle_termination",
        "TapFieldPulse.invoke",
        "TargetFieldPulse._process_state_message",
        "ResourceStream._increment_stream_state",
        "FieldPulseSink.get_validator",
    } <= names


@pytest.mark.parametrize(("name", "ours", "sdks"), OVERRIDES, ids=[name for name, _, _ in OVERRIDES])
def test_an_override_has_the_parameters_of_the_sdk(
    name: str, ours: Callable[..., Any], sdks: Callable[..., Any]
) -> None:
    """A parameter that a new SDK adds must be passed on."""
    assert parameters(ours) == parameters(sdks), name


@pytest.mark.parametrize(
    ("base", "plugin", "options"),
    [
        (Tap, TapFieldPulse, {"about", "about_format", "catalog", "config", "discover", "state", "test", "version"}),
        (Target, TargetFieldPulse, {"about", "about_format", "config", "file_input", "version"}),
    ],
    ids=["tap", "target"],
)
def test_the_command_line_has_the_options_that_invoke_handles(
    base: type[PluginBase], plugin: type[PluginBase], options: set[str]
) -> None:
    """`invoke` of both plugins replaces the SDK's, so an option that the SDK adds would have no effect."""
    command = plugin.get_singer_command()
    assert {option.name for option in command.params} == options
    passed = {option.name for option in command.params if option.expose_value}
    assert passed == set(parameters(function_of(vars(base)["invoke"]) or base.invoke))


def test_the_configuration_of_the_command_line_has_the_known_fields() -> None:
    """`invoke` and `cb_config` read these two."""
    assert vars(_ConfigInput()) == {"config": {}, "parse_env": False}


def test_the_sdk_calls_the_hooks_of_the_mixin() -> None:
    """Making a plugin validates its settings with our rules, and maps streams with our mapper."""
    calls = []

    class Spy(TargetFieldPulse):
        @override
        def _validate_config(self, *, raise_errors: bool = True) -> list[str]:
            calls.append("_validate_config")
            return super()._validate_config(raise_errors=raise_errors)

        @override
        def setup_mapper(self) -> None:
            calls.append("setup_mapper")
            super().setup_mapper()

        @property
        @override
        def _env_var_config(self) -> dict[str, Any]:
            calls.append("_env_var_config")
            return super()._env_var_config

    target = Spy(config={"api_key": "k"}, parse_env_config=True)
    assert calls == ["_env_var_config", "_validate_config", "setup_mapper"]
    assert isinstance(target.mapper, StreamMapper)
