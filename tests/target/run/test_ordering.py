"""The order of writes, and the states behind them."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target_fieldpulse.run.keyed_executor import KeyedExecutor
from target_fieldpulse.run.state_queue import StateQueue


def test_work_on_one_key_runs_in_order() -> None:
    """However many threads there are."""
    executor, done = KeyedExecutor(8, threading.Event()), []
    for number in range(200):
        executor.submit(lambda number=number: done.append((number % 5, number)), writes=[("k", number % 5)])  # type: ignore[misc]
    executor.finish()
    for key in range(5):
        numbers = [number for done_key, number in done if done_key == key]
        assert numbers == sorted(numbers)
    assert len(done) == 200


def test_work_waits_for_the_keys_that_it_reads() -> None:
    """A job waits for its customer; two jobs of one customer do not wait for each other."""
    executor, parent, together = (
        KeyedExecutor(4, threading.Event()),
        threading.Event(),
        threading.Barrier(2, timeout=10),
    )
    order: list[str] = []
    executor.submit(lambda: (parent.wait(10), order.append("customer")), writes=[("customer", 1)])  # type: ignore[arg-type,func-returns-value,return-value]
    for _ in range(2):
        executor.submit(lambda: (together.wait(), order.append("job")), writes=[], after=[("customer", 1)])  # type: ignore[arg-type,func-returns-value,return-value]
    parent.set()
    executor.finish()
    assert order == ["customer", "job", "job"]


def test_a_stopped_executor_starts_no_more_work() -> None:
    """Work in flight ends; work that waits does not start."""
    stopped, gate, done = threading.Event(), threading.Event(), []
    executor = KeyedExecutor(1, stopped)
    executor.submit(lambda: (gate.wait(10), done.append(1)), writes=[])  # type: ignore[arg-type,func-returns-value,return-value]
    executor.submit(lambda: done.append(2), writes=[])
    stopped.set()
    gate.set()
    executor.finish(10)
    assert done == [1]


def test_submit_blocks_while_the_executor_is_full() -> None:
    """A tap that is faster than the API must not fill the memory."""
    executor, gate, taken = KeyedExecutor(1, threading.Event()), threading.Event(), []

    def fill() -> None:
        for number in range(4):
            executor.submit(lambda: gate.wait(10), writes=[])  # type: ignore[arg-type,return-value]
            taken.append(number)

    reader = threading.Thread(target=fill)
    reader.start()
    reader.join(timeout=0.3)
    assert len(taken) == 2
    gate.set()
    reader.join()
    executor.finish()
    assert len(taken) == 4


@given(st.lists(st.sampled_from(["record", "state", "end"]), max_size=40), st.randoms(use_true_random=False))
def test_a_state_is_emitted_once_all_records_before_it_are_done(parts: list[str], chance: random.Random) -> None:
    """Whatever the order in which records end, a state is never emitted early or twice, and none is lost."""
    emitted: list[dict[str, int]] = []
    acknowledged = StateQueue(emitted.append)
    under_way: list[int] = []
    behind: dict[int, set[int]] = {}
    for number, part in enumerate(parts):
        if part == "record":
            under_way.append(acknowledged.open_ticket())
        elif part == "state":
            behind[number] = set(under_way)
            acknowledged.append({"n": number})
        elif under_way:
            acknowledged.close_ticket(under_way.pop(chance.randrange(len(under_way))))
        assert all(not behind[state["n"]] & set(under_way) for state in emitted)
    chance.shuffle(under_way)
    while under_way:
        acknowledged.close_ticket(under_way.pop())
        assert all(not behind[state["n"]] & set(under_way) for state in emitted)
    numbers = [state["n"] for state in emitted]
    assert numbers == sorted(set(numbers))
    assert numbers[-1:] == sorted(behind)[-1:]


@pytest.mark.parametrize("order", [[1, 2], [2, 1]])
def test_a_state_between_two_records_waits_only_for_the_first(order: list[int]) -> None:
    """Records after a state do not hold it back."""
    emitted: list[dict[str, int]] = []
    acknowledged = StateQueue(emitted.append)
    tickets = {1: acknowledged.open_ticket()}
    acknowledged.append({"n": 1})
    tickets[2] = acknowledged.open_ticket()
    seen: Callable[[], int] = lambda: len(emitted)  # noqa: E731
    acknowledged.close_ticket(tickets[order[0]])
    assert seen() == (1 if order[0] == 1 else 0)
    acknowledged.close_ticket(tickets[order[1]])
    assert seen() == 1
