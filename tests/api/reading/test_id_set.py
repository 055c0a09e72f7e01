"""`IdSet`: it holds what a set holds, in a bounded number of bytes."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Sequence

import pytest

from fieldpulse_api.reading.id_set import IdSet

IDS: dict[str, Sequence[int]] = {
    "every row": range(40_000_000, 40_000_000 + 20_000),
    "one of seven, newest first": range(40_070_000, 40_000_000, -7),
    "one of a thousand": range(0, 20_000_000, 1000),
    "unsorted, with repeats": random.Random(17).choices(range(30_000), k=20_000),
    "around a full array": [*range(4096), 4095, 4096, 0, 4097],
    "64 bits": [2**63 - 1, -(2**63) + 1, 0, -1, 1, 2**16, 2**16 - 1, -(2**16)],
}


@pytest.mark.parametrize("ids", IDS.values(), ids=IDS.keys())
def test_holds_what_a_set_holds(ids: Sequence[int]) -> None:
    """Each id is new once, and is in the set from then on; neighbours are not."""
    expected, id_set = set[int](), IdSet()
    for row_id in ids:
        assert id_set.add(row_id) is (row_id not in expected)
        expected.add(row_id)
        assert row_id in id_set
    assert list(id_set) == sorted(expected)
    assert len(id_set) == len(expected)
    assert [row_id + 1 in id_set for row_id in ids] == [row_id + 1 in expected for row_id in ids]


def test_compares_and_subtracts_as_a_set() -> None:
    """The operators are those of sets, with `IdSet` as their result."""
    known, seen = IdSet(range(0, 50_000, 5)), IdSet(range(0, 50_000, 10))
    assert list(known - seen) == list(range(5, 50_000, 10))
    assert known & seen == seen
    assert seen < known
    assert not IdSet()
    assert "5" not in known


@pytest.mark.parametrize(("step", "most_bytes"), [(1, 0.5), (7, 2), (100, 4)])
def test_takes_few_bytes_an_id(step: int, most_bytes: float) -> None:
    """The ids of a list of 60,000 rows take up to 240 KB; a set takes 4 MB and more."""
    count = 60_000
    tracemalloc.start()
    try:
        id_set = IdSet(range(40_000_000, 40_000_000 + count * step, step))
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(id_set) == count
    assert used < most_bytes * count
