"""Random faults: which requests get them, and that a seed repeats them."""

from __future__ import annotations

import contextlib
import http.client
from random import Random

import pytest

from fieldpulse_sandbox.faults.fault import KINDS, LIST_FAULTS, Fault, Kind
from fieldpulse_sandbox.faults.random_faults import RECOVERABLE, RandomFaults
from fieldpulse_sandbox.sandbox import Sandbox
from tests.sandbox.client import SandboxClient

REQUESTS = [("GET", "/jobs", f"page={number}", b"") for number in range(500)]


def _faults(random_faults: RandomFaults, requests: list[tuple[str, str, str, bytes]]) -> list[Fault | None]:
    return [random_faults.draw(*request) for request in requests]


def test_a_seed_gives_the_same_faults_in_any_order_of_arrival() -> None:
    """The fault of a request follows from the request alone, not from other requests."""
    faults = dict(zip(REQUESTS, _faults(RandomFaults(rate=0.3, seed=7), REQUESTS), strict=True))
    other = REQUESTS.copy()
    Random(3).shuffle(other)
    assert dict(zip(other, _faults(RandomFaults(rate=0.3, seed=7), other), strict=True)) == faults


def test_another_seed_gives_other_faults() -> None:
    """Seeds differ in the requests that get faults."""
    first, second = (_faults(RandomFaults(rate=0.3, seed=seed), REQUESTS) for seed in (1, 2))
    assert [bool(fault) for fault in first] != [bool(fault) for fault in second]


def test_a_repeated_request_is_drawn_again() -> None:
    """Only some repetitions of a request get a fault, and a seed repeats them."""
    repeated = REQUESTS[:1] * 200
    faults = _faults(RandomFaults(rate=0.5, seed=7), repeated)
    assert 50 < sum(fault is not None for fault in faults) < 150
    assert _faults(RandomFaults(rate=0.5, seed=7), repeated) == faults


@pytest.mark.parametrize(("rate", "low", "high"), [(0.0, 0, 0), (0.2, 60, 140), (1.0, 500, 500)])
def test_the_rate_is_the_share_of_requests_with_faults(rate: float, low: int, high: int) -> None:
    """None at 0, all at 1, about a fifth at 0.2."""
    assert low <= sum(fault is not None for fault in _faults(RandomFaults(rate=rate, seed=7), REQUESTS)) <= high


def test_all_given_kinds_occur_and_no_others() -> None:
    """Kinds, statuses and the time of the commit follow from the seed as well."""
    faults = [
        fault
        for fault in _faults(RandomFaults(rate=1.0, seed=7, kinds=("dropped_connection", "error_status")), REQUESTS)
        if fault
    ]
    assert {fault.kind for fault in faults} == {"dropped_connection", "error_status"}
    assert {fault.status for fault in faults} == {500, 502, 503, 504}
    assert {fault.after_commit for fault in faults} == {True, False}
    all_faults = [fault for fault in _faults(RandomFaults(rate=1.0, seed=7), REQUESTS) if fault]
    assert {fault.kind for fault in all_faults} == set(RECOVERABLE) <= set(KINDS)


def test_writes_get_no_list_faults() -> None:
    """A POST gets no fault of lists; with `methods`, other methods get none."""
    posts = [("POST", "/jobs", "", str(number).encode()) for number in range(300)]
    assert not {fault.kind for fault in _faults(RandomFaults(rate=1.0), posts) if fault} & LIST_FAULTS
    assert not any(_faults(RandomFaults(rate=1.0, methods=("PUT",)), posts + REQUESTS))
    assert all(_faults(RandomFaults(rate=1.0, methods=("GET",)), REQUESTS))


def test_requests_differ_by_their_bodies() -> None:
    """Two creates at the same path are drawn separately."""
    posts = [("POST", "/jobs", "", str(number).encode()) for number in range(100)]
    assert len({fault is None for fault in _faults(RandomFaults(rate=0.5), posts)}) == 2


def test_two_sandboxes_with_one_seed_have_the_same_faults() -> None:
    """They respond in the same way, and record the fault of each request."""

    def recorded_faults(kinds: tuple[Kind, ...]) -> list[tuple[str | None, int | None]]:
        with Sandbox(customers=3, random_faults=RandomFaults(rate=0.4, seed=3, kinds=kinds)) as sandbox:
            for page in range(1, 31):
                with contextlib.suppress(http.client.HTTPException, ConnectionError):
                    SandboxClient(sandbox).get("/jobs", page=page, limit=1)
            return [(request.fault, request.status) for request in sandbox.requests]

    first = recorded_faults(("error_status", "dropped_connection", "quota_exceeded", "not_json"))
    assert first == recorded_faults(("error_status", "dropped_connection", "quota_exceeded", "not_json"))
    assert {fault for fault, _ in first} == {None, "error_status", "dropped_connection", "quota_exceeded", "not_json"}


def test_a_queued_fault_comes_before_random_faults() -> None:
    """A fault that a test queues always happens."""
    with Sandbox(customers=3, random_faults=RandomFaults(rate=1.0, kinds=("quota_exceeded",))) as sandbox:
        sandbox.add_fault(Fault("error_in_200"))
        assert [SandboxClient(sandbox).get("/jobs").status for _ in range(2)] == [200, 429]
