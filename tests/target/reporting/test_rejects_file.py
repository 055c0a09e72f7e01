"""The rejects file: private, whole, and at its path."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from target_fieldpulse.reporting.rejects_file import RejectsFile
from tests.harness.messages import record_message, singer_lines
from tests.harness.target_runner import run_target
from tests.target.shared import CUSTOMERS

Config = dict[str, Any]


def test_a_rejects_file_that_others_could_read_becomes_private(target_config: Config, tmp_path: Path) -> None:
    """It holds personal data, so that only its owner may read it."""
    path = Path(target_config["rejects_path"])
    path.write_text("")
    path.chmod(0o644)
    run_target(target_config, singer_lines(CUSTOMERS, record_message("customers", external_id="r")), tmp_path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert json.loads(path.read_text().splitlines()[-1])["record"] == {"external_id": "r"}


def schema(stream: str = "customers") -> Config:
    return {"type": "SCHEMA", "stream": stream, "schema": {"properties": {}}, "key_properties": []}


def test_a_file_that_is_moved_away_takes_nothing_more(tmp_path: Path) -> None:
    """Somebody moves it away to replay it, and removes it, while the run goes on."""
    path = tmp_path / "rejects.singer"
    file = RejectsFile(path)
    file.append(schema(), {"external_id": "a"}, "reason", rejected_at=1.0)
    path.rename(tmp_path / "replay.singer")
    file.append(schema(), {"external_id": "a"}, "reason", rejected_at=2.0)
    file.append(schema(), {"external_id": "b"}, "reason", rejected_at=3.0)
    file.close()
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["type"] for line in lines] == ["SCHEMA", "RECORD", "RECORD"]
    assert [line["record"]["external_id"] for line in lines[1:]] == ["a", "b"]
    assert len((tmp_path / "replay.singer").read_text().splitlines()) == 2


def test_a_torn_line_is_set_aside(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A run was killed in the middle of a write. What is appended later can be replayed."""
    path = tmp_path / "rejects.singer"
    for key in ("a", "b"):
        file = RejectsFile(path)
        file.append(schema(), {"external_id": key}, "reason", rejected_at=1.0)
        file.close()
        with path.open("ab") as torn:
            torn.write(b'{"rejected_at":"2026-11-29T10:0')
    file = RejectsFile(path)
    file.append(schema(), {"external_id": "c"}, "reason", rejected_at=1.0)
    file.close()
    records = [json.loads(line).get("record") for line in path.read_text().splitlines()]
    assert [record["external_id"] for record in records if record] == ["a", "b", "c"]
    assert (tmp_path / "rejects.singer.torn").read_text().splitlines() == ['{"rejected_at":"2026-11-29T10:0'] * 2
    assert caplog.text.count("in the middle of a line") == 2


def test_a_whole_line_without_an_end_stays(tmp_path: Path) -> None:
    """An editor left out the last line feed."""
    path = tmp_path / "rejects.singer"
    path.write_text('{"type":"STATE","value":{}}')
    file = RejectsFile(path)
    file.append(schema(), {"external_id": "a"}, "reason", rejected_at=1.0)
    file.close()
    assert [json.loads(line)["type"] for line in path.read_text().splitlines()] == ["STATE", "SCHEMA", "RECORD"]
