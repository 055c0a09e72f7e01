"""What must have come of the accounts: good ones are whole, and each of the others failed alone and in its own way."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from fieldpulse_api.resources.catalogue import BY_NAME
from fieldpulse_sandbox.sandbox import Sandbox

from .account_server import AccountServer, most_requests_in_a_second, new_account
from .engine import Engine, Run, wait_for

_GOOD = ("north", "south")
_SECONDS = 420
_CANCEL = """mutation ($run: String!) { terminateRun(runId: $run, terminatePolicy: SAFE_TERMINATE) { __typename } }"""
_TICKS = """{ scheduleOrError(scheduleSelector: {
  repositoryName: "__repository__", repositoryLocationName: "definitions.py", scheduleName: "every_account"
}) { ... on Schedule { scheduleState { ticks { status error { message } } } } } }"""


def check_all(engine: Engine, server: AccountServer) -> Iterator[str]:
    """Yield what is wrong. The schedule of the real daemon runs the accounts every minute."""
    by_hand = _hold(engine, server)
    engine.start()
    yield from _check_statuses(engine, server)
    by_hand.send_signal(signal.SIGTERM)
    if by_hand.wait(timeout=60) != 128 + signal.SIGTERM:
        yield f"the run by hand ended with {by_hand.returncode}"
    server.slow.clear()
    yield from _check_a_new_account(engine, server)
    yield from _check_second_round(engine)
    yield from _check_a_run_by_hand(engine, server)
    yield from _check_the_end_of_a_run(engine, server)
    yield from _check_a_crash(engine, server)
    states = engine.ask(_TICKS)["scheduleOrError"]["scheduleState"]["ticks"]
    yield from (f"a tick failed: {tick['error']}" for tick in states if tick["status"] == "FAILURE")
    engine.stop()
    for name in (*_GOOD, "flaky", "late"):
        yield from wrong_rows(engine.rows, name, server.accounts[name])
    yield from _check_limits_and_secrets(engine, server)


def _hold(engine: Engine, server: AccountServer) -> Any:
    """Start a run of the account `held` by hand, and return it while it reads."""
    server.slow.add("held")
    process = engine.meltano(
        *("run", "tap-fieldpulse", "target-postgres", "--state-id-suffix", "held"),
        TAP_FIELDPULSE_API_KEY_FILE=str(engine.keys / "held"),
        TARGET_POSTGRES_DEFAULT_TARGET_SCHEMA="held",
        MELTANO_SYS_DIR_ROOT=str(engine.folder / "by-hand"),
    )
    wait_for("a request of the run by hand", lambda: "held" in server.waiting, 120)
    return process


def _first(engine: Engine, name: str) -> Run:
    """Return the first run of an account, once it has ended."""
    run: Run = wait_for(
        f"the end of the run of {name}", lambda: next(filter(_ended, engine.runs(name)[:1]), None), _SECONDS
    )
    return run


def _ended(run: Run | None) -> Run | None:
    return run if run and run.ended else None


def _check_statuses(engine: Engine, server: AccountServer) -> Iterator[str]:
    """Yield which account ended otherwise than it must, or was tried more often than it may."""

    def is_retried() -> bool:
        return any(run.restarts for run in engine.runs("flaky"))

    wait_for("a retry of the account that is down", is_retried, _SECONDS)
    server.down.clear()
    expected = {
        "north": ("SUCCESS", "0", 0),
        "south": ("SUCCESS", "0", 0),
        "refused": ("FAILURE", "2", 0),
        "spent": ("FAILURE", "3", 0),
        "held": ("FAILURE", "4", 0),
        "Bad Name": ("FAILURE", "2", 0),
        "flaky": ("SUCCESS", "0", 1),
    }
    for name, outcome in expected.items():
        run = _first(engine, name)
        found = (run.status, run.exit_status, run.restarts)
        print(f"{name}: {' '.join(map(str, found))}, {run.ended - run.began:.1f} s", flush=True)
        if found[:2] != outcome[:2] or (found[2] > 0) != (outcome[2] > 0):
            yield f"{name}: {found}, not {outcome}"


def _check_a_new_account(engine: Engine, server: AccountServer) -> Iterator[str]:
    """Add a line and a key file; a tick of the schedule runs the account."""
    late = new_account("late", 99, customers=5)
    server.accounts["late"] = late
    (engine.keys / "late").write_text(late.key)
    with (engine.folder / "accounts.txt").open("a") as file:
        file.write("late\n")
    if (run := _first(engine, "late")).status != "SUCCESS":
        yield f"the new account: {run}"


def _check_second_round(engine: Engine) -> Iterator[str]:
    """Yield whether the schedule left an account out, or did not leave out the one without requests."""
    wait_for("a second run", lambda: all(len(engine.runs(name)) > 1 for name in (*_GOOD, "refused")), _SECONDS)
    if len(found := engine.runs("spent")) != 1:
        yield f"the account without requests was run {len(found)} times"


def _check_a_run_by_hand(engine: Engine, server: AccountServer) -> Iterator[str]:
    """Give an account its requests back, and run it by hand; the schedule must have it again."""
    spent = server.accounts["spent"]
    server.accounts["spent"] = new_account("spent", 4, customers=2)
    engine.materialize("spent")
    by_hand: Run = wait_for("the run by hand", lambda: _ended(engine.last_by_hand("spent")), _SECONDS)
    if by_hand.status != "SUCCESS":
        yield f"by hand: {by_hand}"
    wait_for("a run of the schedule behind it", lambda: not engine.runs("spent")[-1].is_by_hand, _SECONDS)
    server.accounts["spent"] = spent  # its pod needs it without requests


def _check_the_end_of_a_run(engine: Engine, server: AccountServer) -> Iterator[str]:
    """Cancel a run in the middle of its reading; tap and target must end too."""
    run = _run_that_waits(engine, server, "north")
    engine.ask(_CANCEL, run=run.run_id)
    wait_for("the end of what was cancelled", lambda: _last(engine, run.run_id).ended, 60)
    if _last(engine, run.run_id).status != "CANCELED":
        yield f"cancelled: {_last(engine, run.run_id)}"
    server.slow.discard("north")
    time.sleep(1)
    if left := _processes_of(engine.keys / "north"):
        yield f"processes go on after a cancelled run: {left}"


def _check_a_crash(engine: Engine, server: AccountServer) -> Iterator[str]:
    """Kill the engine in the middle of two runs. Once it runs again, the schedule must have their accounts again."""
    lost = [_run_by_hand_that_waits(engine, server, "late"), _run_that_waits(engine, server, "south")]
    engine.kill()
    server.slow.clear()
    engine.start()
    for run in lost:
        wait_for(f"a good run of {run.account} after the crash", lambda: _has_succeeded_since(engine, run), _SECONDS)  # noqa: B023
        if _last(engine, run.run_id).status != "FAILURE":
            yield f"the run that the crash ended: {_last(engine, run.run_id)}"


def _has_succeeded_since(engine: Engine, lost: Run) -> bool:
    return any(run.status == "SUCCESS" and run.began > lost.began for run in engine.runs(lost.account))


def _run_by_hand_that_waits(engine: Engine, server: AccountServer, name: str) -> Run:
    """Return a run of an account that a person asked for; it goes on, and waits for a slow response."""
    engine.materialize(name)

    def started() -> Run | None:
        run = engine.last_by_hand(name)
        return run if run and run.status == "STARTED" else None

    found: Run = wait_for(f"the run of {name} by hand", started, _SECONDS)
    server.slow.add(name)
    wait_for(f"a request of {name}", lambda: name in server.waiting, _SECONDS)
    return found


def _run_that_waits(engine: Engine, server: AccountServer, name: str) -> Run:
    """Return a run of an account that goes on, and waits for a slow response."""
    server.slow.add(name)
    wait_for(f"a request of {name}", lambda: name in server.waiting, _SECONDS)

    def started() -> list[Run]:
        return [run for run in engine.runs(name) if run.status == "STARTED"]

    (run,) = wait_for(f"a run of {name}", started, _SECONDS)
    return run


def _last(engine: Engine, run_id: str) -> Run:
    return next(run for run in engine.runs() if run.run_id == run_id)


def _processes_of(key_file: Path) -> list[str]:
    """Return the commands of processes that have the key file of an account in their environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended
            if os.fsencode(key_file) + b"\0" in (folder / "environ").read_bytes():
                found.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode())
    return found


def wrong_rows(rows: Callable[[str], list[tuple[Any, ...]]], schema: str, account: Sandbox) -> Iterator[str]:
    """Yield which tables of an account have other rows than its lists. `rows` asks the warehouse."""
    tables = {name for (name,) in rows(f"select tablename from pg_tables where schemaname = '{schema}'")}
    for name in BY_NAME:
        expected = {row["id"] for row in account.rows(name)} if name in tables or account.rows(name) else set()
        found = {key for (key,) in rows(f'select id from "{schema}"."{name}"')} if name in tables else set()
        if found != expected:
            yield f"{schema}.{name}: {len(found)} rows, not {len(expected)}"
    names = {name for (name,) in rows(f"select display_name from {schema}.customers")}
    if names != {row["display_name"] for row in account.rows("customers")}:
        yield f"{schema}.customers are of another account"


def _check_limits_and_secrets(engine: Engine, server: AccountServer) -> Iterator[str]:
    """Yield which account sent too much in a second, and which key was written anywhere."""
    written = engine.everything_written()
    print(f"{len(written):,} bytes of databases, logs and files searched for keys")
    for name, account in server.accounts.items():
        if (most := most_requests_in_a_second(account)) > 50:
            yield f"{name}: {most} requests in a second"
        if account.key.encode() in written:
            at = written.index(account.key.encode())
            yield f"the key of {name} was written: {re.sub(rb'[^ -~]', b' ', written[at - 80 : at + 20])!r}"
    if b"fieldpulse/exit_status" not in written:
        yield "nothing was searched"
