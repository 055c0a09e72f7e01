"""The errors of this project, grouped by who has to act.

FieldPulseError
├── UserError                the user corrects settings, key, catalog or input     exit status 2
│   ├── ConfigError            a setting is missing or wrong
│   ├── AuthenticationError    FieldPulse does not accept the API key
│   │   └── Forbidden              it accepts the key, but not for this path
│   └── UnsupportedStreamError the target cannot write this stream
├── RecordError              the owner corrects one record; the run continues      exit status 1
│   ├── RecordInvalid          the record fails a validation
│   │   └── ReferenceNotFound      it refers to a row that does not exist (yet)
│   └── RowNotFound            the row does not exist, or no longer exists
├── ServiceError             FieldPulse failed: run again later                    exit status 1
│   ├── ConnectionFailed       no connection could be made
│   │   └── ResponseLost         the connection broke, or the response did not come in time
│   ├── ServerError            HTTP 5xx after all retries
│   ├── RateLimited            HTTP 429 for more than a minute
│   └── UnexpectedResponse     a response that the API is not known to send
├── UncertainWrite           it is unknown whether a create was carried out        exit status 1
├── InvalidInput             the Singer input is malformed                         exit status 1
├── IncompleteRead           fewer rows were read than the server counts           exit status 1
├── RequestLimitReached      the client sent as many requests as it may            exit status 1
├── QuotaExceeded            the monthly quota of requests is used up              exit status 3
├── SafetyLimitReached       a setting max_… stopped the run                       exit status 4
└── RunLocked                another run uses the store                            exit status 4
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Hashable, Iterable

from typing_extensions import override

_PERSONAL = re.compile(r"\"[^\"]*\"|“[^”]*”|(?<!\w)'[^']*'(?!\w)|\S+@\S+|\+?\d[\d\s().-]{6,}\d")
_WORD_OF_KEY_LENGTH = re.compile(r"[A-Za-z0-9_-]{16,}")
_DAY = re.compile(r"20\d\d-?\d\d-?\d\d")
_MIN_DIGITS_OF_KEY = 4
_MAX_NAMES = 40
SERVER_MESSAGE = " · FieldPulse's message: "
"""What precedes the server's message in full."""
_MAX_MESSAGE_LENGTH = 300


class FieldPulseError(Exception):
    """The base of all errors: what happened, where, and a hint what to do.

    The three parts never contain a key, a request body or personal data. `http_status` is the status of the response,
    if there was one. `is_retryable` means that the same request may be sent again. `server_message` is the server's
    message, if `what` has only a part of its words: it may contain personal data.
    """

    exit_status = 1

    def __init__(
        self,
        what: str,
        *,
        where: str,
        hint: str,
        is_retryable: bool = False,
        http_status: int | None = None,
        server_message: str = "",
    ) -> None:
        super().__init__(what)
        self.what, self.where, self.hint = what, where, hint
        self.is_retryable, self.http_status, self.server_message = is_retryable, http_status, server_message

    @property
    def one_line(self) -> str:
        """Return the three parts as one line."""
        return f"{self.what} ({self.where}): {self.hint}"

    @property
    def full_line(self) -> str:
        """Return `one_line` with the server's message in full, for the rejects file: it holds the record anyway."""
        return self.one_line + (f"{SERVER_MESSAGE}{self.server_message}" if self.server_message else "")

    @override
    def __str__(self) -> str:
        return f"{self.what}\n  where: {self.where}\n  do:    {self.hint}"


class UserError(FieldPulseError):
    """The settings, the key, the catalog or the input must change before the next run.

    The user acts. Exit status 2.
    """

    exit_status = 2


class ConfigError(UserError):
    """A setting is missing or wrong."""


class AuthenticationError(UserError):
    """FieldPulse does not accept the API key."""


class Forbidden(AuthenticationError):
    """FieldPulse does not accept the API key for this path, but did for another one."""


class UnsupportedStreamError(UserError):
    """The target cannot write this stream."""


class RecordError(FieldPulseError):
    """One record or row cannot be processed; the run continues without it.

    The owner of the record acts. Exit status 1 at the end of the run.
    """


class RecordInvalid(RecordError):
    """The record fails a validation, FieldPulse's or ours."""


class ReferenceNotFound(RecordInvalid):
    """The record refers to a row that does not exist, or does not exist yet.

    `row_key` is the name of the row's stream, what the row is named by, and its name there.
    """

    def __init__(self, what: str, *, where: str, hint: str, row_key: tuple[Hashable, ...]) -> None:
        super().__init__(what, where=where, hint=hint)
        self.row_key = row_key


class RowNotFound(RecordError):
    """The row does not exist, or no longer exists."""


class ServiceError(FieldPulseError):
    """FieldPulse or the connection to it failed; the next run continues where this one stopped.

    The scheduler acts: run again later. Exit status 1.
    """


class ConnectionFailed(ServiceError):
    """No connection could be made."""


class ResponseLost(ConnectionFailed):
    """The request was sent, but the connection broke or the response did not come in time."""


class ServerError(ServiceError):
    """FieldPulse responded with HTTP 5xx after all retries.

    `failing_since` is when the first of them failed, on the clock of `time.monotonic`.
    """

    failing_since = math.inf


class RateLimited(ServiceError):
    """FieldPulse responded with HTTP 429 for more than a minute."""


class UnexpectedResponse(ServiceError):
    """The response has a form that the API is not known to send."""


class UncertainWrite(FieldPulseError):
    """It is unknown whether a create was carried out.

    The next run acts: it looks for the row before it creates it again. Exit status 1.
    """


class InvalidInput(FieldPulseError):
    """The Singer input is malformed.

    The tap in front of the target must be corrected. Exit status 1.
    """


class IncompleteRead(FieldPulseError):
    """Fewer rows were read than the server counts.

    The scheduler acts: run again later. Exit status 1.
    """


class RequestLimitReached(FieldPulseError):
    """The client has sent as many requests as it may (`fieldpulse doctor` only).

    The user acts. Exit status 1.
    """


class QuotaExceeded(FieldPulseError):
    """The monthly quota of requests is used up, FieldPulse's or that of the settings; the state is kept.

    The account's owner acts, or the next month does. Exit status 3.
    """

    exit_status = 3


class SafetyLimitReached(FieldPulseError):
    """A setting `max_…` stopped the run before it changed or deleted more.

    The user acts: check the input, or raise the limit. Exit status 4.
    """

    exit_status = 4


class RunLocked(FieldPulseError):
    """Another run uses the store, which only one run at a time may use.

    The scheduler acts: run again when the other run has ended. Exit status 4.
    """

    exit_status = 4


def got_and_allowed(value: object, allowed: Iterable[object]) -> str:
    """Return `got X; allowed: A, B, C`, followed by the allowed name that is most similar."""
    return f"got {value!r}; {allowed_and_similar(value, allowed)}"


def allowed_and_similar(value: object, allowed: Iterable[object]) -> str:
    """Return `allowed: A, B, C`, followed by the most similar name; the value may be personal and is left out.

    Of many names, such as those of all vendors, only the first are listed.
    """
    names = [str(name) for name in allowed]
    more = f" and {len(names) - _MAX_NAMES:,} more" if len(names) > _MAX_NAMES else ""
    by_lower_case = {name.lower(): name for name in names}
    similar = difflib.get_close_matches(str(value).lower(), by_lower_case, n=1)
    suggestion = f"; did you mean {by_lower_case[similar[0]]!r}?" if similar else ""
    return f"allowed: {', '.join(names[:_MAX_NAMES])}{more}{suggestion}"


def without_likely_keys(text: str) -> str:
    """Return a text without what may be an API key: users type it where a path, a name or a number is expected."""
    return _WORD_OF_KEY_LENGTH.sub(lambda word: "[…]" if _may_be_key(word[0]) else word[0], text)


def _may_be_key(word: str) -> bool:
    digits = sum(map(str.isdigit, _DAY.sub("", word)))
    is_mixed = digits > 0 and word != word.lower() and word != word.upper()
    return digits >= _MIN_DIGITS_OF_KEY or is_mixed


def without_personal_data(text: str) -> str:
    """Return a message of the server without quotations, e-mails and phone numbers, cut at 300 characters."""
    return _PERSONAL.sub("[…]", text)[:_MAX_MESSAGE_LENGTH]
