"""The answers of the commands to `--version`, `--help` and `--about`, which they print without importing anything."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import click
from singer_sdk.about import AboutFormatter

from fieldpulse_cli import main as fieldpulse_cli
from fieldpulse_plugin.start import ANSWER_WIDTH, PROGRAM, SDK_VERSION, VERSION
from tap_fieldpulse import tap
from target_fieldpulse import target

_PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"  # the installed metadata may be older
_FORMATS = {"about.txt": "text", "about.json": "json", "about.md": "markdown"}


def answers() -> Iterator[tuple[Path, str]]:
    """Yield the path and the text of each answer."""
    for module, plugin in ((tap, tap.TapFieldPulse), (target, target.TargetFieldPulse)):
        folder = Path(module.__file__).parent / "command_line"
        yield folder / "version.txt", f"{plugin.name} v{VERSION}, Meltano SDK v{SDK_VERSION}\n"
        yield folder / "help.txt", _help_of(plugin.get_singer_command())
        about = replace(
            plugin._get_about_info(),  # noqa: SLF001
            version=VERSION,
            sdk_version=SDK_VERSION,
            supported_python_versions=re.findall(r"Python :: (3\.\d+)", _PYPROJECT.read_text("utf-8")),
        )
        for name, form in _FORMATS.items():
            yield folder / name, f"{AboutFormatter.get_formatter(form).format_about(about)}\n"
    folder = Path(fieldpulse_cli.__file__).parent / "command_line"
    yield folder / "version.txt", f"fieldpulse, version {VERSION}\n"
    yield folder / "help.txt", _help_of(fieldpulse_cli.commands)


def _help_of(command: click.Command) -> str:
    context = command.context_class(command, info_name=PROGRAM, terminal_width=ANSWER_WIDTH - 2)
    return f"{command.get_help(context)}\n"
