"""One snapshot of the catalog per stream, so that a change shows as a small diff. `make snap` writes them."""

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
def test_the_catalog_entry_of_a_stream_is_unchanged(
    resource: Resource, catalog: dict[str, object], pytestconfig: pytest.Config
) -> None:
    """Loaders create tables from the entry, so it must change only on purpose."""
    path = FOLDER / f"{resource.name}.json"
    text = json.dumps(catalog[resource.name], indent=1, sort_keys=True) + "\n"
    if pytestconfig.getoption("--snap"):
        FOLDER.mkdir(exist_ok=True)
        path.write_text(text)
    assert path.read_text() == text


def test_every_snapshot_belongs_to_a_stream() -> None:
    """The folder contains the streams of the catalogue and nothing else."""
    assert {path.stem for path in FOLDER.glob("*.json")} == {resource.name for resource in RESOURCES}
