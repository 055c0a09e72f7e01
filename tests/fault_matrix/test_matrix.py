"""A slice of the matrix, spread over all of it; `make matrix` visits every point."""

from __future__ import annotations

import pytest

from .accounts import PROFILES
from .fault_scenarios import TROUBLES
from .points import OPERATIONS, Point, slice_of, whole
from .runner import visit

WHOLE = whole()
SLICE = slice_of(WHOLE)


@pytest.mark.parametrize("point", SLICE, ids=str)
def test_nothing_is_lost_doubled_or_unsaid(point: Point) -> None:
    """What must hold of tap and target holds at this point; the command replays it."""
    assert visit(point) == [], point.command


def test_the_matrix_is_large_and_its_slice_is_of_everything() -> None:
    """Ten thousand points; each profile, fault and operation is in every test run."""
    assert len(set(WHOLE)) == len(WHOLE) >= 10_000
    assert len(SLICE) < 300
    assert {one.profile for one in SLICE} >= set(PROFILES)
    assert {one.trouble for one in SLICE} == set(TROUBLES)
    assert {one.operation for one in SLICE} == set(OPERATIONS)


def test_a_point_is_read_back_from_its_name() -> None:
    """The command that a failure shows names the point that failed; another seed makes other points."""
    assert all(Point.read(str(one)) == one for one in SLICE)
    assert not set(whole(1)) & set(WHOLE)
    with pytest.raises(ValueError, match="there is no fault 'rain'; there are none, throttle"):
        Point.read("hostile/rain/tap-full/0")
