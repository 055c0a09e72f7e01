"""Input catalogs: an edited or invalid one is rejected with the place, or read with its keys."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fieldpulse_api.errors import ConfigError
from fieldpulse_sandbox.sandbox import Sandbox
from tap_fieldpulse.tap import TapFieldPulse
from tests.harness.commands import run_command
from tests.harness.odd_values import odd
from tests.harness.tap_runner import run_tap, select_streams

Config = dict[str, Any]
Change = Any


@pytest.fixture(scope="module")
def read_only(shared: Sandbox) -> Config:
    return {"api_key": shared.key, "api_url": shared.url, "requests_per_second": 50, "rate_limit_store": "memory"}


@pytest.fixture(scope="module")
def entry(read_only: Config) -> Config:
    catalog = select_streams(TapFieldPulse(config=dict(read_only)), ["tags"])
    return next(entry for entry in catalog["streams"] if entry["tap_stream_id"] == "tags")


PLACES = [
    *(("tap_stream_id",), ("stream",), ("key_properties",), ("replication_key",), ("replication_method",), ("schema",)),
    *(("schema", "properties"), ("schema", "type"), ("schema", "properties", "title"), ("metadata",), ("metadata", 0)),
    *(("schema", "properties", "title", "type"), ("schema", "properties", "title", "properties"), ("schema", "items")),
    *(("metadata", 0, "breadcrumb"), ("metadata", 0, "metadata"), ("metadata", 0, "metadata", "selected")),
    *(("metadata", 0, "metadata", "inclusion"), ("schema", "properties", "more"), ("schema", "required")),
]


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.sampled_from(PLACES), value=odd)
def test_a_catalog_with_any_value_anywhere_is_rejected_or_read(
    place: tuple[Any, ...], value: str, entry: Config, read_only: Config, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The run ends with a message in three parts that names the option, or it finishes."""
    changed = copy.deepcopy(entry)
    inner: Any = changed
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = "VALUE"
    folder = tmp_path_factory.mktemp("catalog")
    (folder / "config.json").write_text(json.dumps(read_only))
    (folder / "catalog.json").write_text(json.dumps({"streams": [changed]}).replace('"VALUE"', value))
    ended = run_command(TapFieldPulse, f"--config={folder}/config.json", f"--catalog={folder}/catalog.json")
    assert ended.is_explained, ended.stderr
    assert ended.status == 0 or "--catalog" in ended.stderr


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"replication_method": "LOG_BASED"}, "INCREMENTAL"),
        ({"replication_key": "title"}, "allowed: updated_at"),
        ({"key_properties": ["ident"]}, "'ident'"),
        ({"schema": {"properties": {"title": {"type": 5}}}}, "schema of stream tags"),
        ({"tap_stream_id": "tag", "stream": "tag"}, "did you mean 'tags'"),
        ({"stream": "labels"}, "stream_maps"),
    ],
    ids=["method", "replication key", "key", "type", "unknown stream", "alias"],
)
def test_an_unsupported_catalog_entry_is_rejected(
    entry: Config, read_only: Config, change: Config, message: str
) -> None:
    """The message names what is allowed, and no request is sent."""
    with pytest.raises(ConfigError) as caught:
        run_tap(read_only, catalog={"streams": [{**copy.deepcopy(entry), **change}]})
    assert message in caught.value.one_line


def test_a_stream_that_occurs_twice_is_rejected(entry: Config, read_only: Config) -> None:
    """The tap cannot tell which of the two entries is valid."""
    with pytest.raises(ConfigError, match="once"):
        run_tap(read_only, catalog={"streams": [copy.deepcopy(entry), copy.deepcopy(entry)]})


def test_a_trimmed_schema_keeps_its_keys(entry: Config, read_only: Config, shared: Sandbox) -> None:
    """Without their keys, rows could not be merged, nor read incrementally."""
    trimmed = {**copy.deepcopy(entry), "schema": {"properties": {"title": {"type": ["string", "null"]}}}}
    emitted = run_tap(read_only, catalog={"streams": [trimmed]})
    assert len(emitted.records["tags"]) == len(shared.rows("tags"))
    assert all(set(record) == {"id", "title", "updated_at"} for record in emitted.records["tags"])
    assert set(emitted.schemas["tags"]["properties"]) == {"id", "title", "updated_at"}


def test_a_file_that_is_not_a_catalog_is_rejected_with_the_option(read_only: Config, tmp_path: Path) -> None:
    """The message names `--catalog`."""
    (tmp_path / "config.json").write_text(json.dumps(read_only))
    for text in ("", "[]", "null", '{"streams":', "{}", '{"streams":5}', '{"streams":[5]}', "[" * 100_000):
        (tmp_path / "catalog.json").write_text(text)
        ended = run_command(TapFieldPulse, f"--config={tmp_path}/config.json", f"--catalog={tmp_path}/catalog.json")
        assert (ended.status, ended.is_explained, "--catalog" in ended.stderr) == (2, True, True), ended.stderr
