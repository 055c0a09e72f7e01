"""Which rows are on the page that was asked for, and what may be wrong with that."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fieldpulse_sandbox.behaviour.switches import Behaviour

    from .query import ListQuery


def last_page(ids: list[int], query: ListQuery) -> int:
    """Return the number of the last page; an empty list has one too."""
    return max(1, -(-len(ids) // query.limit))


def page_of(ids: list[int], query: ListQuery, behaviour: Behaviour, *, is_endless: bool = False) -> list[int] | None:
    """Return the ids on a page, or None where the answer is null instead of a list."""
    number, last = query.page, last_page(ids, query)
    if number > last:
        past = "last" if is_endless else behaviour.past_the_end
        if past == "null":
            return None
        number = {"last": last, "first": 1}.get(past, number)
    start = (number - 1) * query.limit
    return ids[start : start + query.limit]
