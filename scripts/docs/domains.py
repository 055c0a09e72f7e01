"""The business domains of the catalogue: one page of the data dictionary each."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from fieldpulse_api import resources
from fieldpulse_api.resources.catalogue import BY_NAME, RESOURCES
from fieldpulse_api.resources.model import Resource

from .tables import codes


def link(stream: str, folder: str = "dictionary/") -> str:
    """Return the address of a stream's section."""
    domain = next(name for name, (_, streams) in domains().items() if BY_NAME[stream] in streams)
    return f"{folder}{domain}.md#{stream}"


@cache
def domains() -> dict[str, tuple[str, list[Resource]]]:
    """Return the modules of the catalogue that have entries, by name: their docstring and the entries."""
    found = {}
    for info in pkgutil.iter_modules(resources.__path__):
        module = importlib.import_module(f"{resources.__name__}.{info.name}")
        entries = [value for value in vars(module).values() if isinstance(value, Resource)]
        if entries:
            found[info.name] = (str(module.__doc__), [resource for resource in RESOURCES if resource in entries])
    return found


def domains_list() -> str:
    """Return the pages of the data dictionary as a list."""
    lines = [
        f"- [{domain}](dictionary/{domain}.md): {codes(resource.name for resource in streams)}\n"
        for domain, (_, streams) in domains().items()
    ]
    return "".join([*lines, "- [events](dictionary/events.md): changes and webhook deliveries\n"])
