"""One point visited: the account set up, the operation carried out, and what did not hold."""

from __future__ import annotations

import shutil
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest

from fieldpulse_sandbox.chaos import Chaos
from fieldpulse_sandbox.faults import Fault
from fieldpulse_sandbox.server import Sandbox

from . import processes
from .account import Clock
from .plugins import Message, Told, run_tap, run_target
from .points import Point
from .profiles import behaviour_of
from .tap_operations import READINGS, Config, Watch
from .target_operations import WORKS, Writing
from .troubles import TIMEOUT_SECONDS, TROUBLES

SETTLE_SECONDS = 2.0  # much longer than the slowest answer
_MEMORY = Path("/dev/shm")


def visit(point: Point) -> list[str]:
    """Return what does not hold at a point."""
    chance, clock = Random(str(point)), Clock()
    folder = Path(tempfile.mkdtemp(prefix="fieldpulse-matrix-", dir=_MEMORY if _MEMORY.is_dir() else None))
    behaviour = behaviour_of(point.profile)
    customers = chance.choice((6, 12)) if behaviour.honour_limit else 30  # several pages, where a page has 20 rows
    box = Sandbox(customers=customers, seed=chance.randrange(8), behaviour=behaviour, clock=clock)
    try:
        with box, pytest.MonkeyPatch.context() as environment:
            environment.setenv("SSL_CERT_DIR", str(folder))  # empty: to read real certificates takes 30 ms a client
            if point.operation in READINGS:
                return _read(point, box, clock, chance, folder)
            return _write(point, box, chance, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def visited(point: Point) -> list[str]:
    """Visit a point; that the matrix itself fails there is one more thing that is wrong."""
    try:
        return visit(point)
    except Exception:  # noqa: BLE001  one point must not end the others
        return [f"the matrix failed: {traceback.format_exc()}"]


def _read(point: Point, box: Sandbox, clock: Clock, chance: Random, folder: Path) -> list[str]:
    reading, trouble = READINGS[point.operation], TROUBLES[point.trouble]
    watch = Watch(box, clock, reading, chance, folder)
    streams = (*reading.streams, *reading.more)

    def faulty(config: Config, state: Message | None) -> Told:
        if trouble.signal:
            return processes.tap(config, streams, state, _death(trouble.signal, box, chance), folder)
        short = {"timeout_seconds": TIMEOUT_SECONDS} if trouble.is_slow else {}
        with _struck(
            box,
            trouble.faults(chance, ("GET",)),
            trouble.chaos(chance, without=frozenset({"slide"} if reading.is_stamped else ())),
        ):
            return run_tap({**config, **short}, *streams, state=state)

    return list(watch.run(faulty))


def _write(point: Point, box: Sandbox, chance: Random, folder: Path) -> list[str]:
    trouble = TROUBLES[point.trouble]
    work = WORKS[point.operation](box, chance, f"{point.seed}z")
    writing = Writing(box, work, chance, folder)

    def faulty(config: Config, text: str) -> Told:
        if trouble.signal:
            return processes.target(config, text, _death(trouble.signal, box, chance), folder)
        slow = {"timeout_seconds": TIMEOUT_SECONDS, "settle_seconds": SETTLE_SECONDS} if trouble.is_slow else {}
        faults = trouble.faults(chance, (None, "GET", "POST", "POST", "PUT", "DELETE"))
        with _struck(box, faults, trouble.chaos(chance, without=frozenset({"slide", "error200"}))):
            return run_target({**config, **slow}, text)

    return list(writing.run(faulty))


@contextmanager
def _struck(box: Sandbox, faults: list[Fault], chaos: Chaos | None) -> Iterator[None]:
    """Let faults befall a run, and no longer."""
    for one in faults:
        box.fail(one)
    box._faults.chaos = chaos
    try:
        yield
    finally:
        box._faults.chaos = None
        box._faults.queue.clear()


def _death(signal: str, box: Sandbox, chance: Random) -> processes.Death:
    return processes.Death(
        signal, box, after=chance.randrange(1, 40), seconds=chance.choice((0.0, chance.random() / 50))
    )
