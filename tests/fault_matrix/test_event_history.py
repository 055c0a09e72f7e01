"""The check of change events fails for a missing, a superfluous and a wrong event."""

from __future__ import annotations

from typing import Any

import pytest

from .event_history import EventHistory
from .plugins import Message

BEFORE = {1: {"id": 1, "notes": "a", "status": 1}, 2: {"id": 2, "notes": "b", "status": 1}}
AFTER = {1: {"id": 1, "notes": "c", "status": 2}, 3: {"id": 3, "notes": "d", "status": 1}}


def event(number: int, kind: str, old: Any = None, new: Any = None, fields: str = "") -> Message:
    text = f"UPDATE ON JOBS FOR {fields}" if fields else "…"
    return {
        "stream": "jobs",
        "object_id": number,
        "event": kind,
        "old_value": old,
        "new_value": new,
        "message": text,
        "object": AFTER.get(number),
    }


RIGHT = [
    event(1, "status_changed", 1, 2, "status"),
    event(1, "updated", {"notes": "a"}, {"notes": "c"}, "notes"),
    event(2, "deleted"),
    event(3, "created"),
]


def wrong(events: list[Message]) -> list[str]:
    history = EventHistory("jobs")
    history.start_with(BEFORE)
    return [*history.apply(events), *history.differences(AFTER, frozenset(), exactly=True)]


def test_each_change_once_makes_the_account() -> None:
    """The other tests fail for what they change of these events."""
    assert wrong(RIGHT) == []


@pytest.mark.parametrize("number", range(4))
def test_an_event_too_few_or_too_many_is_found_out(number: int) -> None:
    """Of any kind."""
    assert wrong([other for other in RIGHT if other is not RIGHT[number]])
    assert wrong([*RIGHT, RIGHT[number]])


@pytest.mark.parametrize(
    "made_up",
    [
        event(1, "updated", {"notes": "x"}, {"notes": "c"}, "notes"),
        event(1, "updated", {"notes": "a"}, {"notes": "x"}, "notes"),
        event(1, "updated", {}, {}, ""),
    ],
    ids=["old", "new", "nothing"],
)
def test_an_event_of_something_else_is_found_out(made_up: Message) -> None:
    """Another value before or after, or no change at all."""
    assert wrong([RIGHT[0], made_up, *RIGHT[2:]])
