"""One catalog snapshot per stream, so that a change is a small diff. `make snap` writes them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fieldpulse_api.resources.catalogue import RESOURCES
from fieldpulse_api.resources.model import Resource
from tap_fieldpulse.tap import TapFieldPulse

FOLDER = Path(__file__).parent / "snapshots"


@pytest.fixture(scope="module")
def catalog() -> dict[str, object]:
    """Return the discovered catalog, which needs no account."""
    tap = TapFieldPulse(config={}, validate_config=False, setup_mapper=False)
    return {entry["tap_stream_id"]: entry for entry in tap.catalog_dict["streams"]}


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.name)
def test_a_stream_is_discovered_as_it_was(
    resource: Resource, catalog: dict[str, object], pytestconfig: pytest.Config
) -> None:
    """Loaders build tables from this: it changes only on purpose."""
    path = FOLDER / f"{resource.name}.json"
    text = json.dumps(catalog[resource.name], indent=1, sort_keys=True) + "\n"
    if pytestconfig.getoption("--snap"):
        FOLDER.mkdir(exist_ok=True)
        path.write_text(text)
    assert path.read_text() == text


def test_no_snapshot_is_left_of_a_stream_that_is_gone() -> None:
    """The folder holds the catalogue's streams and nothing else."""
    assert {path.stem for path in FOLDER.glob("*.json")} == {resource.name for resource in RESOURCES}
