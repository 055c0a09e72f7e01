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

from . import (
    airbyte,
    answers,
    command_line,
    commands,
    dictionary,
    domains,
    errors,
    fault_matrix,
    mcp_tools,
    sandbox,
    settings,
    sources,
    speed,
    streams,
    works_with,
    writes,
)

ROOT = Path(__file__).parent.parent.parent
DICTIONARY = ROOT / "docs" / "tap" / "dictionary"
BLOCKS: dict[str, Callable[[], str]] = {
    "tap settings": lambda: settings.table_of(TapFieldPulse),
    "target settings": lambda: settings.table_of(TargetFieldPulse),
    "meltano definitions": settings.snippet,
    "meltano use cases": settings.use_cases,
    "meltano settings": settings.table_of_utility,
    "meltano commands": settings.table_of_commands,
    "streams": streams.streams_table,
    "filters": streams.filters_table,
    "writes": writes.streams_table,
    "write fields": writes.fields,
    "domains": domains.domains_list,
    "relations": dictionary.relations,
    "answers": answers.sections,
    "airbyte settings": airbyte.settings_table,
    "errors": errors.errors_table,
    "exit statuses": errors.exit_statuses_table,
    "fieldpulse help": commands.fieldpulse_help,
    "mcp tools": mcp_tools.tools_table,
    "fault matrix": fault_matrix.result_table,
    "works-with requirements": works_with.requirements_table,
    "works-with representations": works_with.representations_table,
    "works-with results": works_with.results_table,
    "works-with scenarios": works_with.scenarios_table,
    "works-with differences": works_with.differences_list,
    "works-with sources": sources.results_table,
    "speed results": speed.results,
    "sandbox help": commands.sandbox_help,
    "sandbox profiles": sandbox.profiles_table,
    "sandbox switches": sandbox.switches_table,
    "sandbox faults": sandbox.faults_table,
    "sandbox fault options": sandbox.fault_options_table,
    "sandbox random faults": sandbox.random_faults_table,
}
_BLOCK = re.compile(r"(<!-- begin ([^:\n]+): written by `make fix` -->\n).*?(<!-- end \2 -->)", re.DOTALL)


def pages() -> list[Path]:
    """Return the pages at the root that have a part in the documentation, and every page of it."""
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").rglob("*.md"))]


def documents() -> Iterator[tuple[Path, str]]:
    """Yield every document with generated parts, and the text that it should have.

    Raises: SystemExit if the blocks of the pages are not exactly those of `BLOCKS`.
    """
    for plugin in (TapFieldPulse, TargetFieldPulse):
        plugin.append_builtin_config(plugin.config_jsonschema)
    yield ROOT / "plugins" / "fieldpulse.meltano.yml", settings.project_definitions()
    for project in sorted((ROOT / "recipes").glob("*/meltano.yml")):  # Meltano includes no file outside of a project
        yield project.with_name("fieldpulse.meltano.yml"), settings.project_definitions("/../..")
    for name, text in settings.hub_definitions():
        yield ROOT / "plugins" / f"{name}.yml", text
    yield from command_line.answers()
    yield ROOT / "airbyte" / "manifest.yaml", airbyte.manifest()
    for name, text in dictionary.pages():
        yield DICTIONARY / name, text
    texts = {path: path.read_text("utf-8") for path in pages() if path.parent != DICTIONARY}
    names = {name for text in texts.values() for _, name, _ in _BLOCK.findall(text)}
    if difference := names ^ set(BLOCKS):
        raise SystemExit(f"generated blocks without a page or a function: {', '.join(sorted(difference))}")
    for path, text in texts.items():
        yield path, _BLOCK.sub(lambda block: f"{block[1]}{BLOCKS[block[2]]()}{block[3]}", text)
