"""Errors and exit statuses, as tables."""

from __future__ import annotations

from collections.abc import Iterator

from fieldpulse_api.errors import FieldPulseError
from fieldpulse_plugin.exit_codes import EXIT_STATUSES

from .tables import table


def errors_table() -> str:
    """Return every error as a table, with the exit status of a run that it ends."""
    rows = [
        (f"`{error.__name__}`", (error.__doc__ or "").strip().splitlines()[0], str(error.exit_status))
        for error in _descendants(FieldPulseError)
    ]
    return table(("error", "meaning", "exit status"), rows)


def exit_statuses_table() -> str:
    """Return every exit status as a table."""
    return table(("status", "meaning"), [(str(status), text) for status, text in EXIT_STATUSES.items()])


def _descendants(error: type[FieldPulseError]) -> Iterator[type[FieldPulseError]]:
    for child in error.__subclasses__():
        if not child.__name__.startswith("_"):
            yield child
        yield from _descendants(child)
