"""The design's nevers, read off the imports."""

from __future__ import annotations

import ast
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("fieldpulse_api", "tap_fieldpulse", "target_fieldpulse", "fieldpulse_sandbox")

FORBIDDEN = [
    ("fieldpulse_api", "singer_sdk"),
    ("fieldpulse_api", "tap_fieldpulse"),
    ("fieldpulse_api", "target_fieldpulse"),
    ("tap_fieldpulse", "target_fieldpulse"),
    ("target_fieldpulse", "tap_fieldpulse"),
    *((package, "fieldpulse_sandbox") for package in PACKAGES[:3]),
    *(
        ("fieldpulse_sandbox", f"fieldpulse_api.{room}")
        for room in ("client", "connections", "auth", "walk", "budget", "pages", "records")
    ),
    *((package, "requests") for package in PACKAGES),
    *((package, "urllib3") for package in PACKAGES),
]


def imports(path: Path) -> set[str]:
    """Return the absolute names that a module imports."""
    package = ".".join(path.relative_to(ROOT).parent.parts)
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package.split(".")[: len(package.split(".")) + 1 - node.level]) if node.level else ""
            module = ".".join(part for part in (base, node.module) if part)
            found |= {module, *(f"{module}.{alias.name}" for alias in node.names)}
    return found


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


@pytest.mark.parametrize(("package", "other"), FORBIDDEN)
def test_a_package_never_imports_what_it_must_not_know(package: str, other: str) -> None:
    """The house has one way in and no back doors."""
    assert modules(package)
    guilty = [
        path.name for path in modules(package) if any((name + ".").startswith(other + ".") for name in imports(path))
    ]
    assert guilty == []


def test_only_the_client_and_what_it_goes_through_import_httpx() -> None:
    """Whatever talks to the network is one object."""
    users = {path.name for package in PACKAGES for path in modules(package) if "httpx" in imports(path)}
    assert users == {"client.py", "connections.py", "auth.py"}


def test_only_the_receiver_of_webhooks_imports_a_server() -> None:
    """It is an extra: everything else works without it."""
    users = {
        path.name
        for package in PACKAGES[:3]
        for path in modules(package)
        if {"starlette", "uvicorn"} & {name.split(".")[0] for name in imports(path)}
    }
    assert users == {"receiver.py", "incoming.py", "webhooks_command.py"}


def test_the_test_of_imports_sees_relative_ones() -> None:
    """A check that cannot fail is none: `client.py` imports `.connections`, and that is seen."""
    assert "fieldpulse_api.connections" in imports(ROOT / "fieldpulse_api" / "client.py")


def test_no_code_asks_for_a_stream_by_its_name() -> None:
    """`if stream == "…"` is a field that the catalogue's entry lacks."""
    from fieldpulse_api.catalogue import BY_NAME  # noqa: PLC0415

    guilty = []
    for path in (path for package in PACKAGES[:3] for path in modules(package)):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Compare):
                names = [one.value for one in (node.left, *node.comparators) if isinstance(one, ast.Constant)]
                guilty += [f"{path.name}:{node.lineno}" for name in names if name in BY_NAME]
    assert guilty == []


def test_backoff_is_the_maintained_distribution() -> None:
    """Both distributions write the module `backoff`; the abandoned one must not be installed beside it."""
    names = {distribution.metadata["Name"].lower() for distribution in metadata.distributions()}
    assert "python-backoff" in names
    assert "backoff" not in names


def test_what_is_installed_with_the_pack_is_what_the_design_needs() -> None:
    """Seven dependencies, and the rest in extras."""
    needed = [one for one in metadata.requires("singer-fieldpulse") or [] if "extra ==" not in one]
    assert sorted(one.split(">")[0].split("<")[0].strip() for one in needed) == [
        "httpx",
        "phonenumbers",
        "python-backoff",
        "python-dotenv",
        "singer-sdk[msgspec]",
        "sqlalchemy",
        "tqdm",
    ]
