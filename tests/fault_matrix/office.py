"""The account at a point: a sandbox on a clock that only the point moves, its rows, and who changes them meanwhile."""

from __future__ import annotations

import time
from collections.abc import Iterable
from random import Random
from typing import Any

from fieldpulse_api.resources.catalogue import BY_NAME
from fieldpulse_sandbox.sandbox import Sandbox

Row = dict[str, Any]
Rows = dict[int, Row]


class Clock:
    """The server's clock, in UNIX seconds: whole ones, and no more of them than the point wants."""

    def __init__(self) -> None:
        self._now = float(int(time.time()))

    def __call__(self) -> float:
        return self._now

    def pass_by(self, seconds: int) -> None:
        """Let time pass."""
        self._now += seconds


def rows_of(box: Sandbox, stream: str) -> Rows:
    """Return the rows that a list of the API can show, by their ids."""
    resource = BY_NAME[stream]
    rows = box.rows(stream)
    if resource.parent:
        parents = box.store.tables[resource.parent].rows
        rows = [row for row in rows if row[f"{BY_NAME[resource.parent].singular}_id"] in parents]
    return {row["id"]: row for row in rows}


def touch(box: Sandbox, chance: Random, streams: Iterable[str]) -> None:
    """Change, create and delete a few rows of some streams, as the people in the office do."""
    for stream in streams:
        resource = BY_NAME[stream]
        there = sorted(rows_of(box, stream))
        parent = f"{BY_NAME[resource.parent].singular}_id" if resource.parent else ""
        touched = set()
        if not there:
            continue
        columns = [name for name in ("notes", "description", "about") if name in box.store.get(stream, there[0])]
        column = columns[0] if columns else ""
        for number in chance.sample(there, min(len(there), chance.randrange(4))) if column else ():
            box.store.update(stream, number, {column: f"Changed {chance.randrange(10**6)}"})
            touched.add(box.store.get(stream, number).get(parent))
        for _ in range(chance.randrange(3)):
            like = box.store.get(stream, chance.choice(there))
            kept = {name: like[name] for name in (parent, "job_type", "title", "name", "status") if name in like}
            touched.add(box.store.create(stream, kept).get(parent))
        for number in chance.sample(there, min(len(there), chance.randrange(3))) if "D" in resource.operations else ():
            touched.add(box.store.delete(stream, number).get(parent))
        for number in touched if resource.parent else ():  # assumed: what happens to a contact stamps its customer
            if number in box.store.tables[resource.parent].rows:
                box.store.update(resource.parent, number, {})
