"""The traps of stream maps that the page about sources names: what happens to who falls into them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fieldpulse_sandbox.sandbox import Sandbox
from tests.harness.messages import Message, record_message, singer_lines
from tests.harness.results import RunResult
from tests.harness.target_runner import run_target
from tests.target.shared import customers_named, write_requests

Config = dict[str, Any]
PEOPLE: Message = {
    "type": "SCHEMA",
    "stream": "people",
    "schema": {
        "properties": {
            "id": {"type": "integer"},
            "Full name": {"type": "string"},
            "zip": {"type": ["integer", "null"]},
            "company_id": {"type": "integer"},
        }
    },
    "key_properties": ["id"],
}
MAP = {
    "__alias__": "customers",
    "__key_properties__": ["external_id"],
    "external_id": "'crm-' + str(id)",
    "first_name": "_['Full name']",
    "__else__": "__NULL__",
}


def send(config: Config, folder: Path, maps: dict[str, Any], **values: Any) -> RunResult:
    """Send a person, whose id is that of a customer of the account."""
    record = {"id": 10000003, "Full name": "Zed Kin", "zip": None, "company_id": 999, **values}
    text = singer_lines(PEOPLE, record_message("people", **record))
    return run_target({**config, "stream_maps": maps}, text, folder)


def test_a_name_with_a_space_is_read_from_the_record(target_config: Config, sandbox: Sandbox, tmp_path: Path) -> None:
    """`_` is the whole record."""
    assert send(target_config, tmp_path, {"people": MAP}).counts == {"created": 1}
    assert len(customers_named(sandbox, "Zed Kin")) == 1


def test_a_dropped_key_property_needs_another(target_config: Config, sandbox: Sandbox, tmp_path: Path) -> None:
    """`__else__: __NULL__` without `__key_properties__` ends the run, and the message names the stream."""
    maps = {"people": {name: value for name, value in MAP.items() if name != "__key_properties__"}}
    result = send(target_config, tmp_path, maps)
    assert (result.status, write_requests(sandbox)) == (2, [])
    assert "people" in result.stderr


def test_an_alias_beside_a_source_is_an_expression(target_config: Config, sandbox: Sandbox, tmp_path: Path) -> None:
    """The stream of such a map has the map's own name, which FieldPulse does not have."""
    result = send(target_config, tmp_path, {"customers_too": {**MAP, "__source__": "people"}})
    assert (result.is_explained, result.status != 0, write_requests(sandbox)) == (True, True, [])


def test_text_of_a_null_is_the_text_none(target_config: Config, sandbox: Sandbox, tmp_path: Path) -> None:
    """A guard is needed."""
    maps = {"people": {**MAP, "billing_zip_code": "str(zip)", "billing_city": "str(zip) if zip else None"}}
    assert send(target_config, tmp_path, maps).counts == {"created": 1}
    (row,) = customers_named(sandbox, "Zed Kin")
    assert (row["billing_zip_code"], row["billing_city"]) == ("None", None)


@pytest.mark.parametrize(("left_out", "word"), [("id", "company_id"), ("company_id", "id")])
def test_the_sources_own_ids_overwrite_no_row(
    target_config: Config, sandbox: Sandbox, tmp_path: Path, left_out: str, word: str
) -> None:
    """They are another account's; the message says how to drop them."""
    before = sandbox.rows("customers")
    maps = {"people": {name: value for name, value in MAP.items() if name != "__else__"} | {left_out: "__NULL__"}}
    result = send(target_config, tmp_path, maps)
    assert (result.counts, sandbox.rows("customers")) == ({"rejected": 1}, before)
    assert f"{word}: __NULL__" in result.stderr
