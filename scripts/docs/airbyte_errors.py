"""What the Airbyte manifest does about responses that are no page of rows: the rules of `error_rules.py`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fieldpulse_api.errors import AuthenticationError, QuotaExceeded, RateLimited, RecordInvalid, RowNotFound
from fieldpulse_api.http.error_rules import ERROR_RULES, ErrorRule
from fieldpulse_api.http.responses import COUNT_NAMES
from fieldpulse_api.http.retry import MIN_EPOCH_SECONDS

OLDEST_CDK_VERSION = "7.38"
"""The first that knows `WaitTimeFromResponse`. Before 7.34, a page whose rows are all old ended its list."""

Component = dict[str, Any]

_MOST_WAIT_SECONDS = 60  # for one 429
# An epoch, or seconds as the header means elsewhere. Also what runtimes before `OLDEST_CDK_VERSION` refuse.
_RESET = "headers.get('RateLimit-Reset') | float(0)"
_WAIT_SECONDS = f"{{{{ ({_RESET}) - now_utc().timestamp() if ({_RESET}) > {MIN_EPOCH_SECONDS} else {_RESET} }}}}"
_CLIENT_ERRORS = range(400, 500)
_FINAL = (AuthenticationError, QuotaExceeded)
_IN_OTHER_WORDS = {
    AuthenticationError: ("FieldPulse rejected the API key", "correct it in the configuration of the source"),
    RecordInvalid: ("FieldPulse rejected the request", "run again; if it fails again, report the server's message"),
    RowNotFound: ("FieldPulse has no such list", "leave the stream out if your plan does not include it"),
}
_WORDS = "(response.get('errors') or response.get('message') or '') | string | lower"


def error_handler(*, short_page_ends: bool = False, is_child_list: bool = False) -> Component:
    """Return an error handler; the first filter that fits a response counts."""
    return {
        "type": "DefaultErrorHandler",
        "max_retries": 5,
        "backoff_strategies": [
            {
                "type": "WaitTimeFromResponse",
                "wait_time_in_seconds": _WAIT_SECONDS,
                "max_waiting_time_in_seconds": _MOST_WAIT_SECONDS,
            },
            {"type": "ExponentialBackoffStrategy", "factor": 1},
        ],
        "response_filters": [
            *(_filter_of(rule, is_child_list=is_child_list) for rule in _rules_of_one_status()),
            _filter(
                "FAIL",
                f"{': '.join(_IN_OTHER_WORDS[RecordInvalid])} (status 200).",
                predicate="{{ response is mapping and response.get('error') }}",
            ),
            *([_missing_rows()] if short_page_ends else []),
            _filter(
                "RETRY",
                "FieldPulse sent no valid envelope.",
                predicate="{{ response is not mapping or 'response' not in response }}",
            ),
        ],
    }


def _rules_of_one_status() -> Iterator[ErrorRule]:
    """Yield the rules for client errors; the CDK itself tries again after a server error."""
    for rule in ERROR_RULES:
        if len(rule.statuses) == 1 and rule.statuses[0] in _CLIENT_ERRORS and not rule.is_retryable:
            yield rule


def _filter_of(rule: ErrorRule, *, is_child_list: bool) -> Component:
    what, hint = _IN_OTHER_WORDS.get(rule.error, (rule.what, rule.hint))
    # A filter with a status and a predicate fits if either does.
    criterion = (
        {"predicate": f"{{{{ response is mapping and '{rule.phrase}' in {_WORDS} }}}}"}
        if rule.phrase
        else {"http_codes": list(rule.statuses)}
    )
    if rule.error is RateLimited:
        return _filter("RATE_LIMITED", f"{what}: {hint}.", **criterion)
    if rule.error is RowNotFound and is_child_list:
        return _filter("IGNORE", "The row was deleted before its list was read.", **criterion)
    # Airbyte does not try a sync again after a `config_error`.
    failure_type = "config_error" if rule.error in _FINAL else "system_error"
    return _filter("FAIL", f"{what}: {hint}.", **criterion, failure_type=failure_type)


def _missing_rows() -> Component:
    """Return a filter for a page that is too short, and not the last by the server's count.

    The number of rows of the last page is the remainder of the count. It is compared within one response, in which the
    list does not change.
    """
    count = " or ".join(f"response.get('{name}')" for name in COUNT_NAMES)
    return _filter(
        "RESET_PAGINATION",
        "FieldPulse sent fewer rows than it counts.",
        predicate="{{ response is mapping and (response.get('response') or []) | length not in "
        f"(0, 100, ({count} or (response.get('response') or []) | length) | int % 100) }}}}",
    )


def _filter(action: str, error_message: str, **others: Any) -> Component:
    return {"type": "HttpResponseFilter", **others, "action": action, "error_message": error_message}
