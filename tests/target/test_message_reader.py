"""Malformed input: a readable record is rejected, and any other line ends the run with its number."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fieldpulse_api.resources.catalogue import WRITABLE
from fieldpulse_sandbox.sandbox import Sandbox
from target_fieldpulse.target import TargetFieldPulse
from tests.harness.commands import run_command
from tests.harness.messages import record_message, schema_message, singer_lines, state_message
from tests.harness.odd_values import BROKEN_VALUES, NO_JSON, odd
from tests.harness.processes import plugin_command
from tests.harness.results import RunResult

from .test_every_stream import RECORDS, RESOURCES

Config = dict[str, Any]
TAGS = schema_message("tags", "external_id", "id", "title", "color", "deleted_at")
OK = record_message("tags", external_id="ok", title="Fine")


@pytest.fixture
def arguments(target_config: Config, tmp_path: Path) -> list[str]:
    """Return the arguments of the target's command."""
    return plugin_command("target_fieldpulse", target_config, tmp_path)[3:]


def write(arguments: list[str], text: str | bytes) -> RunResult:
    result = run_command(TargetFieldPulse, *arguments, stdin=text if isinstance(text, bytes) else text.encode())
    assert result.is_explained, result.stderr
    return result


def counts(result: RunResult) -> dict[str, int]:
    closing_lines = "\n".join(line for line in result.stderr.splitlines() if "read " in line)
    return RunResult("", closing_lines, result.status).counts


def states(result: RunResult) -> list[Any]:
    return [json.loads(line)["bookmarks"] for line in result.stdout.splitlines()]


def line(value: str, name: str = "title") -> str:
    """Return a RECORD whose property `name` has the text `value`, which may be invalid JSON."""
    return raw("tags", {"external_id": '"odd"', "title": '"Odd"', name: value})


def raw(stream: str, values: dict[str, str]) -> str:
    """Return a RECORD whose values are JSON text."""
    record = ",".join(f"{json.dumps(name)}:{value}" for name, value in values.items())
    return f'{{"type":"RECORD","stream":"{stream}","record":{{{record}}}}}\n'


@pytest.mark.parametrize("value", BROKEN_VALUES)
@pytest.mark.parametrize("name", ["title", "external_id", "id", "unknown_field", "deleted_at"])
def test_an_ambiguous_record_is_rejected(
    arguments: list[str], tmp_path: Path, sandbox: Sandbox, value: str, name: str
) -> None:
    """Other records are written, the state is emitted, and the rejects file has the line unchanged."""
    text = singer_lines(TAGS) + line(value, name) + singer_lines(OK, state_message(1.5))
    result = write(arguments, text)
    assert (counts(result), states(result)) == ({"created": 1, "rejected": 1}, [1.5])
    rejects = (tmp_path / "rejects.singer").read_text()
    assert f'"{name}":{value}' in rejects
    replayed = write(arguments, rejects)
    assert counts(replayed) == {"rejected": 1}
    assert (tmp_path / "rejects.singer").read_text() == rejects
    assert [row["title"] for row in sandbox.rows("tags")].count("Fine") == 1


@pytest.mark.parametrize(
    "broken",
    [
        *NO_JSON[1:],
        "[]",
        "5",
        "{}",
        '{"type":5}',
        '{"type":"RECORDS"}',
        '{"type":"STATE"}',
        '{"type":"RECORD","stream":[],"record":{}}',
        '{"type":"RECORD","stream":"tags","record":[]}',
        '{"type":"RECORD","stream":"tags","stream":"items","record":{}}',
        '{"type":"STATE","value":NaN}',
        '{"type":"RECORD","stream":"customers","record":{}}',
        '{"type":"SCHEMA","stream":"tags","schema":null}',
        '{"type":"SCHEMA","stream":"tags","schema":{"properties":[]}}',
        '{"type":"BATCH"}',
        '{"type":"BATCH","stream":5,"encoding":5,"manifest":{}}',
    ],
    ids=lambda text: text[:40],
)
def test_an_invalid_line_ends_the_run_with_its_number(arguments: list[str], sandbox: Sandbox, broken: str) -> None:
    """Records before it are written and acknowledged; records after it are not."""
    later = record_message("tags", external_id="later", title="Later")
    result = write(
        arguments, singer_lines(TAGS, OK, state_message(1)) + broken + "\n" + singer_lines(later, state_message(2))
    )
    assert result.status in (1, 2)
    assert "line 4" in result.stderr
    assert "Later" not in [row["title"] for row in sandbox.rows("tags")]
    assert 2 not in states(result)


@pytest.mark.parametrize(
    "data", [b'{"type":"RECORD","stream":"tags","record":{"title":"\xff"}}', b"\xed\xa0\x80", b"\x00\x00"]
)
def test_invalid_utf_8_ends_the_run_with_its_line_number(target_config: Config, tmp_path: Path, data: bytes) -> None:
    """A separate process reads the invalid bytes in one block with the lines before them."""
    line = plugin_command("target_fieldpulse", target_config, tmp_path)
    messages = singer_lines(TAGS, OK, state_message(1)).encode() + data + b"\n"
    result = subprocess.run(line, input=messages, capture_output=True, timeout=120, check=False)
    assert result.returncode == 1
    assert "input · line 4" in result.stderr.decode()
    assert b"Traceback" not in result.stderr


def test_a_truncated_input_acknowledges_its_complete_lines(arguments: list[str], sandbox: Sandbox) -> None:
    """The last line lacks its end."""
    cut = singer_lines(record_message("tags", external_id="cut", title="Cut"))[:-12]
    result = write(arguments, singer_lines(TAGS, OK, state_message(1)) + cut)
    assert result.status == 1
    assert states(result) in ([], [1])
    assert "line 4" in result.stderr
    assert "Cut" not in [row["title"] for row in sandbox.rows("tags")]


@pytest.mark.parametrize(
    "form", ["\ufeff{}", "{}", "\n\n{}\n \n\n", "CRLF"], ids=["mark", "no last newline", "blank", "CRLF"]
)
def test_line_endings_blank_lines_and_byte_order_mark_are_accepted(arguments: list[str], form: str) -> None:
    """So is a last line without a line ending."""
    text = singer_lines(TAGS, OK, state_message(1)).rstrip()
    result = write(arguments, text.replace("\n", "\r\n") if form == "CRLF" else form.replace("{}", text))
    assert (counts(result), states(result)) == ({"created": 1}, [1])


@pytest.mark.parametrize("ensure_ascii", [True, False])
def test_a_byte_order_mark_before_the_first_column_is_ignored(arguments: list[str], ensure_ascii: bool) -> None:
    """CSV taps leave it in the name. A column that has the plain name stays."""
    messages = [
        schema_message("tags", "\ufeffexternal_id", "title") | {"key_properties": ["\ufeffexternal_id"]},
        record_message("tags", **{"\ufeffexternal_id": "1", "title": "First"}),
        record_message("tags", **{"external_id": "2", "\ufeffexternal_id": "x", "title": "Second"}),
        record_message("tags", external_id="2", title="Second"),
    ]
    text = "".join(json.dumps(message, ensure_ascii=ensure_ascii) + "\n" for message in messages)
    assert counts(write(arguments, text)) == {"created": 2, "unchanged": 1}


@pytest.mark.parametrize("name", ["title", "external_id", "unknown_field"])
def test_a_value_of_20_mb_is_rejected_or_ignored(arguments: list[str], sandbox: Sandbox, name: str) -> None:
    """The gateway accepts 10 MB. A property without a field has no effect. The reason shows the size, not the value."""
    result = write(arguments, singer_lines(TAGS) + line('"' + "x" * 20_000_000 + '"', name) + singer_lines(OK))
    expected = {"created": 2} if name == "unknown_field" else {"created": 1, "rejected": 1}
    assert counts(result) == expected
    assert all(len(json.dumps(request.body)) < 1000 for request in sandbox.requests)
    assert "xxxx" not in result.stderr


def test_a_record_of_100_000_properties_is_written(arguments: list[str]) -> None:
    """Properties that cannot be written have no effect."""
    wide = record_message(
        "tags", external_id="wide", title="Wide", **{f"c{number}": number for number in range(100_000)}
    )
    assert counts(write(arguments, singer_lines(TAGS, wide))) == {"created": 1}


@pytest.mark.parametrize("value", [1.25, None, [], {"a": {"b": 10**25}}, "x", -0.5])
def test_a_state_is_emitted_unchanged(arguments: list[str], value: Any) -> None:
    """Its shape belongs to the tap."""
    assert states(write(arguments, singer_lines(state_message(value)))) == [value]


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.name)
def test_any_value_in_any_field_is_written_or_rejected(resource: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Every record has an outcome, and the state behind them is emitted."""
    write_spec = WRITABLE[resource.name].write_spec
    names = sorted({*write_spec.properties, "id", "external_id", "custom_fields", "deleted_at"})

    with Sandbox(customers=5) as sandbox:

        @settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
        @given(rows=st.lists(st.dictionaries(st.sampled_from(names), odd, min_size=1), min_size=8, max_size=8))
        def check(rows: list[dict[str, str]]) -> None:
            folder = tmp_path_factory.mktemp(resource.name)
            config = {
                "api_key": sandbox.key,
                "api_url": sandbox.url,
                "rate_limit_store": "memory",
                "uncertain_create_timeout_seconds": 0.3,
            }
            config |= {"ledger_url": f"sqlite:///{folder}/ledger.db", "rejects_path": f"{folder}/rejects.singer"}
            plain = RECORDS[resource.name].items()
            base = {name: json.dumps(value) for name, value in plain if "external_id" not in name}
            named = [{"external_id": f'"k{number}"', **base, **row} for number, row in enumerate(rows)]
            lines = [raw(resource.name, values) for values in named]
            text = singer_lines(schema_message(resource.name, *names)) + "".join(lines) + singer_lines(state_message(1))
            result = write(plugin_command("target_fieldpulse", config, folder)[3:], text)
            assert sum(counts(result).values()) == len(rows)
            assert states(result) == [1]
            rejects = folder / "rejects.singer"
            assert counts(result).get("rejected", 0) >= (
                rejects.read_text().count('"type":"RECORD"') if rejects.exists() else 0
            )

        check()
