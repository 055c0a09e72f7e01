"""Every document that has generated parts.

A generated part of a page stands between two comments, so that prose and tables live in one file:

    <!-- begin filters: written by `make fix` -->
    <!-- end filters -->
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from tap_fieldpulse.tap import TapFieldPulse
from target_fieldpulse.target import TargetFieldPulse

from . import commands, dictionary, domains, errors, sandbox, settings, streams, writes

ROOT = Path(__file__).parent.parent.parent
DICTIONARY = ROOT / "docs" / "tap" / "dictionary"
BLOCKS: dict[str, Callable[[], str]] = {
    "tap settings": lambda: settings.table_of(TapFieldPulse),
    "target settings": lambda: settings.table_of(TargetFieldPulse),
    "meltano definitions": settings.snippet,
    "streams": streams.streams_table,
    "filters": streams.filters_table,
    "writes": writes.streams_table,
    "write fields": writes.fields,
    "domains": domains.domains_list,
    "relations": dictionary.relations,
    "errors": errors.errors_table,
    "exit statuses": errors.exit_statuses_table,
    "fieldpulse help": commands.fieldpulse_help,
    "sandbox help": commands.sandbox_help,
    "sandbox profiles": sandbox.profiles_table,
    "sandbox switches": sandbox.switches_table,
    "sandbox faults": sandbox.faults_table,
    "sandbox fault options": sandbox.fault_options_table,
    "sandbox random faults": sandbox.random_faults_table,
}
_BLOCK = re.compile(r"(<!-- begin ([^:\n]+): written by `make fix` -->\n).*?(<!-- end \2 -->)", re.DOTALL)


def pages() -> list[Path]:
    """Return the README and every page of the documentation."""
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def documents() -> Iterator[tuple[Path, str]]:
    """Yield every document with generated parts, and the text that it should have.

    Raises: SystemExit when a page asks for a block that does not exist, or no page asks for one that does.
    """
    for plugin in (TapFieldPulse, TargetFieldPulse):
        plugin.append_builtin_config(plugin.config_jsonschema)
        yield ROOT / "plugins" / f"{plugin.name}.meltano.yml", settings.definition(plugin)
    for name, text in dictionary.pages():
        yield DICTIONARY / name, text
    written: set[str] = set()
    for path in pages():
        text = path.read_text("utf-8")
        written.update(name for _, name, _ in _BLOCK.findall(text))
        yield path, _BLOCK.sub(lambda block: f"{block[1]}{BLOCKS[block[2]]()}{block[3]}", text)
    if unused := set(BLOCKS) - written:
        raise SystemExit(f"no page has the generated blocks {', '.join(sorted(unused))}")
