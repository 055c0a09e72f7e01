"""Rules of the project that import-linter cannot hold: names in the code, and what is installed."""

from __future__ import annotations

import ast
import re
from importlib import metadata
from pathlib import Path

from fieldpulse_api.resources.catalogue import BY_NAME

ROOT = Path(__file__).parent.parent.parent
PRODUCT = ("fieldpulse_api", "fieldpulse_plugin", "tap_fieldpulse", "target_fieldpulse", "fieldpulse_cli")


def test_no_code_asks_for_a_stream_by_its_name() -> None:
    """`if stream == "…"` is a field that the catalogue's entry lacks."""
    guilty = []
    for path in (path for package in PRODUCT for path in sorted((ROOT / package).rglob("*.py"))):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Compare):
                names = [part.value for part in (node.left, *node.comparators) if isinstance(part, ast.Constant)]
                guilty += [f"{path.name}:{node.lineno}" for name in names if name in BY_NAME]
    assert guilty == []


def test_backoff_is_the_maintained_distribution() -> None:
    """Both distributions write the module `backoff`; the abandoned one must not be installed beside it."""
    names = {distribution.metadata["Name"].lower() for distribution in metadata.distributions()}
    assert "python-backoff" in names
    assert "backoff" not in names


def test_the_runtime_needs_nine_distributions() -> None:
    """All other dependencies belong to an extra."""
    pyproject = (ROOT / "pyproject.toml").read_text("utf-8")
    block = re.search(r"^dependencies = \[\n(.*?)^\]", pyproject, re.DOTALL | re.MULTILINE)
    assert block
    assert sorted(re.findall(r'^    "([\w.-]+(?:\[\w+\])?)', block[1], re.MULTILINE)) == [
        "SQLAlchemy",
        "httpx",
        "phonenumbers",
        "python-backoff",
        "python-dotenv",
        "rich",
        "singer-sdk[msgspec]",
        "tqdm",
        "typing-extensions",
    ]
