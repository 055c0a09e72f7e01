"""Keys of records, which are unique in the ledger. An invalid key rejects its record."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from fieldpulse_sandbox.sandbox import Sandbox
from tests.harness.messages import record_message, singer_lines, state_message
from tests.harness.target_runner import run_target
from tests.target.shared import CUSTOMERS

Config = dict[str, Any]


@pytest.mark.parametrize(
    "values",
    [{"id": 2**63}, {"external_id": {"ssn": "Canary"}}, {"external_id": "a\x00b"}, {"external_id": "x" * 513}, {}],
    ids=["a large id", "an object", "a NUL", "a long key", "no key"],
)
def test_an_invalid_key_rejects_the_record_and_appears_in_no_log(
    target_config: Config, tmp_path: Path, values: Config
) -> None:
    """The next record is written. Neither the log nor the audit shows the key."""
    records = (
        record_message("customers", first_name="Bad", **values),
        record_message("customers", external_id="ok", first_name="Ok"),
    )
    result = run_target(
        target_config | {"hard_delete": True}, singer_lines(CUSTOMERS, *records, state_message(1)), tmp_path
    )
    assert (result.counts, result.states) == ({"rejected": 1, "created": 1}, [{"bookmarks": 1}])
    assert "Canary" not in result.stderr
    with sqlite3.connect(tmp_path / "ledger.db") as connection:
        keys = connection.execute("select source_key from fieldpulse_audit_2").fetchall()
    connection.close()
    assert sorted(keys) == [("",), ("ok",)]


def test_an_external_id_never_collides_with_a_key_of_the_ledger(
    sandbox: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """The external_id `id:7` does not refer to customer 7."""
    row = sandbox.rows("customers")[0]
    run_target(target_config, singer_lines(CUSTOMERS, record_message("customers", id=row["id"], notes="n")), tmp_path)
    text = singer_lines(CUSTOMERS, record_message("customers", external_id=f"id:{row['id']}", first_name="Mallory"))
    assert run_target(target_config, text, tmp_path).counts == {"created": 1}
    assert run_target(target_config, text, tmp_path).counts == {"unchanged": 1}
