"""The sandbox has a table for each resource of the catalogue."""

from __future__ import annotations

from fieldpulse_api.resources.catalogue import RESOURCES
from fieldpulse_sandbox.schema.table_shapes import DETAIL_ONLY, NEVER_SHOWN, SHAPES


def test_every_resource_of_the_catalogue_has_a_shape() -> None:
    """The sandbox simulates all resources of the catalogue and no others."""
    assert set(SHAPES) == {resource.name for resource in RESOURCES}


def test_columns_that_lists_omit_are_columns_of_the_shape() -> None:
    """Both tables of omitted columns name columns that exist."""
    for omitted in (DETAIL_ONLY, NEVER_SHOWN):
        assert all(columns <= set(SHAPES[name]) for name, columns in omitted.items())
