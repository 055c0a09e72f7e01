"""A set of row ids that takes two bytes an id or less: what a list has brought is remembered until its end.

A set of Python takes 60 bytes an id and more. The ids of one table ascend, with gaps where its rows belong to other
accounts; those that share their upper bits are stored together, and each needs its lower 16 bits only. They are in an
array while they are few, and a bitmap of 8 KiB once that is smaller (as in Roaring bitmaps, Chambi et al. 2016).

| ids | bytes for each |
| --- | --- |
| every row of a table | 1/8 |
| one of 16 rows | 2 |
| one of 1,000 rows | 4 |
| one of 10,000 rows | 25 |
| at random | 160 |
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet

from typing_extensions import override

_LOW_BITS = 16
_LOW_MASK = (1 << _LOW_BITS) - 1
_BITMAP_BYTES = (1 << _LOW_BITS) // 8
_MAX_IN_ARRAY = _BITMAP_BYTES // 2


class IdSet(AbstractSet[int]):
    """A set of integers of any sign. It is iterated in ascending order."""

    def __init__(self, ids: Iterable[int] = ()) -> None:
        self._chunks: dict[int, array[int] | bytearray] = {}  # by the upper bits
        self._count = 0
        self.update(ids)

    def add(self, row_id: int) -> bool:
        """Add an id. Return whether it is new."""
        high, low = row_id >> _LOW_BITS, row_id & _LOW_MASK
        chunk = self._chunks.get(high)
        if chunk is None:
            self._chunks[high] = array("H", (low,))
        elif isinstance(chunk, bytearray):
            bit = 1 << (low & 7)
            if chunk[low >> 3] & bit:
                return False
            chunk[low >> 3] |= bit
        else:
            place = len(chunk) if low > chunk[-1] else bisect_left(chunk, low)
            if place < len(chunk) and chunk[place] == low:
                return False
            chunk.insert(place, low)
            if len(chunk) > _MAX_IN_ARRAY:
                self._chunks[high] = _bitmap(chunk)
        self._count += 1
        return True

    def update(self, ids: Iterable[int]) -> None:
        """Add ids."""
        for row_id in ids:
            self.add(row_id)

    @override
    def __contains__(self, row_id: object) -> bool:
        if not isinstance(row_id, int):
            return False
        chunk, low = self._chunks.get(row_id >> _LOW_BITS), row_id & _LOW_MASK
        if chunk is None:
            return False
        if isinstance(chunk, bytearray):
            return bool(chunk[low >> 3] & (1 << (low & 7)))
        place = bisect_left(chunk, low)
        return place < len(chunk) and chunk[place] == low

    @override
    def __iter__(self) -> Iterator[int]:
        for high in sorted(self._chunks):
            first = high << _LOW_BITS
            for low in _low_parts(self._chunks[high]):
                yield first + low

    @override
    def __len__(self) -> int:
        return self._count


def _bitmap(low_parts: Iterable[int]) -> bytearray:
    bitmap = bytearray(_BITMAP_BYTES)
    for low in low_parts:
        bitmap[low >> 3] |= 1 << (low & 7)
    return bitmap


def _low_parts(chunk: array[int] | bytearray) -> Iterable[int]:
    if not isinstance(chunk, bytearray):
        return chunk
    return (place * 8 + bit for place, byte in enumerate(chunk) if byte for bit in range(8) if byte >> bit & 1)
