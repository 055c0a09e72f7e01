"""The readers that are compared: this build, an older one, and other programs, each in an environment of its own."""

from __future__ import annotations

from pathlib import Path

from scripts.docs.airbyte import CDK_VERSION
from tests.works_with.environments import DEFAULT_FOLDER, prepare_environment

from .reader import Airbyte, Dlt, OurTap, Reader, StockTap

THIS_BUILD = "this build"
BASELINE = "52738c9"
PACKAGES: dict[type[Reader], tuple[str, str]] = {
    StockTap: ("singer-sdk RESTStream", "singer-sdk[msgspec]==0.54.9"),
    Dlt: ("dlt rest_api, extract only", "dlt==1.31.0"),
    Airbyte: ("airbyte-cdk, declarative", f"airbyte-cdk=={CDK_VERSION}"),
}


def our_builds(baseline: str, tree: Path) -> list[Reader]:
    """Return this build, and that of the commit `baseline` in a working tree."""
    return [OurTap(THIS_BUILD), OurTap(f"build {baseline}", tree=tree)]


def other_program(kind: type[Reader]) -> Reader:
    """Return another program. Its environment is prepared once for each machine."""
    name, package = PACKAGES[kind]
    environment = prepare_environment(f"bench-{kind.__name__.lower()}", (package,), DEFAULT_FOLDER)
    return kind(name, python=str(environment.folder / "bin" / "python"))
