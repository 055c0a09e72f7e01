"""The public interface of the client library: its names, and what it may import."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import fieldpulse_api
from fieldpulse_api import errors

PACKAGES = (
    "fieldpulse_api",
    "fieldpulse_plugin",
    "tap_fieldpulse",
    "target_fieldpulse",
    "fieldpulse_cli",
    "fieldpulse_sandbox",
)


def test_every_exported_name_exists_once() -> None:
    """`__all__` names nothing twice and nothing that is missing."""
    exported = fieldpulse_api.__all__
    assert len(set(exported)) == len(exported)
    assert [name for name in exported if not hasattr(fieldpulse_api, name)] == []


def test_every_error_is_exported() -> None:
    """A caller can catch each error by its public name."""
    defined = {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, Exception)}
    assert defined <= set(fieldpulse_api.__all__)


def test_the_client_library_imports_no_application_code() -> None:
    """Importing the library loads no Singer SDK, database or dotenv code (httpx loads click itself if it is there)."""
    code = "import sys, fieldpulse_api; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert not {"singer_sdk", "sqlalchemy", "dotenv", "starlette", "jsonschema"} & set(loaded)


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_is_typed(package: str) -> None:
    """Type checkers read the annotations of a package only if it contains `py.typed`."""
    assert (Path(fieldpulse_api.__file__).parents[1] / package / "py.typed").exists()
