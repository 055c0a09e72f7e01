"""The office of the account: people who change rows while the plugins run, on a clock that only the test moves."""

from __future__ import annotations

import time
from collections.abc import Iterable
from random import Random
from typing import Any

from fieldpulse_api.resources.catalogue import BY_NAME
from fieldpulse_api.resources.model import Operation
from fieldpulse_sandbox.sandbox import Sandbox

Row = dict[str, Any]
Rows = dict[int, Row]


class OfficeClock:
    """The server's clock, in whole UNIX seconds. It moves only by `advance`."""

    def __init__(self) -> None:
        self._now = float(int(time.time()))

    def __call__(self) -> float:
        return self._now

    def advance(self, seconds: int) -> None:
        """Move the clock forward."""
        self._now += seconds


def rows_of(sandbox: Sandbox, stream: str) -> Rows:
    """Return the rows that a list of the API can show, by id."""
    resource = BY_NAME[stream]
    rows = sandbox.rows(stream)
    if resource.parent:
        parents = sandbox.store.tables[resource.parent].rows
        rows = [row for row in rows if row[f"{BY_NAME[resource.parent].singular}_id"] in parents]
    return {row["id"]: row for row in rows}


def edit_rows(sandbox: Sandbox, random: Random, streams: Iterable[str]) -> None:
    """Change, create and delete a few rows of these streams, as people in the office do."""
    for stream in streams:
        resource = BY_NAME[stream]
        row_ids = sorted(rows_of(sandbox, stream))
        parent = f"{BY_NAME[resource.parent].singular}_id" if resource.parent else ""
        parents = set()
        if not row_ids:
            continue
        columns = [name for name in ("notes", "description", "about") if name in sandbox.store.get(stream, row_ids[0])]
        column = columns[0] if columns else ""
        for row_id in random.sample(row_ids, min(len(row_ids), random.randrange(4))) if column else ():
            sandbox.store.update(stream, row_id, {column: f"Changed {random.randrange(10**6)}"})
            parents.add(sandbox.store.get(stream, row_id).get(parent))
        for _ in range(random.randrange(3)):
            template = sandbox.store.get(stream, random.choice(row_ids))
            values = {
                name: template[name] for name in (parent, "job_type", "title", "name", "status") if name in template
            }
            parents.add(sandbox.store.create(stream, values).get(parent))
        for row_id in (
            random.sample(row_ids, min(len(row_ids), random.randrange(3)))
            if Operation.DELETE in resource.operations
            else ()
        ):
            parents.add(sandbox.store.delete(stream, row_id).get(parent))
        for row_id in parents if resource.parent else ():  # inferred: a change to a contact also updates its customer
            if row_id in sandbox.store.tables[resource.parent].rows:
                sandbox.store.update(resource.parent, row_id, {})
