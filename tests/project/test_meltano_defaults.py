"""`meltano.yml`: the loader is configured so that no value is lost or shifted (docs/operations/works-with.md)."""

from __future__ import annotations

import yaml

from scripts.docs.documents import ROOT


def test_the_loader_is_safe_by_default() -> None:
    """In a database of any time zone, and for text with NUL. `make demo` loads into a database in New York."""
    plugins = yaml.safe_load((ROOT / "meltano.yml").read_text())["plugins"]
    (loader,) = plugins["loaders"]
    assert loader["env"] == {"PGTZ": "UTC"}
    assert loader["config"]["load_method"] == "upsert"
    assert loader["config"]["sanitize_null_text_characters"] is True
    assert {*loader["config"]} <= {setting["name"] for setting in loader["settings"]}
