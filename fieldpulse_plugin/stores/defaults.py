"""Where the stores are that no setting names: in `.fieldpulse/`, and under Meltano in a folder of each pipeline there.

A snapshot belongs to one pipeline: two that shared it would lock each other out, and each would miss the changes that
the other reported. A ledger belongs to a loader, whatever its extractor: it must find the row of a record that another
pipeline created. Both belong to one environment of Meltano.

Stores directly in `.fieldpulse/`, as all were before, go on being used.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fieldpulse_api.errors import ConfigError

FOLDER = Path(".fieldpulse")
StoreName = Literal["snapshot", "ledger"]


@dataclass(frozen=True)
class _Store:
    """The files of a store, and the variables that name its plugin: to a plugin itself, and to other commands."""

    file_patterns: tuple[str, ...]
    plugin_variable: str
    command_variable: str
    default_plugin: str
    setting_variable: str


_STORES: dict[StoreName, _Store] = {
    "snapshot": _Store(
        ("snapshot*",),
        "MELTANO_EXTRACTOR_NAME",
        "FIELDPULSE_TAP",
        "tap-fieldpulse",
        "TAP_FIELDPULSE_SNAPSHOT_URL",
    ),
    "ledger": _Store(
        ("ledger*", "rejects*"),
        "MELTANO_LOADER_NAME",
        "FIELDPULSE_TARGET",
        "target-fieldpulse",
        "TARGET_FIELDPULSE_LEDGER_URL",
    ),
}


def url_in(folder: Path, store: StoreName) -> str:
    """Return the URL of a store in a folder."""
    return f"sqlite:///{folder / store}.db"


def folder_of_run(store: StoreName) -> Path:
    """Return the folder of the plugin that this process is, as Meltano names it; without Meltano, `.fieldpulse/`."""
    plugin = os.environ.get(_STORES[store].plugin_variable)
    return _own_or_former(store, plugin) if plugin else FOLDER


def folder_for_command(store: StoreName) -> Path:
    """Return the folder of the store that a command or a target is to use, which may be one of Meltano's pipelines.

    Meltano names the plugin to the plugin itself, and its utility to the commands. Elsewhere there may be only one.

    Raises: ConfigError if there are several, or if only plugins have stores that the utility does not name.
    """
    plugin = os.environ.get(_STORES[store].command_variable)
    if os.environ.get(_STORES[store].plugin_variable):
        return folder_of_run(store)
    if plugin and "MELTANO_ENVIRONMENT" in os.environ:
        folder = _own_or_former(store, plugin)
        if plugin == _STORES[store].default_plugin and not _has(folder, store):
            _check_that_no_other_plugin_has(store)
        return folder
    folders = _folders(store, plugin)
    if len(folders) > 1:
        raise ConfigError(
            f"There are several stores of this kind: {', '.join(map(str, folders))}.",
            where=f"setting {store}_url · {FOLDER.absolute()}",
            hint=f"name one with {_STORES[store].setting_variable}={url_in(folders[0], store)}, or use the utility "
            "`fieldpulse` of Meltano",
        )
    return folders[0] if folders else FOLDER


def all_folders(store: StoreName) -> list[Path]:
    """Return the folders of all stores, in Meltano those of its environment; else that of a new store.

    If the user has named a plugin other than the usual one, only its folders.
    """
    plugin = os.environ.get(_STORES[store].command_variable)
    return _folders(store, None if plugin == _STORES[store].default_plugin else plugin) or [folder_for_command(store)]


def _check_that_no_other_plugin_has(store: StoreName) -> None:
    """Raise ConfigError if the stores are those of other plugins: an empty one would say that nothing is open."""
    spec = _STORES[store]
    if names := [folder.name for folder in _folders(store, None)]:
        raise ConfigError(
            f"{spec.default_plugin} has no {store}, and other plugins have: {', '.join(names)}.",
            where=f"{spec.command_variable} · {FOLDER.absolute()}",
            hint=f"name one: {spec.command_variable}={names[0]}, or by a setting of the utility `fieldpulse`; if "
            f"{spec.default_plugin} is to have a new one, configure its {store}_url",
        )


def _own_or_former(store: StoreName, plugin: str) -> Path:
    own = FOLDER.joinpath(*(_file_name(name) for name in (os.environ.get("MELTANO_ENVIRONMENT"), plugin) if name))
    return FOLDER if _has(FOLDER, store) and not _has(own, store) else own


def _folders(store: StoreName, plugin: str | None) -> list[Path]:
    environment = os.environ.get("MELTANO_ENVIRONMENT")
    parents = [FOLDER / _file_name(environment)] if environment else [FOLDER, *_folders_in(FOLDER)]
    if environment == "":
        parents = [FOLDER]
    owns = [folder for parent in parents for folder in _folders_in(parent)]
    return [
        folder
        for folder in dict.fromkeys((FOLDER, *owns))
        if _has(folder, store) and (plugin is None or folder in (FOLDER, folder.with_name(_file_name(plugin))))
    ]


def _folders_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*") if path.is_dir())


def _has(folder: Path, store: StoreName) -> bool:
    return any(path.is_file() for pattern in _STORES[store].file_patterns for path in folder.glob(pattern))


def _file_name(name: str) -> str:
    """Return a name that is one folder, and no other than that: a name of Meltano may be any text."""
    return re.sub(r"[^\w.-]|^\.+$", "_", name)
