"""Errors that reads and writes of the account raise; the application turns them into responses."""

from __future__ import annotations

Problem = tuple[str, str]
"""Path of a field in the body, and the text of the API."""


class NoSuchRow(Exception):  # named for what happened
    """There is no such row, or it was deleted."""


class BackendError(Exception):
    """The backend fell over: a filter on what is not a column (V*)."""


class ValidationFailed(Exception):  # named for what happened
    """The body failed its validation; `problems` are (field, text) pairs."""

    def __init__(self, problems: list[Problem]) -> None:
        """Keep every problem: the API reports all of them at once."""
        super().__init__(problems)
        self.problems = problems
