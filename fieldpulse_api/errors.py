"""The errors of this project, grouped by who has to act.

FieldPulseError
├── UserError                    settings, key, catalog or input must change      exit status 2
│   ├── ConfigError                a setting is missing or wrong
│   ├── AuthenticationError        FieldPulse does not accept the key
│   └── UnsupportedStreamError     the target cannot write this stream
├── RecordError                  one record is wrong; the run goes on             exit status 1
│   ├── RecordInvalid              FieldPulse's validation, or ours, rejects it
│   └── RowNotFound                the row does not exist (any more)
├── ServiceError                 FieldPulse failed; run again later               exit status 1
│   ├── ConnectionFailed           no connection, or it broke
│   ├── ServerError                5xx, after all retries
│   ├── RateLimited                429 for longer than a minute
│   └── UnexpectedResponse         a response that the API is not known to send
├── UncertainWrite               a create may or may not have happened            exit status 1
├── InvalidInput                 the Singer input is malformed                    exit status 1
├── IncompleteRead               fewer rows were read than the server counts      exit status 1
├── RequestLimitReached          the client sent as many requests as it may       exit status 1
├── QuotaExceeded                the month's requests are used up; state is kept  exit status 3
├── SafetyLimitReached           a setting max_… stopped the run                  exit status 4
└── RunLocked                    another run uses the store                       exit status 4
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from typing_extensions import override

_PERSONAL = re.compile(r"\"[^\"]*\"|“[^”]*”|(?<!\w)'[^']*'(?!\w)|\S+@\S+|\+?\d[\d\s().-]{6,}\d")


class FieldPulseError(Exception):
    """What happened, where, and what to do: all three, always. Never a key, a body or personal data.

    `http_status` is that of the response, if there was one; `is_retryable`: the same request may be sent again.
    """

    exit_status = 1

    def __init__(
        self, what: str, *, where: str, hint: str, is_retryable: bool = False, http_status: int | None = None
    ) -> None:
        super().__init__(what)
        self.what, self.where, self.hint = what, where, hint
        self.is_retryable, self.http_status = is_retryable, http_status

    @property
    def one_line(self) -> str:
        """Return the three parts as one line."""
        return f"{self.what} ({self.where}): {self.hint}"

    @override
    def __str__(self) -> str:
        return f"{self.what}\n  where: {self.where}\n  do:    {self.hint}"


class UserError(FieldPulseError):
    """Settings, key, catalog or input must change."""

    exit_status = 2


class ConfigError(UserError):
    """A setting is missing or wrong."""


class AuthenticationError(UserError):
    """FieldPulse does not accept the key."""


class UnsupportedStreamError(UserError):
    """The target cannot write this stream."""


class RecordError(FieldPulseError):
    """One record is wrong; the run goes on."""


class RecordInvalid(RecordError):
    """FieldPulse's validation, or ours, says no."""


class RowNotFound(RecordError):
    """The row does not exist (any more)."""


class ServiceError(FieldPulseError):
    """FieldPulse failed; run again later."""


class ConnectionFailed(ServiceError):
    """No connection, or it broke."""


class ServerError(ServiceError):
    """The server answered 5xx, after bounded retries."""


class RateLimited(ServiceError):
    """The server refused with 429 for longer than a minute."""


class UnexpectedResponse(ServiceError):
    """Not what the API is known to answer."""


class UncertainWrite(FieldPulseError):
    """A create may or may not have happened."""


class InvalidInput(FieldPulseError):
    """The Singer input is broken."""


class IncompleteRead(FieldPulseError):
    """Fewer rows were read than the server counts."""


class QuotaExceeded(FieldPulseError):
    """The month's requests are used up; state is kept."""

    exit_status = 3


class SafetyLimitReached(FieldPulseError):
    """A setting `max_…` stopped the run before it changed or deleted more."""

    exit_status = 4


class RunLocked(FieldPulseError):
    """Another run uses the store; only one may at a time."""

    exit_status = 4


class RequestLimitReached(FieldPulseError):
    """The client sent as many requests as it may (`fieldpulse doctor` only)."""


def got_and_allowed(value: object, allowed: Iterable[object]) -> str:
    """Say `got X; allowed: A, B, C`, and the nearest allowed name."""
    return f"got {value!r}; {allowed_instead(value, allowed)}"


def allowed_instead(value: object, allowed: Iterable[object]) -> str:
    """Say `allowed: A, B, C`, and the nearest allowed name, without showing a value that may be personal."""
    names = [str(one) for one in allowed]
    near = difflib.get_close_matches(str(value), names, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"allowed: {', '.join(names)}{hint}"


def without_personal_data(text: str) -> str:
    """Return a server's sentence with all quotations, e-mails and phone numbers blanked, cut at 300 characters."""
    return _PERSONAL.sub("[…]", text)[:300]
