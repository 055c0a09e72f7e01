"""The page of all runs, written after a run. What draws it is in a package that the plugins do not know."""

from __future__ import annotations

import logging
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from types import TracebackType

from typing_extensions import Self

from fieldpulse_api.errors import ConfigError, FieldPulseError

_LOGGER = logging.getLogger(__name__)


class RunPage:
    """The page that the setting `report_path` names, or none. As a context, it is written when the block ends."""

    def __init__(self, write: Callable[[], None]) -> None:
        self._write = write

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.write()

    @classmethod
    def of(
        cls,
        path: Path | None,
        *,
        snapshot_url: str | None = None,
        ledger_url: str | None = None,
        plan_path: Path | None = None,
    ) -> Self:
        """Return the page at a path, of the runs of these stores. Raises: ConfigError if its libraries are missing."""
        if path is None:
            return cls(lambda: None)
        try:
            (write_page,) = (each.load() for each in metadata.entry_points(group="fieldpulse.page"))
        except (ImportError, ValueError):
            raise ConfigError(
                "The dependencies of the page are not installed.",
                where=f"setting report_path · {path}",
                hint="pip install 'singer-fieldpulse[report]', or do not write a page",
            ) from None
        stores = {"snapshot_url": snapshot_url, "ledger_url": ledger_url}
        return cls(lambda: write_page(path, plan_path=plan_path, **stores))

    def write(self) -> None:
        """Write the page, once the end of the run is in the history. A warning is all that comes of an error."""
        try:
            self._write()
        except (FieldPulseError, OSError) as error:
            reason = error.one_line if isinstance(error, FieldPulseError) else error.strerror
            _LOGGER.warning("The page cannot be written (%s): setting report_path", reason)
