"""Every way a run can fail, named by whose turn it is to act.

FieldPulseError
├── YourTurn            settings, key, catalog or input must change        exit status 2
│   ├── BadSetting      a setting is missing or wrong
│   ├── BadKey          FieldPulse does not accept the key
│   └── RefusedStream   the target cannot write this stream
├── RecordRefused       one record is wrong; the run goes on               exit status 1
│   ├── Invalid         FieldPulse's validation, or ours, says no
│   └── NotFound        the row does not exist (any more)
├── TheirTurn           FieldPulse failed; run again later                 exit status 1
│   ├── Unreachable     no connection, or it broke
│   ├── ServerFailed    5xx, after bounded retries
│   ├── Throttled       429 for longer than a minute
│   └── UnexpectedReply not what the API is known to answer
├── OutcomeUnknown      a create may or may not have happened              exit status 1
├── BadInput            the Singer input is broken                         exit status 1
├── Incomplete          fewer rows were read than the server counts        exit status 1
├── QuotaSpent          the month's requests are used up; state is kept    exit status 3
└── GuardStopped        a guard stopped the run                            exit status 4
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

_PERSONAL = re.compile(r"\"[^\"]*\"|“[^”]*”|(?<!\w)'[^']*'(?!\w)|\S+@\S+|\+?\d[\d\s().-]{6,}\d")


class FieldPulseError(Exception):
    """What happened, where, and what to do: all three, always. Never a key, a body or personal data."""

    exit_status = 1
    is_retryable = False  # set on one error when the same request may be sent again
    http_status: int | None = None  # HTTP's, set on one error where FieldPulse answered

    def __init__(self, what: str, *, where: str, hint: str) -> None:
        super().__init__(what)
        self.what, self.where, self.hint = what, where, hint

    @property
    def one_line(self) -> str:
        """Return the three parts as one line."""
        return f"{self.what} ({self.where}): {self.hint}"

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
    """A guard stopped the run."""

    exit_status = 4


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
