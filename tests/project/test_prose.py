"""The wording of code and pages, see `scripts/prose.py`."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.prose import FOLDERS, in_python, violations


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_wording_is_plain(folder: str) -> None:
    """No phrase and no name of the list occurs."""
    assert [str(violation) for violation in violations(folder)] == []


@pytest.mark.parametrize(
    "code",
    [
        '"""Say whether it is sorted."""',
        'error = "The URL is none."',
        "# nobody can write users",
        'text = f"{name} is no timestamp"',
        "for one in rows: pass",
        "def read(given): pass",
        "self.held = []",
    ],
)
def test_a_violation_is_found(code: str) -> None:
    """In docstrings, messages, comments and names."""
    assert len(list(in_python(Path(), code))) == 1


@pytest.mark.parametrize(
    "code", ['"""Return None."""', 'text = "The table is no longer used."', "given()", "rows.one()"]
)
def test_plain_wording_passes(code: str) -> None:
    """Python's None, and names of other libraries."""
    assert list(in_python(Path(), code)) == []
