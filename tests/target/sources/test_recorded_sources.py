"""What real taps emit becomes the rows that the owner of the data means, with the stream maps of the page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from tests.harness.target_runner import run_target
from tests.works_with.sources.catalogue import SOURCES
from tests.works_with.sources.source import PAGE, RECIPES, Source, settings_of
from tests.works_with.sources.trial import send_twice

MESSAGES = Path(__file__).parent / "messages"
RECORDED = [source for source in SOURCES.values() if source.rows]


@pytest.mark.parametrize("source", RECORDED, ids=lambda source: source.name)
def test_recorded_messages_become_the_rows_that_are_meant(source: Source, tmp_path: Path) -> None:
    """Every row of the account is compared, and the second run sends nothing."""
    messages = (MESSAGES / f"{source.name}.singer").read_text("utf-8")
    assert send_twice(source, messages, tmp_path, run_target).comparison.differences == []


def test_every_example_of_the_page_belongs_to_a_source() -> None:
    """An example that no records are sent through would be a claim."""
    blocks = set(re.findall(r"as\s`([\w.-]+)`:$", PAGE.read_text("utf-8"), re.MULTILINE))
    settings = [source.settings for source in SOURCES.values()]
    assert [block for block in sorted(blocks) if settings_of(block) not in settings] == []


@pytest.mark.parametrize("recipe", ["hubspot-contacts", "salesforce-accounts"])
def test_a_recipe_defines_the_tap_that_was_recorded(recipe: str) -> None:
    """The same package, and only streams that the maps of the recipe know."""
    (definitions,) = (RECIPES / recipe).glob("tap-*.meltano.yml")
    (tap,) = yaml.safe_load(definitions.read_text("utf-8"))["plugins"]["extractors"]
    source = SOURCES[f"recipe-{recipe}"]
    assert (tap["pip_url"],) == source.packages
    assert {pattern.partition(".")[0] for pattern in tap["select"]} == source.settings["stream_maps"].keys()
