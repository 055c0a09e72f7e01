"""One scenario in one loader: load its files one after another, and compare every cell."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass, replace
from pathlib import Path

from .comparison import Comparison, compare, expected_tables
from .environments import Environment
from .loaders import Destination, Loader
from .stores import Postgres

_SHORTENED = 160  # characters of a loader's error
_ERROR = re.compile(r"(?:\w+\.)*\w*(?:Error|Exception|Invalid\w*|Violation\w*|error)\b: .*")


@dataclass
class Load:
    """The result: exit status of each run, the last STATE against the tap's, the cells."""

    statuses: list[int]
    error: str
    has_last_state: bool
    comparison: Comparison
    seconds: float

    @property
    def is_right(self) -> bool:
        """Return whether every run ended well, acknowledged the last STATE, and left exactly the expected cells."""
        return not any(self.statuses) and self.has_last_state and not self.comparison.differences


def load(
    loader: Loader, environment: Environment, files: list[Path], folder: Path, *, zone: str, postgres: Postgres
) -> Load:
    """Load message files into a store that did not exist before."""
    folder.mkdir(parents=True)
    destination = Destination(folder, postgres.create_database(f"{folder.parent.name}-{folder.name}", zone))
    config = folder / "config.json"
    started, statuses, error, acknowledged = time.monotonic(), [], "", True
    for number, path in enumerate(files, start=1):
        config.write_text(json.dumps(loader.settings(replace(destination, run=number))))
        ended = environment.run(
            (*loader.command, "--config", str(config)), stdin=path, variables={"TZ": zone, **loader.variables}
        )
        statuses.append(ended.returncode)
        error = _last_error(ended.stderr) if ended.returncode else error
        acknowledged = acknowledged and _last_state(path.read_text("utf-8")) == _printed_state(ended.stdout)
    expected = expected_tables(files, appends=loader.representation.appends)
    comparison = compare(expected, loader.read(destination, environment), loader.representation)
    return Load(statuses, error, acknowledged, comparison, time.monotonic() - started)


def _last_state(messages: str) -> object:
    states = [json.loads(line) for line in messages.split("\n") if line.startswith('{"type":"STATE"')]
    return states[-1]["value"] if states else None


def _printed_state(output: str) -> object:
    lines = [line for line in output.split("\n") if line.startswith("{")]
    return json.loads(lines[-1]) if lines else None


def _last_error(log: str) -> str:
    found = _ERROR.findall(log)
    lines = log.strip().splitlines()
    return (found[-1] if found else lines[-1] if lines else "no message")[:_SHORTENED]
