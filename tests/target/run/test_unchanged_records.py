"""Records that change nothing: many are looked up at once, and the result is that of each by itself."""

from __future__ import annotations

import re
import socket
import subprocess
from pathlib import Path
from typing import Any

from fieldpulse_sandbox.sandbox import Sandbox
from tests.harness.messages import record_message, schema_message, singer_lines, state_message
from tests.harness.processes import plugin_command
from tests.harness.results import RunResult
from tests.harness.target_runner import run_target
from tests.target.shared import (
    customers_named,
    numbered_customer,
    numbered_customers,
    running_target,
    wait_until,
    write_requests,
)

Config = dict[str, Any]
SCHEMA = schema_message("customers", "external_id", "id", "company_id", "first_name", "email", "deleted_at")


def customer(key: str, name: str = "Mika", **values: Any) -> dict[str, Any]:
    """Return the record of a customer."""
    return record_message("customers", external_id=key, first_name=name, **values)


def few_records() -> list[dict[str, Any]]:
    """Return fewer records than are looked up at once."""
    return [numbered_customer(number) for number in range(3)]


def lines_about_records(result: RunResult) -> list[str]:
    """Return the sorted log lines that name a record, without their times."""
    return sorted(re.sub(r"^\S+ \S+ ", "", line) for line in result.stderr.splitlines() if re.search(r" k\d", line))


def test_many_records_at_once_have_the_outcomes_of_each_alone(
    sandbox: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """A STATE between two records ends what is looked up together. Both are dry runs on one ledger."""
    target_config |= {"stream_maps": {"people": {"__alias__": "customers"}}}
    created = [customer(f"k{number}") for number in range(12)]
    assert run_target(target_config, singer_lines(SCHEMA, *created), tmp_path).counts == {"created": 12}
    rows = sorted(row["id"] for row in customers_named(sandbox, "Mika"))
    outdated = customer("k9", "Ralf", email="no address")
    assert run_target(target_config, singer_lines(SCHEMA, outdated), tmp_path).counts == {"rejected": 1}
    records = [
        *created,
        customer("k1", "Ralf"),
        customer("k1"),
        customer("k2", id=rows[0]),
        customer("k3", company_id=999_999),
        customer("k4", deleted_at="2026-01-01T00:00:00Z"),
        customer("k5", email="no address"),
        customer("k6", " Mika "),
        customer("new"),
        customer("new"),
        record_message("customers", id=rows[7], first_name="Mika"),
        record_message("customers", first_name="Mika"),
        *({**customer(key), "stream": "people"} for key in ("k8", "k10", "another")),
    ]
    schemas = [SCHEMA, {**SCHEMA, "stream": "people"}]
    config = target_config | {"dry_run": True}
    together = run_target(config, singer_lines(*schemas, *records), tmp_path)
    alone = run_target(
        config, singer_lines(*schemas, *(line for record in records for line in (record, state_message(1)))), tmp_path
    )
    assert together.counts == alone.counts
    assert together.counts["unchanged"] > 12
    assert lines_about_records(together) == lines_about_records(alone)


def test_a_version_between_two_equal_ones_is_not_the_last(
    sandbox: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """The ledger has the first version when all three are read."""
    run_target(target_config, singer_lines(SCHEMA, customer("a"), customer("b")), tmp_path)
    before = len(sandbox.requests)
    versions = [customer("b"), customer("a", "Ralf"), customer("a"), customer("b", "Ralf"), customer("b")]
    result = run_target(target_config, singer_lines(SCHEMA, *versions), tmp_path)
    assert result.counts == {"unchanged": 1, "updated": 4}
    assert len(write_requests(sandbox, before)) == 4
    assert len(customers_named(sandbox, "Mika")) == 2


def test_a_version_waits_for_the_one_that_is_being_written(target_config: Config, tmp_path: Path) -> None:
    """The ledger still has what the second version says when that is read."""
    with Sandbox(customers=30, latency_ms=300) as sandbox:
        config = target_config | {"api_url": sandbox.url, "api_key": sandbox.key}
        both = [customer("a"), customer("b")]
        run_target(config, singer_lines(SCHEMA, *both), tmp_path)
        versions = singer_lines(SCHEMA, customer("a", "Ralf"), state_message(1), *both)
        assert run_target(config, versions, tmp_path).counts == {"unchanged": 1, "updated": 2}
        assert len(customers_named(sandbox, "Mika")) == 2


def test_records_are_written_while_the_input_pauses(sandbox: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """A tap may wait for hours after a few records, without a STATE."""
    with running_target(target_config, singer_lines(SCHEMA, *few_records()), tmp_path) as process:
        wait_until(lambda: len(numbered_customers(sandbox)) == 3)
        output, _ = process.communicate()
    assert (process.returncode, output) == (0, "")


def test_records_of_a_socket_are_written_while_it_pauses(
    sandbox: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """Runners on Node.js give their processes sockets, which can always be written to."""
    runner, standard_input = socket.socketpair()
    command = plugin_command("target_fieldpulse", target_config, tmp_path)
    with subprocess.Popen(command, stdin=standard_input, stdout=subprocess.DEVNULL) as process, runner:
        standard_input.close()
        runner.sendall(singer_lines(SCHEMA, *few_records()).encode())
        wait_until(lambda: len(numbered_customers(sandbox)) == 3)
        runner.close()
        assert process.wait(30) == 0
