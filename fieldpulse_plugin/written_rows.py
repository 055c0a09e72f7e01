"""The rows that a target wrote, for a tap that leaves its echoes out.

The tap knows nothing of the target: the entry point `fieldpulse.written_rows` opens its ledger.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import tzinfo
from importlib import metadata
from typing import Any, Protocol

from fieldpulse_api.errors import ConfigError
from fieldpulse_api.resources.model import Resource


class WrittenRow(Protocol):
    """What a target sent for one row."""

    @property
    def write_number(self) -> int:
        """Return the number of the last write, 0 if there was none."""

    @property
    def is_deleted(self) -> bool:
        """Return whether the target deleted the row."""

    def is_echo(self, row: Mapping[str, Any], changed: Collection[str] | None, seen_write: int) -> bool:
        """Return whether a row, as the API sent it, is as the target left it.

        `changed` are the columns that have changed since it was last seen, after the write `seen_write`; a custom field
        is `customfields.<id>`. None means that the row was never seen.
        """


class WrittenRows(Protocol):
    """The rows that a target wrote to one account. Methods raise ConfigError if its ledger cannot be read."""

    exists: bool
    """Whether the target has written anything yet."""

    def read(self, resource: Resource, ids: Iterable[int]) -> Mapping[int, WrittenRow]:
        """Return what was sent for rows, by id; an entry also for those that the target never wrote."""

    def close(self) -> None:
        """Close the ledger."""


def open_written_rows(url: str, account: str, zone: tzinfo) -> WrittenRows:
    """Open the ledger of a target. Raises: ConfigError."""
    try:
        (open_reader,) = (each.load() for each in metadata.entry_points(group="fieldpulse.written_rows"))
    except (ImportError, ValueError):
        raise ConfigError(
            "The installed package is older than this setting.",
            where="setting skip_written_by",
            hint="install singer-fieldpulse again",
        ) from None
    reader: WrittenRows = open_reader(url, account, zone)
    return reader
