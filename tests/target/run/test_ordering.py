"""The order of writes, and of the states that acknowledge them."""

from __future__ import annotations

import random
import threading
from weakref import WeakValueDictionary

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target_fieldpulse.run.keyed_executor import KeyedExecutor
from target_fieldpulse.run.state_queue import StateQueue


def test_work_on_one_key_runs_in_order() -> None:
    """The order does not depend on the number of threads."""
    executor, finished = KeyedExecutor(8, threading.Event()), []
    for number in range(200):
        executor.submit(lambda number=number: finished.append((number % 5, number)), writes=[("k", number % 5)])  # type: ignore[misc]
    executor.finish()
    for key in range(5):
        numbers = [number for finished_key, number in finished if finished_key == key]
        assert numbers == sorted(numbers)
    assert len(finished) == 200


def test_work_waits_for_the_keys_that_it_reads() -> None:
    """A job waits for its customer. Two jobs of one customer run at the same time."""
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


def test_a_key_that_takes_long_holds_up_no_other_key() -> None:
    """As many records as there are threads wait behind it, and keep their order."""
    executor, gate, others = KeyedExecutor(2, threading.Event()), threading.Event(), threading.Semaphore(0)
    order: list[int] = []
    executor.submit(lambda: gate.wait(30), writes=[("k", "slow")])  # type: ignore[arg-type,return-value]
    for number in range(100):
        executor.submit(lambda number=number: order.append(number), writes=[("k", "slow")])  # type: ignore[misc]
    for number in range(10):
        executor.submit(others.release, writes=[("k", number)])
    assert all(others.acquire(timeout=10) for _ in range(10))
    assert order == []
    gate.set()
    executor.finish()
    assert order == list(range(100))


def test_a_stopped_executor_starts_no_queued_work() -> None:
    """Running work ends normally."""
    stopped, gate, finished = threading.Event(), threading.Event(), []
    executor = KeyedExecutor(1, stopped)
    executor.submit(lambda: (gate.wait(10), finished.append(1)), writes=[])  # type: ignore[arg-type,func-returns-value,return-value]
    executor.submit(lambda: finished.append(2), writes=[])
    stopped.set()
    gate.set()
    executor.finish(10)
    assert finished == [1]


def test_submit_blocks_while_the_executor_is_full() -> None:
    """The records of a tap that is faster than the API would otherwise fill the memory."""
    executor, gate, accepted = KeyedExecutor(1, threading.Event()), threading.Event(), []

    def fill() -> None:
        for number in range(4):
            executor.submit(lambda: gate.wait(10), writes=[])  # type: ignore[arg-type,return-value]
            accepted.append(number)

    reader = threading.Thread(target=fill)
    reader.start()
    reader.join(timeout=0.3)
    assert len(accepted) == 2
    gate.set()
    reader.join()
    executor.finish()
    assert len(accepted) == 4


@given(st.lists(st.sampled_from(["record", "state", "end"]), max_size=40), st.randoms(use_true_random=False))
def test_a_state_is_emitted_once_all_records_before_it_are_done(events: list[str], chance: random.Random) -> None:
    """In any order of ends, no state is emitted early or twice, and the last one is emitted."""
    emitted: list[dict[str, int]] = []
    state_queue = StateQueue(emitted.append)
    open_tickets: list[int] = []
    tickets_before: dict[int, set[int]] = {}
    for number, event in enumerate(events):
        if event == "record":
            open_tickets.append(state_queue.open_ticket())
        elif event == "state":
            tickets_before[number] = set(open_tickets)
            state_queue.append({"n": number})
        elif open_tickets:
            state_queue.close_ticket(open_tickets.pop(chance.randrange(len(open_tickets))))
        assert all(not tickets_before[state["n"]] & set(open_tickets) for state in emitted)
    chance.shuffle(open_tickets)
    while open_tickets:
        state_queue.close_ticket(open_tickets.pop())
        assert all(not tickets_before[state["n"]] & set(open_tickets) for state in emitted)
    numbers = [state["n"] for state in emitted]
    assert numbers == sorted(set(numbers))
    assert numbers[-1:] == sorted(tickets_before)[-1:]


@pytest.mark.parametrize("order", [[1, 2], [2, 1]])
def test_a_state_between_two_records_waits_only_for_the_first(order: list[int]) -> None:
    """Records after a state do not delay it."""
    emitted: list[dict[str, int]] = []
    state_queue = StateQueue(emitted.append)
    tickets = {1: state_queue.open_ticket()}
    state_queue.append({"n": 1})
    tickets[2] = state_queue.open_ticket()
    state_queue.close_ticket(tickets[order[0]])
    assert len(emitted) == (1 if order[0] == 1 else 0)
    state_queue.close_ticket(tickets[order[1]])
    assert len(emitted) == 1


def test_states_behind_an_open_ticket_take_no_memory() -> None:
    """Of the states that wait for the same record, only the newest is stored, however many come."""

    class Bookmark(dict[str, int]):
        """A state that tells whether it is still stored."""

    emitted: list[dict[str, int]] = []
    state_queue, bookmarks = StateQueue(emitted.append), WeakValueDictionary[int, Bookmark]()
    for number in range(100):
        ticket = state_queue.open_ticket()
        state_queue.append(bookmarks.setdefault(number, Bookmark(n=number)))
        (state_queue.hold if number % 10 == 0 else state_queue.close_ticket)(ticket)
    assert len(bookmarks) < 10
    assert emitted == []
    state_queue.release()
    assert emitted == [{"n": 99}]
