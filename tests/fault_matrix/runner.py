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

from fieldpulse_sandbox.faults.fault import Fault, Kind
from fieldpulse_sandbox.faults.random_faults import Chaos
from fieldpulse_sandbox.sandbox import Sandbox
from tests.fault_matrix.operations.tap import READINGS, Config, Watch
from tests.fault_matrix.operations.target import WORKS, Writing
from tests.harness.results import RunResult

from . import processes
from .accounts import behaviour_of
from .fault_scenarios import TIMEOUT_SECONDS, TROUBLES
from .office import Clock
from .plugins import Message, run_tap, run_target
from .points import Point
from .server_pulse import Pulse

_SETTLE_SECONDS = (2.0, 8.0, 30.0)
"""How long a create may still be carried out, where answers come late: the next where the server stood still."""
_STANDSTILL = 1 / 8  # of that time: no longer may the server have done nothing
_MEMORY = Path("/dev/shm")


def visit(point: Point) -> list[str]:
    """Return what does not hold at a point."""
    trouble = TROUBLES[point.trouble]
    if trouble.signal:
        lived = _Visit(point)
        lived.run()
        return _Visit(point, sent=lived.sent).run()
    if not trouble.is_slow or point.operation in READINGS:
        return _Visit(point).run()
    for seconds in _SETTLE_SECONDS:
        one = _Visit(point, uncertain_create_timeout_seconds=seconds)
        found = one.run()
        if one.stood_still < seconds * _STANDSTILL:
            return found
    msg = f"the server stood still for {one.stood_still:.1f} s: this machine is too busy to tell"
    raise TimeoutError(msg)


def visited(point: Point) -> list[str]:
    """Visit a point; that the matrix itself fails there is one more thing that is wrong."""
    try:
        return visit(point)
    except Exception:  # noqa: BLE001  one point must not end the others
        return [f"the matrix failed: {traceback.format_exc()}"]


class _Visit:
    """One visit.

    `sent` is how many requests the run that things befall sends: found out by a run that lives, and known before one
    that is killed. `stood_still` is by how many seconds the server was late, at most.
    """

    def __init__(self, point: Point, *, sent: int = 0, uncertain_create_timeout_seconds: float = 0) -> None:
        self._point, self._trouble = point, TROUBLES[point.trouble]
        self._settle_seconds = uncertain_create_timeout_seconds
        self.sent, self.stood_still = sent, 0.0
        self._chance, self._clock = Random(str(point)), Clock()

    def run(self) -> list[str]:
        """Return what does not hold."""
        behaviour, chance = behaviour_of(self._point.profile), self._chance
        customers = chance.choice((6, 12)) if behaviour.honour_limit else 30  # several pages, where a page has 20 rows
        seed = chance.randrange(8)
        self._box = Sandbox(customers=customers, seed=seed, behaviour=behaviour, clock=self._clock)
        self._folder = Path(tempfile.mkdtemp(prefix="fieldpulse-matrix-", dir=_MEMORY if _MEMORY.is_dir() else None))
        pulse = Pulse(self._box)
        try:
            with self._box, pulse, pytest.MonkeyPatch.context() as environment:
                environment.setenv("SSL_CERT_DIR", str(self._folder))  # empty: real certificates take 30 ms a client
                return self._read() if self._point.operation in READINGS else self._write()
        finally:
            self.stood_still = pulse.stood_still
            shutil.rmtree(self._folder, ignore_errors=True)

    def _read(self) -> list[str]:
        reading, trouble, chance = READINGS[self._point.operation], self._trouble, self._chance
        watch = Watch(self._box, self._clock, reading, chance, self._folder)
        streams = (*reading.streams, *reading.more)

        def faulty(config: Config, state: Message | None) -> RunResult:
            if trouble.signal and self.sent:
                return processes.tap(config, streams, state, self._death(), self._folder)
            short = {"timeout_seconds": TIMEOUT_SECONDS} if trouble.is_slow else {}
            without: frozenset[Kind] = frozenset({"slide"} if reading.is_stamped else ())
            with self._struck(trouble.faults(chance, ("GET",)), trouble.chaos(chance, without=without)):
                return run_tap({**config, **short}, *streams, state=state)

        return list(watch.run(faulty))

    def _write(self) -> list[str]:
        trouble, chance = self._trouble, self._chance
        work = WORKS[self._point.operation](self._box, chance, f"{self._point.seed}z")
        writing = Writing(self._box, work, chance, self._folder)

        def faulty(config: Config, text: str) -> RunResult:
            if trouble.signal and self.sent:
                return processes.target(config, text, self._death(), self._folder)
            slow = {"timeout_seconds": TIMEOUT_SECONDS, "uncertain_create_timeout_seconds": self._settle_seconds}
            faults = trouble.faults(chance, (None, "GET", "POST", "POST", "PUT", "DELETE"))
            with self._struck(faults, trouble.chaos(chance, without=frozenset({"slide", "error200"}))):
                return run_target({**config, **(slow if trouble.is_slow else {})}, text)

        return list(writing.run(faulty))

    @contextmanager
    def _struck(self, faults: list[Fault], chaos: Chaos | None) -> Iterator[None]:
        """Let faults befall a run, and no longer."""
        before = len(self._box.requests)
        for one in faults:
            self._box.fail(one)
        self._box._faults.chaos = chaos
        try:
            yield
        finally:
            self._box._faults.chaos = None
            self._box._faults.queue.clear()
            self.sent = len(self._box.requests) - before

    def _death(self) -> processes.Death:
        after = self._chance.randrange(1, self.sent + 1)
        seconds = self._chance.choice((0.0, self._chance.random() / 50))
        return processes.Death(self._trouble.signal, self._box, after=after, seconds=seconds)
