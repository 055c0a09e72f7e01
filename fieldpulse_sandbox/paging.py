"""Which rows are on the page that was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .behaviour import Behaviour
    from .query import Query


def page_of(ids: list[int], query: Query, behaviour: Behaviour) -> list[int] | None:
    """Return the ids on a page, or None where the answer is null instead of a list."""
    number = query.page
    last = max(1, -(-len(ids) // query.limit))
    if number > last:
        if behaviour.past_the_end == "null":
            return None
        number = {"last": last, "first": 1}.get(behaviour.past_the_end, number)
    start = (number - 1) * query.limit
    return ids[start : start + query.limit]
