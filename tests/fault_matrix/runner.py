"""One point: set up the account, carry out the operation, and return the invariants that did not hold."""

from __future__ import annotations

import shutil
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from random import Random

from fieldpulse_sandbox.faults.fault import Fault, Kind
from fieldpulse_sandbox.faults.random_faults import RandomFaults
from fieldpulse_sandbox.sandbox import Sandbox
from tests.fault_matrix.operations.tap import READ_OPERATIONS, Config, TapCheck
from tests.fault_matrix.operations.target import WRITE_OPERATIONS, TargetCheck
from tests.harness.results import RunResult

from . import processes
from .accounts import behaviour_of
from .fault_scenarios import SCENARIOS, TIMEOUT_SECONDS
from .machine_faults import Machine, SteppingClock
from .office import OfficeClock
from .plugins import Message, run_tap, run_target
from .points import Point
from .server_pulse import ServerPulse

_UNCERTAIN_CREATE_TIMEOUTS = (2.0, 8.0, 30.0)
"""Seconds for slow scenarios, tried in turn: the next one if the server was late in the last."""
_MAX_DELAY_SHARE = 1 / 8  # of that timeout: a longer delay of the server makes the result worthless
_MEMORY = Path("/dev/shm")


def check_point(point: Point) -> list[str]:
    """Return a description of each invariant that does not hold at a point."""
    scenario = SCENARIOS[point.scenario]
    if scenario.machine_fault:
        complete = _PointRun(point)
        complete.run()
        return _PointRun(point, complete=complete).run()
    if not scenario.is_slow or point.operation in READ_OPERATIONS:
        return _PointRun(point).run()
    for seconds in _UNCERTAIN_CREATE_TIMEOUTS:
        run = _PointRun(point, uncertain_create_timeout_seconds=seconds)
        failures = run.run()
        if run.longest_delay_seconds < seconds * _MAX_DELAY_SHARE:
            return failures
    msg = f"the server was late by {run.longest_delay_seconds:.1f} s: this machine is too busy for slow scenarios"
    raise TimeoutError(msg)


def check_point_safely(point: Point) -> list[str]:
    """Check a point; an exception in the matrix itself counts as a failure of the point."""
    try:
        return check_point(point)
    except Exception:  # noqa: BLE001  one point must not end the others
        return [f"the matrix failed: {traceback.format_exc()}"]


class _PointRun:
    """One run of a point.

    `request_count` is the number of requests of the run with faults, `largest_file_bytes` the size of the largest file
    at the end: a fault of the machine needs them from `complete`, a run without it. `longest_delay_seconds` is the
    longest delay of the server.
    """

    def __init__(
        self, point: Point, *, complete: _PointRun | None = None, uncertain_create_timeout_seconds: float = 0
    ) -> None:
        self._point, self._scenario, self._complete = point, SCENARIOS[point.scenario], complete
        self._settle_seconds = uncertain_create_timeout_seconds
        self.request_count, self.largest_file_bytes, self.longest_delay_seconds = 0, 0, 0.0
        self._random, self._clock = Random(str(point)), OfficeClock()

    def run(self) -> list[str]:
        """Return a description of each invariant that does not hold."""
        behaviour, random = behaviour_of(self._point.profile), self._random
        customers = random.choice((6, 12)) if behaviour.honour_limit else 30  # more than one page of 20 rows
        seed = random.randrange(8)
        self._box = Sandbox(customers=customers, seed=seed, behaviour=behaviour, clock=self._clock)
        self._folder = Path(tempfile.mkdtemp(prefix="fieldpulse-matrix-", dir=_MEMORY if _MEMORY.is_dir() else None))
        pulse = ServerPulse(self._box)
        try:
            with self._box, pulse:
                return self._read() if self._point.operation in READ_OPERATIONS else self._write()
        finally:
            self.largest_file_bytes = max((path.stat().st_size for path in self._folder.iterdir()), default=0)
            self.longest_delay_seconds = pulse.longest_delay_seconds
            shutil.rmtree(self._folder, ignore_errors=True)

    def _read(self) -> list[str]:
        reading, scenario, random = READ_OPERATIONS[self._point.operation], self._scenario, self._random
        watch = TapCheck(self._box, self._clock, reading, random, self._folder)
        streams = (*reading.streams, *reading.extra_streams)

        def faulty(config: Config, state: Message | None) -> list[RunResult]:
            if self._complete and self._complete.request_count:
                return self._run_on_machine(processes.tap_command(config, streams, state, self._folder), self._complete)
            short = {"timeout_seconds": TIMEOUT_SECONDS} if scenario.is_slow else {}
            without: frozenset[Kind] = frozenset({"concurrent_edit"} if reading.needs_update_times else ())
            with self._inject(
                scenario.sample_faults(random, ("GET",)), scenario.random_faults(random, without=without)
            ):
                return [run_tap({**config, **short}, *streams, state=state)]

        return list(watch.run(faulty))

    def _write(self) -> list[str]:
        scenario, random = self._scenario, self._random
        work = WRITE_OPERATIONS[self._point.operation](self._box, random, f"{self._point.seed}z")
        writing = TargetCheck(self._box, work, random, self._folder)

        def faulty(config: Config, text: str) -> list[RunResult]:
            if self._complete and self._complete.request_count:
                return self._run_on_machine(processes.target_command(config, text, self._folder), self._complete)
            slow = {"timeout_seconds": TIMEOUT_SECONDS, "uncertain_create_timeout_seconds": self._settle_seconds}
            faults = scenario.sample_faults(random, (None, "GET", "POST", "POST", "PUT", "DELETE"))
            with self._inject(
                faults, scenario.random_faults(random, without=frozenset({"concurrent_edit", "error_in_200"}))
            ):
                return [run_target({**config, **(slow if scenario.is_slow else {})}, text)]

        return list(writing.run(faulty))

    @contextmanager
    def _inject(self, faults: list[Fault], random_faults: RandomFaults | None) -> Iterator[None]:
        """Inject faults during the block, and no longer."""
        before = len(self._box.requests)
        for fault in faults:
            self._box.add_fault(fault)
        self._box._faults.random_faults = random_faults
        hours = self._scenario.clock_hours
        try:
            with SteppingClock(self._box, self._random, hours) if hours else nullcontext():
                yield
        finally:
            self._box._faults.random_faults = None
            self._box._faults.waiting.clear()
            self.request_count = len(self._box.requests) - before

    def _run_on_machine(self, command: list[str], complete: _PointRun) -> list[RunResult]:
        machine = Machine(self._box, self._random, self._folder, complete.request_count, complete.largest_file_bytes)
        try:
            return machine.run(self._scenario.machine_fault, command)
        finally:
            self._box.on_request = None
