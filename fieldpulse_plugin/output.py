"""Text for terminals and logs: without API keys, and without what could steer a terminal or forge a line."""

from __future__ import annotations

import os

from fieldpulse_api.values.text import printable

_MIN_LENGTH = 8  # a shorter secret, as of a sandbox, may be part of any word
_SECRET_VARIABLES = ("_API_KEY", "_WEBHOOK_SECRET", "_WEBHOOK_TOKEN", "_PUSH_SECRET")
_secrets: set[str] = set()


def hide(secret: str) -> None:
    """Leave a secret out of all output of this process from now on, wherever somebody else repeats it."""
    if len(secret) >= _MIN_LENGTH:
        _secrets.add(secret)


def hide_environment_secrets() -> None:
    """Leave the secrets of the environment out of all output, also of errors that come before it is read."""
    for name, value in os.environ.items():
        if name.upper().endswith(_SECRET_VARIABLES):
            hide(value.strip())


def without_secrets(text: str) -> str:
    """Return a text without the secrets of this process."""
    for secret in _secrets:
        text = text.replace(secret, "[…]")
    return text


def for_output(text: str) -> str:
    """Return a text without secrets, with everything escaped that is not printable."""
    return printable(without_secrets(text))
