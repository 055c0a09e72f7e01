"""A sample of the fault matrix; `make matrix` checks every point."""

from __future__ import annotations

from collections import Counter

import pytest

from .accounts import PROFILES
from .fault_scenarios import SCENARIOS
from .points import OPERATIONS, Point, all_points, sample_points
from .results import read_result
from .runner import check_point

ALL_POINTS = all_points()
SAMPLE = sample_points(ALL_POINTS)
RESULT = read_result()


@pytest.mark.parametrize("point", SAMPLE, ids=str)
def test_the_invariants_hold(point: Point) -> None:
    """Nothing is lost, doubled or unreported at this point; the command of a failure replays it."""
    assert check_point(point) == [], point.command


def test_the_sample_covers_every_profile_scenario_and_operation() -> None:
    """The matrix has over ten thousand points; each profile, scenario and operation is in every test run."""
    assert len(set(ALL_POINTS)) == len(ALL_POINTS) >= 10_000
    assert len(SAMPLE) < 300
    assert {point.profile for point in SAMPLE} >= set(PROFILES)
    assert {point.scenario for point in SAMPLE} == set(SCENARIOS)
    assert {point.operation for point in SAMPLE} == set(OPERATIONS)


def test_a_point_can_be_parsed_from_its_name() -> None:
    """The command of a failure names the point that failed; another seed gives other points."""
    assert all(Point.parse(str(point)) == point for point in SAMPLE)
    assert not set(all_points(1)) & set(ALL_POINTS)
    with pytest.raises(ValueError, match="unknown fault 'rain'; allowed: none, throttle"):
        Point.parse("hostile/rain/tap-full/0")


def test_the_documented_result_is_of_the_whole_matrix() -> None:
    """A scenario or a profile that was added since needs a new run: `make matrix`."""
    assert RESULT.points == Counter(point.scenario for point in all_points(RESULT.seed))


@pytest.mark.parametrize("name", RESULT.failed_points)
def test_what_failed_in_the_documented_result_holds_now(name: str) -> None:
    """The whole matrix takes an hour; what it found is mended before it runs again."""
    assert check_point(Point.parse(name)) == []
