"""The page of all runs, written after a run. What draws it is in a package that the target does not know."""

from __future__ import annotations

import logging
from collections.abc import Callable
from importlib import metadata

from typing_extensions import Self

from fieldpulse_api.errors import ConfigError, FieldPulseError
from target_fieldpulse.settings import TargetSettings

_LOGGER = logging.getLogger(__name__)


class RunPage:
    """The page that `report_path` names, or none."""

    def __init__(self, write: Callable[[], None]) -> None:
        self._write = write

    @classmethod
    def of(cls, settings: TargetSettings) -> Self:
        """Return the page of these settings. Raises: ConfigError if its libraries are missing."""
        path = settings.report_path
        if not settings.writes_page:
            return cls(lambda: None)
        try:
            (write_page,) = (each.load() for each in metadata.entry_points(group="fieldpulse.page"))
        except (ImportError, ValueError):
            raise ConfigError(
                "The dependencies of the page are not installed.",
                where=f"setting report_path · {path}",
                hint="pip install 'singer-fieldpulse[report]', or name a file that does not end in .html",
            ) from None
        plan_path = settings.plan_path if settings.dry_run else None
        return cls(lambda: write_page(path, ledger_url=settings.ledger_url, plan_path=plan_path))

    def write(self) -> None:
        """Write the page, once the end of the run is in the history. A warning is all that comes of an error."""
        try:
            self._write()
        except (FieldPulseError, OSError) as error:
            reason = error.one_line if isinstance(error, FieldPulseError) else error.strerror
            _LOGGER.warning("The page cannot be written (%s): setting report_path", reason)
