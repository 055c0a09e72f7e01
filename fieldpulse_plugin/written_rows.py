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


class WrittenRows(Protocol):
    """The rows that a target wrote to one account. Methods raise ConfigError if its ledger cannot be read."""

    exists: bool
    """Whether the target has written anything yet."""

    def echoes(self, resource: Resource, rows: Iterable[tuple[Mapping[str, Any], Collection[str] | None]]) -> set[int]:
        """Return the ids of those rows that are as the target left them.

        Beside each row, as the API sent it, are the columns that have changed since it was last seen; a custom field is
        `customfields.<id>`. None means that the row was never seen.
        """

    def deleted(self, resource: Resource, ids: Iterable[int]) -> set[int]:
        """Return the ids of those rows that the target deleted."""

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
