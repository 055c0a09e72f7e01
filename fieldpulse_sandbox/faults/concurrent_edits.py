"""Changes of an account while somebody reads it: they make rows slide from page to page."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from zlib import crc32

from fieldpulse_sandbox.data.store import Store

from .fault import Fault

WAYS = ("touch", "insert", "delete")


def edit_row(store: Store, name: str, ids: Sequence[int], fault: Fault) -> None:
    """Touch one of these rows of a resource, add a copy of it, or delete it.

    Which one follows from the seed and hardly from what else slid before, so that it is the same again.
    """
    there = [number for number in ids if store.find(name, number)]
    if not there:
        return
    lot = f"{fault.seed} {fault.times}"
    row = store.get(name, min(there, key=lambda number: crc32(f"{lot} {number}".encode())))
    way = Random(lot).choice(WAYS) if fault.edit == "any" else fault.edit
    if way == "touch":
        store.update(name, row["id"], {})
    elif way == "delete":
        store.delete(name, row["id"])
    else:
        store.create(name, row)
