"""The body of a webhook delivery, checked and parsed. No I/O.

Source: API facts 5: names of the eleven events (documented), bodies of the events of jobs (verified).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain
from typing import Any

import msgspec

from fieldpulse_api.resources.catalogue import RESOURCES
from fieldpulse_api.resources.model import Operation
from fieldpulse_api.values.scalars import optional_int, to_text
from fieldpulse_api.values.strict_json import decode

UNKNOWN = "unknown"
_EVENT_NAMES = {
    f"{resource.webhook_noun} {ending}".lower(): f"{resource.singular}_{ending.lower().replace(' ', '_')}"
    for resource in RESOURCES
    for ending in resource.webhook_events
}
"""Names of the documented events by trigger in lower case."""
_OBJECT_TYPES = sorted(
    (
        (resource.webhook_noun.lower(), resource.singular)
        for resource in RESOURCES
        if Operation.GET in resource.operations
    ),
    reverse=True,
)
"""Object types by the first words of a trigger. `job status` precedes `job`, which begins with the same word."""
_COMPANY_ID = re.compile(r"_(\d{1,18})\s*\Z", re.ASCII)
# A database or a loader fails at larger values.
_MAX_DEPTH = 32
_MAX_INTEGER = 10**18
_MAX_DIGITS = 60


class InvalidDelivery(ValueError):
    """A body is not a delivery. The text is one word for the reason, and contains nothing of the body."""


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One delivery.

    `account` is the company's id, as `read_account_id` returns it. `event` is a documented name or `unknown`.
    `trigger` and `updated_at` are unchanged. Other values are text; those that are not text are JSON.
    """

    account: str
    event: str
    trigger: str
    message: str
    object_type: str | None
    object_id: int
    old_value: str | None
    new_value: str | None
    updated_at: str | None
    data: str

    @property
    def key(self) -> str:
        """Return an identifier of the event, the same for a repeated delivery; FieldPulse sends none (API facts 5).

        Without `updated_at`, the whole object is part of it: otherwise two changes would have the same key.
        """
        identity = [
            *(self.account, _normalized_trigger(self.trigger), self.object_type, self.object_id),
            *(self.updated_at, self.new_value, self.data if self.updated_at is None else None),
        ]
        return hashlib.sha256(msgspec.json.encode(identity)).hexdigest()[:32]


def read_delivery(body: bytes) -> Delivery:
    """Return the delivery in a body. An event that is not documented is `unknown`, if it names an object.

    Raises: InvalidDelivery.
    """
    payload = _decode_object(body)
    if not {"trigger", "message", "data", "company"} <= set(payload):
        raise InvalidDelivery("keys")
    trigger, message, data, company = (payload[name] for name in ("trigger", "message", "data", "company"))
    if not (isinstance(trigger, str) and trigger.strip() and isinstance(message, str) and isinstance(data, dict)):
        raise InvalidDelivery("keys")
    company_id = _COMPANY_ID.search(company) if isinstance(company, str) else None
    if not company_id:
        raise InvalidDelivery("company")
    row = data["object"] if isinstance(data.get("object"), dict) else data
    name = _normalized_trigger(trigger)
    return Delivery(
        account=str(int(company_id[1])),
        event=_EVENT_NAMES.get(name, UNKNOWN),
        trigger=trigger,
        message=message,
        object_type=next((singular for noun, singular in _OBJECT_TYPES if name.startswith(f"{noun} ")), None),
        object_id=_object_id(row),
        old_value=None if row is data else _as_text(data.get("old_value")),
        new_value=None if row is data else _as_text(data.get("new_value")),
        updated_at=_as_text(row.get("updated_at")),
        data=to_text(data),
    )


def _normalized_trigger(trigger: str) -> str:
    return re.sub(r"[\s_-]+", " ", trigger).strip().lower()


def _decode_object(body: bytes) -> Mapping[str, Any]:
    try:
        payload = decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ArithmeticError):
        raise InvalidDelivery("json") from None
    if not isinstance(payload, dict):
        raise InvalidDelivery("json")
    _check_values(payload)
    return payload


def _check_values(value: Any, depth: int = 0) -> None:
    """Check that a database and a loader can store a value: no NUL, no huge numbers, no deep nesting."""
    if depth > _MAX_DEPTH:
        raise InvalidDelivery("nested")
    if isinstance(value, str) and "\0" in value:
        raise InvalidDelivery("text")
    if isinstance(value, Decimal) and abs(value.adjusted()) > _MAX_DIGITS:
        raise InvalidDelivery("number")
    if isinstance(value, int) and abs(value) >= _MAX_INTEGER:
        raise InvalidDelivery("number")
    if isinstance(value, (dict, list)):
        for element in chain(value, value.values()) if isinstance(value, dict) else value:
            _check_values(element, depth + 1)


def _object_id(row: Mapping[str, Any]) -> int:
    row_id = optional_int(row.get("id"))
    if row_id is None or not 0 < row_id < _MAX_INTEGER:
        raise InvalidDelivery("object")
    return row_id


def _as_text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else to_text(value)
