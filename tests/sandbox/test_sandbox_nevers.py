"""A fake that shares the code it tests proves nothing."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

import fieldpulse_sandbox
from fieldpulse_api.catalogue import RESOURCES
from fieldpulse_sandbox.seed.shapes import DETAIL_ONLY, NEVER_SHOWN, SHAPES

ALLOWED = {"starlette", "uvicorn", "msgspec", "fieldpulse_sandbox", *sys.stdlib_module_names}
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
        ours = name in {"fieldpulse_api.catalogue", "fieldpulse_api.resource", "fieldpulse_api.write"}
        assert ours or name.split(".")[0] in ALLOWED, f"{path.name} imports {name}"


def test_no_two_modules_import_each_other() -> None:
    """Not even for types: what needs each other is one, or lacks a third."""
    near = {
        path.stem: {
            node.module
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
            if isinstance(node, ast.ImportFrom) and node.level == 1
        }
        for path in FILES
        if path.parent.name == "fieldpulse_sandbox"
    }
    assert "faults" in near["chaos"]
    assert [(one, other) for one, others in near.items() for other in others if one in near.get(str(other), ())] == []


def test_every_resource_of_the_catalogue_has_a_shape() -> None:
    """The sandbox simulates all resources of the catalogue and no others."""
    assert set(SHAPES) == {resource.name for resource in RESOURCES}
    for hidden in (DETAIL_ONLY, NEVER_SHOWN):
        assert all(columns <= set(SHAPES[name]) for name, columns in hidden.items())
