"""Many small accounts: how long a round takes, and what of the machine."""

from __future__ import annotations

import json
import os
import resource
import threading
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from pathlib import Path

from fieldpulse_sandbox.sandbox import Sandbox

from .account_server import most_requests_in_a_second
from .engine import Engine, wait_for

_SECONDS = 3600
_SECONDS_TO_START = 120  # for Dagster, also on a busy machine
_ENDED = """{ runsOrError(filter: {pipelineName: "fieldpulse", statuses: [SUCCESS, FAILURE, CANCELED]}) {
  ... on Runs { count } } }"""


def measure(engine: Engine, accounts: Mapping[str, Sandbox], rounds: int, streams: str) -> int:
    """Run rounds of all accounts, of which only the first finds anything. Print a line for each."""
    engine.write_accounts({name: account.key for name, account in accounts.items()})
    wrong = 0
    if streams:
        engine.variables["TAP_FIELDPULSE__SELECT"] = json.dumps([f"{name}.*" for name in streams.split(",")])
    for round_number in range(1, rounds + 1):
        memory = _Memory(engine)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        requests = sum(len(account.requests) for account in accounts.values())
        engine.variables["FIELDPULSE_CRON"] = _once()
        engine.start()
        done = f"{len(accounts)} runs in round {round_number}"
        wait_for(done, lambda: _ended(engine) >= len(accounts) * round_number, _SECONDS, every_seconds=5)  # noqa: B023
        runs = engine.runs()[len(accounts) * (round_number - 1) :][: len(accounts)]
        engine.stop()
        memory.stop()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        wall = max(run.ended for run in runs) - min(run.began for run in runs)
        failed = sum(run.status != "SUCCESS" for run in runs)
        wrong += failed
        sent = sum(len(account.requests) for account in accounts.values()) - requests
        print(
            f"round {round_number}: {len(runs)} accounts, {failed} failed, {wall:.0f} s, {cpu:.0f} s of CPU "
            f"({cpu / len(runs):.1f} s each), {memory.most / 1e6:,.0f} MB, {sent} requests",
            flush=True,
        )
    most = max(map(most_requests_in_a_second, accounts.values()))
    print(f"load of the machine {os.getloadavg()[2]:.1f}; at most {most} requests of a key in a second")
    return int(wrong > 0 or most > 50)


def _once() -> str:
    """Return a schedule with a single tick in this round: the runs of a second one would be stopped with the engine."""
    tick = datetime.now(timezone.utc) + timedelta(seconds=_SECONDS_TO_START)
    return f"{tick.minute} {tick.hour} * * *"


def _ended(engine: Engine) -> int:
    return int(engine.ask(_ENDED)["runsOrError"]["count"])


class _Memory:
    """The most memory that the processes of an engine had together; shared pages count once."""

    def __init__(self, engine: Engine) -> None:
        self.most = 0
        self._engine, self._is_over = engine, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._is_over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._is_over.wait(2):
            self.most = max(self.most, sum(map(_bytes_of, _with_descendants(self._engine.process_ids))))


def _with_descendants(process_ids: list[int]) -> set[int]:
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
    found = set(process_ids)
    while more := {child for child, parent in parents.items() if parent in found and child not in found}:
        found |= more
    return found


def _bytes_of(process_id: int) -> int:
    try:
        lines = Path(f"/proc/{process_id}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)
