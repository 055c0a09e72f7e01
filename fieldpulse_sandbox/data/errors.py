"""Errors that reads and writes of the account raise; the application turns them into responses."""

from __future__ import annotations

Problem = tuple[str, str]
"""The path of a field in the body, and the text of the API."""


class NoSuchRow(Exception):
    """The row does not exist, or was deleted."""


class BackendError(Exception):
    """The backend failed, as it does for a filter on something that is not a column (observed)."""


class ValidationFailed(Exception):
    """The body failed its validation."""

    def __init__(self, problems: list[Problem]) -> None:
        """Keep every problem: the API reports all of them at once."""
        super().__init__(problems)
        self.problems = problems
