"""Faults of the machine under a run: a process that is killed or suspended, a lost lock, a full disk, a mute store."""

from __future__ import annotations

import signal
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from random import Random

import time_machine

from fieldpulse_sandbox.sandbox import Sandbox
from fieldpulse_sandbox.server.recorded_request import RecordedRequest
from tests.harness.results import RunResult

from .processes import PluginProcess

SIGNALS = {"kill": signal.SIGKILL, "term": signal.SIGTERM}
_HOUR = 3600.0
_OUTPUT_BYTES = 50_000  # of a run that writes nothing else
_MUTE_SECONDS = (0.1, 0.5, 2.0)
_SUSPENDED_SECONDS = (0.0, 0.05, 0.3)


@dataclass
class Machine:
    """The machine of one run. A fault comes a moment after one of the `request_count` requests of a run without it.

    `largest_file_bytes` is the size of the largest file that such a run writes.
    """

    sandbox: Sandbox
    random: Random
    folder: Path
    request_count: int
    largest_file_bytes: int

    def run(self, fault: str, command: list[str]) -> list[RunResult]:
        """Run a command under a fault. Return the results of all its processes, in the order of their ends."""
        return MACHINE_FAULTS[fault].run(self, command)

    def at_moment(self, act: Callable[[], None]) -> threading.Event:
        """Do something in a thread of its own, at a seeded moment. The event is set when it is done."""
        left = self.random.randrange(1, self.request_count + 1)
        seconds = self.random.choice((0.0, self.random.random() / 50))
        done = threading.Event()

        def act_and_tell() -> None:
            act()
            done.set()

        def watch(_: RecordedRequest) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                threading.Timer(seconds, act_and_tell).start()

        self.sandbox.on_request = watch
        return done


def _end_by(signal_number: int) -> Callable[[Machine, list[str]], list[RunResult]]:
    def run(machine: Machine, command: list[str]) -> list[RunResult]:
        process = PluginProcess(command, machine.folder)
        machine.at_moment(lambda: process.send(signal_number))
        process.start()
        return [process.result()]

    return run


def _suspend_and_kill(machine: Machine, command: list[str]) -> list[RunResult]:
    """Suspend the process, as a closed lid does, and kill it before it goes on."""
    process, seconds = PluginProcess(command, machine.folder), machine.random.choice(_SUSPENDED_SECONDS)

    def act() -> None:
        process.send(signal.SIGSTOP)
        time.sleep(seconds)
        process.send(signal.SIGKILL)

    machine.at_moment(act)
    process.start()
    return [process.result()]


def _overtake(machine: Machine, command: list[str]) -> list[RunResult]:
    """Suspend the process, remove its locks, run the same command to its end, and let the first go on."""
    first, second = (PluginProcess(command, machine.folder, name) for name in ("first", "second"))
    suspended = machine.at_moment(lambda: first.send(signal.SIGSTOP))
    first.start()
    results = []
    if _wait_for(suspended, first):
        for path in machine.folder.glob("*.lock"):
            path.unlink()
        machine.sandbox.on_request = None
        second.start()
        results.append(second.result())
        first.send(signal.SIGCONT)
    return [*results, first.result()]


def _fill_disk(machine: Machine, command: list[str]) -> list[RunResult]:
    """Let no file grow beyond a size that a run without the fault reaches."""
    size = machine.random.randrange(machine.largest_file_bytes or _OUTPUT_BYTES)
    process = PluginProcess(command, machine.folder, max_file_bytes=size)
    process.start()
    return [process.result()]


def _mute_store(machine: Machine, command: list[str]) -> list[RunResult]:
    """Lock the store as another program may, for a while."""
    process, seconds = PluginProcess(command, machine.folder), machine.random.choice(_MUTE_SECONDS)

    def act() -> None:
        for path in machine.folder.glob("*.db"):
            with closing(sqlite3.connect(path, isolation_level=None)) as connection:
                connection.execute("BEGIN IMMEDIATE")
                time.sleep(seconds)
                connection.execute("ROLLBACK")

    machine.at_moment(act)
    process.start()
    return [process.result()]


def _wait_for(event: threading.Event, process: PluginProcess) -> bool:
    """Wait until the event, or until the process has ended. Return whether the event came."""
    while process.is_alive:
        if event.wait(0.01):
            return True
    return event.is_set()


@dataclass(frozen=True)
class MachineFault:
    """A fault in words, and what runs a command under it."""

    about: str
    run: Callable[[Machine, list[str]], list[RunResult]]


MACHINE_FAULTS = {
    "kill": MachineFault("the process ends by SIGKILL", _end_by(SIGNALS["kill"])),
    "term": MachineFault("the process gets SIGTERM", _end_by(SIGNALS["term"])),
    "suspended-kill": MachineFault("the process is suspended, then ends by SIGKILL", _suspend_and_kill),
    "overtaken": MachineFault(
        "the process is suspended and its locks are removed; a second run ends, then the first goes on", _overtake
    ),
    "disk-full": MachineFault("no file of the run can grow beyond a size that it needs", _fill_disk),
    "store-mute": MachineFault("another program locks the ledger or the snapshot for up to 2 s", _mute_store),
}


class SteppingClock:
    """The wall clock of this process, stepped at a seeded request. The server's clock goes on as before."""

    def __init__(self, sandbox: Sandbox, random: Random, hours: float) -> None:
        self._box, self._seconds = sandbox, hours * _HOUR
        self._left = random.choice((0, 1, 2, 3, 5, 8, 13))
        self._travel = time_machine.travel(time.time(), tick=True)

    def __enter__(self) -> None:
        """Begin to watch the requests; the clock is stepped at once if no request comes before."""
        self._clock = self._travel.start()
        self._box.on_request = self._count
        if not self._left:
            self._clock.shift(self._seconds)

    def __exit__(self, *exc: object) -> None:
        """Put the clock right."""
        self._box.on_request = None
        self._travel.stop()

    def _count(self, _: RecordedRequest) -> None:
        self._left -= 1
        if self._left == 0:
            self._clock.shift(self._seconds)
