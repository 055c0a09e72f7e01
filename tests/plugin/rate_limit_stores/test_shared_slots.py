"""Tests of rate limits in Redis and PostgreSQL: processes share the slots, and Lua does what Python does."""

from __future__ import annotations

import math
import multiprocessing
import time
from dataclasses import astuple, fields
from itertools import chain, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fieldpulse_api.http.rate_limit_file import key_hash
from fieldpulse_api.http.rate_limiter import Operation, SlotState
from fieldpulse_plugin.rate_limit_stores.redis_store import RedisStore
from tests.plugin.rate_limit_stores.conftest import open_limiter

FIELDS = [field.name for field in fields(SlotState)]


def test_three_processes_share_the_slots(store_url: str, key: str) -> None:
    """No sliding second has more slots than the rate, and no request starts before its slot."""
    began_at = time.monotonic()
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        found = pool.starmap(_reserve_and_start, [(store_url, key)] * 3)
    slots = sorted(chain.from_iterable(slots for slots, _ in found))
    starts = sorted(chain.from_iterable(starts for _, starts in found))
    assert len(slots) == 180
    assert max(sum(first <= slot < first + 1 for slot in slots) for first in slots) <= 45
    assert min(after - before for before, after in pairwise(slots)) >= 1 / 45 - 1e-6
    assert all(start - began_at >= index / 45 for index, start in enumerate(starts))


def _reserve_and_start(url: str, key: str) -> tuple[list[float], list[float]]:
    limiter = open_limiter(url, key, rate=45)
    starts = [(limiter.acquire(), time.monotonic())[1] for _ in range(15)]
    return [limiter._reserve(1 / 45).slot for _ in range(60)], starts


def test_a_pause_of_another_machine_delays_the_next_slot(store_url: str, key: str) -> None:
    """A 429 applies to all requests of the key, and is at most a minute long."""
    ours, other = (open_limiter(store_url, key) for _ in range(2))
    other.pause(500)
    assert 50 < ours._reserve(0.1).seconds <= 60


def test_a_new_state_begins_a_second_ahead(store_url: str, key: str) -> None:
    """Requests that the store does not count any more may have started just now."""
    reservation = open_limiter(store_url, key)._reserve(0.1)
    assert reservation.seconds == pytest.approx(1.0, abs=1e-6)
    assert reservation.slot - reservation.began_at == pytest.approx(1.0, abs=1e-6)


def test_the_store_does_not_know_the_key(redis_url: str, own_redis, key: str) -> None:
    """Others can read the store: it has a hash of the key, for two hours."""
    open_limiter(own_redis.url, key)._reserve(0.1)
    with own_redis.client() as client:
        assert client.keys() == [f"fieldpulse:rate-limit:{key_hash(key)}"]
        assert 0 < client.ttl(client.keys()[0]) <= 7200
    assert key not in key_hash(key)


operations = st.one_of(
    st.builds(Operation, st.sampled_from([0.02, 1.0, 3600.0]), st.just(0.0)),
    st.builds(Operation, st.just(0.0), st.sampled_from([0.5, 59.0, 1000.0])),
    st.just(Operation()),
)
seconds_later = st.sampled_from([0.0, 0.01, 1.0, 30.0, 200.0, -30.0, -1e9])
damages = st.one_of(
    st.none(), st.tuples(st.sampled_from(FIELDS), st.sampled_from([math.nan, math.inf, -1.0, 0.0, 9e9]))
)


@settings(max_examples=30)
@given(steps=st.lists(st.tuples(seconds_later, damages, operations), min_size=1, max_size=12))
def test_the_script_does_what_the_python_state_does(redis_url: str, steps: list) -> None:
    """The same operations, at the same times, on the same states, valid or damaged, have the same results."""
    store = RedisStore(redis_url, "lua", "")
    name, client, state = "fieldpulse:rate-limit:lua", store._client, SlotState(began_at=-1)
    client.delete(name)
    for seconds, damage, operation in steps:
        values = {field: value - seconds for field, value in zip(FIELDS, astuple(state), strict=True)}
        values |= [] if damage is None else [damage]
        if client.exists(name):
            client.hset(name, mapping={field: repr(value) for field, value in values.items()})
            state = SlotState(**values)
        view = store.apply(operation, 1.5)
        if not state.is_valid(view.now):
            state.restart(view.now, 1.5)
        assert view == state.apply(operation, view.now)
        stored = client.hmget(name, FIELDS)
        assert [float(value) for value in stored] == list(astuple(state))
    store.close()
