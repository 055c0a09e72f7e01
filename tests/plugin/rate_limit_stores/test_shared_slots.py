"""Tests of rate limits in Redis and PostgreSQL: processes share the slots, and Lua does what Python does."""

from __future__ import annotations

import math
import multiprocessing
import time
from itertools import chain, pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fieldpulse_api.http.limits.monthly_quota import UNLIMITED, MonthCount, month_start
from fieldpulse_api.http.limits.rate_limit_file import key_hash
from fieldpulse_api.http.limits.rate_limiter import Operation, SlotState
from fieldpulse_plugin.rate_limit_stores import redis_store
from fieldpulse_plugin.rate_limit_stores.redis_store import RedisStore
from tests.plugin.rate_limit_stores.conftest import open_limiter

SLOT_FIELDS, MONTH_FIELDS = ["free_at", "paused_until", "reserved_at", "began_at"], ["since", "requests"]
DAY = 86400.0


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
    """Others can read the store: it has a hash of the key, for two hours, and a count for two months."""
    open_limiter(own_redis.url, key)._reserve(0.1)
    with own_redis.client() as client:
        name = f"fieldpulse:rate-limit:{key_hash(key)}"
        assert set(client.keys()) == {name, f"{name}:month"}
        assert 0 < client.ttl(name) <= 7200
        assert 61 * DAY < client.ttl(f"{name}:month") <= 62 * DAY
    assert key not in key_hash(key)


operations = st.sampled_from(
    [
        *(
            Operation(room=room, counted=counted, limit=limit)
            for room in (0.02, 1.0, 3600.0)
            for counted, limit in ((None, 3), (1, UNLIMITED), (1, 3), (7, 3))
        ),
        *(Operation(pause=pause) for pause in (0.5, 59.0, 1000.0)),
        *(Operation(counted=counted) for counted in (None, 0, 7)),
    ]
)
seconds_later = st.sampled_from([0.0, 0.01, 1.0, 30.0, 200.0, -30.0, -1e9])
days_later = st.sampled_from([0.0, 0.0, 3.0, 40.0, -0.01, -2.0])
damages = st.one_of(
    st.none(),
    st.tuples(st.sampled_from(SLOT_FIELDS + MONTH_FIELDS), st.sampled_from([math.nan, math.inf, -1.0, 0.0, 2.0, 9e9])),
)


@settings(max_examples=40)
@given(steps=st.lists(st.tuples(seconds_later, days_later, damages, operations), min_size=1, max_size=12))
def test_the_script_does_what_the_python_state_does(redis_url: str, steps: list) -> None:
    """The same operations, at the same times, on the same states, valid or damaged, have the same results."""
    store = RedisStore(redis_url, "lua", "")
    name, client, state = "fieldpulse:rate-limit:lua", store._client, SlotState(began_at=-1)
    client.delete(name, f"{name}:month")
    for seconds, days, damage, operation in steps:
        values = {field: value - seconds for field, value in zip(SLOT_FIELDS, state.numbers, strict=True)}
        values |= {"since": state.month.since - days * DAY, "requests": state.month.requests}
        values |= [] if damage is None else [damage]
        slots, month = ({field: values[field] for field in fields} for fields in (SLOT_FIELDS, MONTH_FIELDS))
        if client.exists(name):
            client.hset(name, mapping={field: repr(value) for field, value in slots.items()})
            state = SlotState(**slots, month=state.month)
        if client.exists(f"{name}:month"):
            client.hset(f"{name}:month", mapping={field: repr(value) for field, value in month.items()})
            state.month = MonthCount(**month)
        else:
            state.month = MonthCount()
        view = store.apply(operation, 1.5)
        if not state.is_valid(view.now):
            state.restart(view.now, 1.5)
        assert view == state.apply(operation, view.now)
        assert [float(value) for value in client.hmget(name, SLOT_FIELDS)] == list(state.numbers)
        if operation.counted is not None and view.requests == state.month.requests:  # else it need not be stored
            stored = client.hmget(f"{name}:month", MONTH_FIELDS)
            assert [float(value) for value in stored] == [state.month.since, state.month.requests]
    store.close()


@given(at=st.integers(0, 13_000_000_000))
def test_the_script_has_the_same_months(redis_url: str, at: int) -> None:
    """Redis has no calendar, so the script computes one."""
    script = (Path(redis_store.__file__).parent / "slots.lua").read_text()
    function = script[script.index("local function month_start") : script.index("local time =")]
    store = RedisStore(redis_url, "lua", "")
    found = store._client.eval(f"{function} return string.format('%d', month_start(tonumber(ARGV[1])))", 0, at)
    store.close()
    assert float(found) == month_start(at)
