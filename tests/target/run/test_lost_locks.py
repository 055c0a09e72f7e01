"""Two runs at once although each had the lock, and runs that were suspended and killed: no create is repeated."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import threading
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from fieldpulse_sandbox.faults.fault import Fault
from fieldpulse_sandbox.sandbox import Sandbox
from fieldpulse_sandbox.server.recorded_request import RecordedRequest
from target_fieldpulse.ledger.database import LedgerDatabase
from target_fieldpulse.ledger.ledger import Ledger
from tests.harness.messages import singer_lines, state_message
from tests.harness.results import RunResult
from tests.harness.target_runner import run_target
from tests.target.shared import CUSTOMERS, numbered_customer, numbered_customers, posts, running_target, wait_until

Config = dict[str, Any]
RECORDS = 60


def pending_keys(config: Config) -> list[str]:
    """Return the keys of the customers whose creates are pending."""
    with closing(LedgerDatabase(config["ledger_url"])) as database:
        return [
            entry.key.text
            for account in Ledger.accounts(database)
            for entry in Ledger(database, account).pending("customers")
        ]


def kill_at_post(sandbox: Sandbox, config: Config, messages: str, folder: Path) -> dict[str, Any]:
    """Kill a run while its create is under way, which is not carried out. Return the body of the create."""
    bodies: list[dict[str, Any]] = []
    sandbox.add_fault(Fault("error_status", method="POST", status=500))
    with running_target(config, messages, folder) as process:

        def kill(request: RecordedRequest) -> None:
            if request.method == "POST":
                bodies.append(dict(request.body or {}))
                process.kill()

        sandbox.on_request = kill
        process.wait(30)
    sandbox.on_request = None
    return bodies[0]


def suspend_outside_transactions(process: subprocess.Popen[str], ledger: Path) -> None:
    """Suspend a run while it does not lock its ledger. Inside of a transaction it would lock out others."""
    while True:
        process.send_signal(signal.SIGSTOP)
        os.waitpid(process.pid, os.WUNTRACED)  # until all of its threads have stopped
        with closing(sqlite3.connect(ledger, timeout=0)) as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                process.send_signal(signal.SIGCONT)
                time.sleep(0.01)
            else:
                return


@pytest.mark.parametrize("is_link", [False, True], ids=["lock file removed", "symbolic link"])
def test_two_runs_at_once_create_each_row_once(
    sandbox: Sandbox, target_config: Config, tmp_path: Path, is_link: bool
) -> None:
    """The second run begins in the middle of the first one, which ends with status 4 at its next create.

    What the first one has noted by then may wait for its turn in the rate limit for a second. Through a symbolic link
    the second run does not begin at all.
    """
    target_config = target_config | {"uncertain_create_timeout_seconds": 4}
    messages = singer_lines(CUSTOMERS, *map(numbered_customer, range(RECORDS)))
    second_config = target_config
    first_config = target_config | {"requests_per_second": 15}  # it must not end before the second one begins
    with running_target(first_config, messages, tmp_path, ends_input=True) as first:
        wait_until(lambda: len(posts(sandbox)) >= RECORDS // 6)
        if is_link:
            (tmp_path / "link.db").symlink_to(tmp_path / "ledger.db")
            second_config = target_config | {"ledger_url": f"sqlite:///{tmp_path}/link.db"}
        else:
            next(tmp_path.glob("ledger.db.*.lock")).unlink()
        second = run_target(second_config, messages, tmp_path)
        assert first.stderr
        errors = first.stderr.read()
    assert (first.returncode, second.status) == ((0, 4) if is_link else (4, 0))
    assert "lock" in (second.stderr if is_link else errors)
    assert Counter(numbered_customers(sandbox)).most_common(1)[0][1] == 1
    assert len(numbered_customers(sandbox)) == RECORDS


def test_a_run_that_was_suspended_between_noting_and_sending_sends_nothing(
    sandbox: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """It noted creates, was suspended before their turn in the rate limit, and lost its lock meanwhile.

    The second run does not find these creates, and sends them. The first one then wakes up.
    """
    target_config = target_config | {"uncertain_create_timeout_seconds": 1}
    messages = singer_lines(CUSTOMERS, *map(numbered_customer, range(RECORDS // 3)))
    first_config = target_config | {"requests_per_second": 5}
    with running_target(first_config, messages, tmp_path, ends_input=True) as first:
        wait_until(lambda: len(posts(sandbox)) >= 3)
        suspend_outside_transactions(first, tmp_path / "ledger.db")
        assert len(pending_keys(target_config)) > 1
        next(tmp_path.glob("ledger.db.*.lock")).unlink()
        second = run_target(target_config, messages, tmp_path)
        first.send_signal(signal.SIGCONT)
        assert first.stderr
        errors = first.stderr.read()
    assert (first.returncode, second.status) == (4, 0)
    assert "lost its lock" in errors
    assert numbered_customers(sandbox) == sorted(f"New{number}" for number in range(RECORDS // 3))


def test_a_run_that_was_suspended_and_killed_may_have_sent_just_before(
    sandbox: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """The create was noted an hour ago, sent when the lid was opened, and is carried out while the next run looks."""
    messages = singer_lines(CUSTOMERS, numbered_customer(1))
    body = kill_at_post(sandbox, target_config, messages, tmp_path)
    database = LedgerDatabase(target_config["ledger_url"])
    with database.begin() as connection:
        connection.execute(text("update fieldpulse_ledger_1 set updated_at = updated_at - 3600"))
    database.close()
    carried_out = threading.Timer(1, lambda: sandbox.store.create("customers", body))
    carried_out.start()
    result = run_target(target_config | {"uncertain_create_timeout_seconds": 3}, messages, tmp_path)
    carried_out.join()
    assert (result.counts, numbered_customers(sandbox)) == ({"created": 1}, ["New1"])


def test_a_create_that_another_run_has_discarded_meanwhile_is_sent(
    sandbox: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """The run that lost its lock has found out that its create was rejected, while this run looks for its row."""
    messages = singer_lines(CUSTOMERS, numbered_customer(1))
    kill_at_post(sandbox, target_config, messages, tmp_path)

    sandbox.requests.clear()

    def discard(_: RecordedRequest) -> None:
        searches = [request for request in sandbox.requests if request.query.get("sort[0][order]") == "desc"]
        if len(searches) != 2:  # the first one is that of the beginning, the second one is that of the record
            return
        with closing(LedgerDatabase(target_config["ledger_url"])) as database:
            for account in Ledger.accounts(database):
                ledger = Ledger(database, account)
                for entry in ledger.pending("customers"):
                    assert ledger.discard(entry)

    sandbox.on_request = discard
    result = run_target(target_config, messages, tmp_path)
    assert (result.counts, result.status) == ({"created": 1}, 0)
    assert numbered_customers(sandbox) == ["New1"]


@pytest.mark.parametrize("what", ["file removed", "file replaced", "folder moved"])
def test_a_ledger_that_is_not_at_its_path_any_more_ends_the_run(
    sandbox: Sandbox, target_config: Config, tmp_path: Path, what: str
) -> None:
    """What is written to it from now on would be lost, and the next run would create these rows again."""
    folder = tmp_path / "store"
    config = target_config | {"ledger_url": f"sqlite:///{folder}/ledger.db", "requests_per_second": 20}
    messages = singer_lines(CUSTOMERS, *map(numbered_customer, range(RECORDS)), state_message(1))
    with running_target(config, messages, tmp_path, ends_input=True) as process:
        wait_until(lambda: len(posts(sandbox)) >= RECORDS // 6)
        if what == "folder moved":
            folder.rename(tmp_path / "elsewhere")
        else:
            path = folder / "ledger.db"
            content = path.read_bytes()
            path.unlink()
            if what == "file replaced":
                path.write_bytes(content)
        assert process.stdout
        assert process.stderr
        output, errors = process.stdout.read(), process.stderr.read()
    assert process.returncode == 2
    assert "was moved, replaced or removed" in errors
    assert output == ""
    counts = RunResult(output, errors).counts
    assert counts.get("created", 0) + counts.get("uncertain", 0) == len(numbered_customers(sandbox)) < RECORDS
