"""A source: a pinned tap, what it reads, and the rows that its owner expects in FieldPulse."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tests.works_with.environments import Environment
from tests.works_with.stores import Postgres

DATA = Path(__file__).parent / "data"
PAGE = Path(__file__).parents[3] / "docs" / "target" / "sources.md"
RECIPES = Path(__file__).parents[3] / "recipes"


class RowOf(NamedTuple):
    """The id of the expected row of a stream that has this name in its first field."""

    stream: str
    name: str


@dataclass(frozen=True)
class Office:
    """Where a tap runs: a folder of its own, its environment, and a PostgreSQL for sources that are databases."""

    folder: Path
    environment: Environment
    postgres: Postgres


@dataclass(frozen=True)
class Source:
    """A source. `packages` are pinned; `emit` returns what the tap writes; `settings` are the target's.

    `rows` are what the owner of the data means, by stream, written by hand. The first field of a row identifies it.
    Only fields that the source sets are named: the others must stay as they are. `rejected` has the key of each record
    that must not be written, and a part of the reason.
    """

    name: str
    about: str
    packages: tuple[str, ...]
    emit: Callable[[Office], str]
    settings: Mapping[str, Any]
    rows: Mapping[str, tuple[Mapping[str, Any], ...]]
    rejected: Mapping[str, str] = field(default_factory=dict)


def settings_of(block: str) -> dict[str, Any]:
    """Return the settings of a YAML block of the page. `block` is the name under which the page saves it."""
    found = re.search(
        rf"as\s`{re.escape(block)}`:\n\n```yaml\n(.*?)^```", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE
    )
    assert found, f"{PAGE.name} has no block {block}"
    settings: dict[str, Any] = yaml.safe_load(found[1])["config"]
    return settings


def settings_of_recipe(name: str) -> dict[str, Any]:
    """Return the settings of the loader of a recipe."""
    project = yaml.safe_load((RECIPES / name / "meltano.yml").read_text("utf-8"))
    (loader,) = project["plugins"]["loaders"]
    settings: dict[str, Any] = loader["config"]
    return settings


def run_tap(
    office: Office,
    command: Collection[str],
    config: Mapping[str, Any],
    streams: Collection[str] = (),
    *,
    catalog_option: str | None = "--catalog",
) -> str:
    """Return what a tap writes for these streams, or all; file names and times of the run are left out.

    Raises: RuntimeError if the tap fails.
    """
    name = office.folder / "config.json"
    name.write_text(json.dumps(config))
    if catalog_option is None:
        return _steady(_checked(office.environment.run((*command, "--config", str(name)))), office)
    catalog = json.loads(_checked(office.environment.run((*command, "--config", str(name), "--discover"))))
    catalog["streams"].sort(key=lambda entry: entry["tap_stream_id"])  # tap-salesforce lists them in any order
    for entry in catalog["streams"]:
        is_selected = not streams or entry["tap_stream_id"] in streams
        for part in entry["metadata"]:
            part["metadata"]["selected"] = is_selected and part["metadata"].get("inclusion") != "unsupported"
    path = office.folder / "catalog.json"
    path.write_text(json.dumps(catalog))
    output = _checked(office.environment.run((*command, "--config", str(name), catalog_option, str(path))))
    return _steady(output, office)


def _steady(output: str, office: Office) -> str:
    """Return the messages without what differs from run to run."""
    return re.sub(r', ?"(time_extracted|version)": ?("[^"]*"|\d+)', "", output.replace(str(office.folder), "office"))


def _checked(ended: subprocess.CompletedProcess[str]) -> str:
    if ended.returncode:
        raise RuntimeError(f"{ended.args[0]} ended with status {ended.returncode}: {ended.stderr.strip()[-2000:]}")
    return ended.stdout
