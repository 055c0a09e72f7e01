"""A fake that shares the code it tests proves nothing."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

import fieldpulse_sandbox
from fieldpulse_api.resources.catalogue import RESOURCES
from fieldpulse_sandbox.schema.table_shapes import DETAIL_ONLY, NEVER_SHOWN, SHAPES

ALLOWED = {"starlette", "uvicorn", "msgspec", "typing_extensions", "fieldpulse_sandbox", *sys.stdlib_module_names}
FILES = sorted(Path(fieldpulse_sandbox.__file__).parent.rglob("*.py"))


def _imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add(node.module or "")
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_sandbox_imports_only_what_it_may(path: Path) -> None:
    """Each module imports the standard library, three packages, and of ours only the catalogue."""
    for name in _imports(path):
        ours = name.startswith("fieldpulse_api.resources.")
        assert ours or name.split(".")[0] in ALLOWED, f"{path.name} imports {name}"


def test_every_resource_of_the_catalogue_has_a_shape() -> None:
    """The sandbox simulates all resources of the catalogue and no others."""
    assert set(SHAPES) == {resource.name for resource in RESOURCES}
    for hidden in (DETAIL_ONLY, NEVER_SHOWN):
        assert all(columns <= set(SHAPES[name]) for name, columns in hidden.items())
