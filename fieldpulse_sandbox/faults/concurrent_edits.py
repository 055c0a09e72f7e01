"""Edits of the account during a read; they move rows from one page to another."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from zlib import crc32

from fieldpulse_sandbox.data.store import Store

from .fault import Fault

EDITS = ("touch", "insert", "delete")


def edit_row(store: Store, name: str, row_ids: Sequence[int], fault: Fault) -> None:
    """Touch one of these rows of a resource, insert a copy of it, or delete it.

    The row is chosen by a hash of seed and id, not by its position, so that earlier edits hardly change the choice and
    a run can be replayed.
    """
    live_ids = [row_id for row_id in row_ids if store.find(name, row_id)]
    if not live_ids:
        return
    seed = f"{fault.seed} {fault.times}"
    row = store.get(name, min(live_ids, key=lambda row_id: crc32(f"{seed} {row_id}".encode())))
    edit = Random(seed).choice(EDITS) if fault.edit == "any" else fault.edit
    if edit == "touch":
        store.update(name, row["id"], {})
    elif edit == "delete":
        store.delete(name, row["id"])
    else:
        store.create(name, row)
