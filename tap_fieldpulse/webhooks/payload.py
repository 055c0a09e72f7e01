"""What a delivery of the vendor's webhooks says: its body, checked and taken apart. Pure: no I/O.

Source: contract 5: the names of the eleven events (D), bodies of jobs' events (V).
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
_EVENTS = {
    f"{one.webhook_noun} {ending}".lower(): f"{one.singular}_{ending.lower().replace(' ', '_')}"
    for one in RESOURCES
    for ending in one.webhook_events
}
"""The vendor's events: trigger in lower case → name."""
_NOUNS = sorted(
    ((one.webhook_noun.lower(), one.singular) for one in RESOURCES if Operation.GET in one.operations), reverse=True
)
"""What an event may be of: beginning of a trigger → object type, longer ones before those that they begin with."""
_COMPANY = re.compile(r"_(\d{1,18})\s*\Z", re.ASCII)
_DEEPEST = 32
_LARGEST = 10**18
_MOST_DIGITS = 60


class InvalidDelivery(ValueError):
    """A body is no delivery; the text is a word that says why, and nothing of what is in it."""


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One delivery. `event` is one of the eleven or `unknown`; values are text, JSON where they are not text.

    `account` is the company's id, as `read_account_id` returns it; `updated_at` and `trigger` are as they came.
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
        """Return what is the same for a delivery that is sent again (contract 5); the vendor sends no id of it.

        Where an object has no `updated_at`, all that it shows stands for it: else two changes would be one.
        """
        identity = [
            *(self.account, _normal(self.trigger), self.object_type, self.object_id),
            *(self.updated_at, self.new_value, self.data if self.updated_at is None else None),
        ]
        return hashlib.sha256(msgspec.json.encode(identity)).hexdigest()[:32]


def read_delivery(body: bytes) -> Delivery:
    """Return the delivery of a body. An event that the vendor does not document is `unknown`, if it names an object.

    Raises: NoDelivery.
    """
    said = _decoded(body)
    trigger, message, data, company = (_of(said, name) for name in ("trigger", "message", "data", "company"))
    if not (isinstance(trigger, str) and trigger.strip() and isinstance(message, str) and isinstance(data, dict)):
        raise InvalidDelivery("keys")
    found = _COMPANY.search(company) if isinstance(company, str) else None
    if not found:
        raise InvalidDelivery("company")
    row = data["object"] if isinstance(data.get("object"), dict) else data
    name = _normal(trigger)
    return Delivery(
        account=str(int(found[1])),
        event=_EVENTS.get(name, UNKNOWN),
        trigger=trigger,
        message=message,
        object_type=next((singular for noun, singular in _NOUNS if name.startswith(f"{noun} ")), None),
        object_id=_id_of(row),
        old_value=None if row is data else _as_text(data.get("old_value")),
        new_value=None if row is data else _as_text(data.get("new_value")),
        updated_at=_as_text(row.get("updated_at")),
        data=to_text(data),
    )


def _normal(trigger: str) -> str:
    return re.sub(r"[\s_-]+", " ", trigger).strip().lower()


def _decoded(body: bytes) -> Mapping[str, Any]:
    try:
        said = decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ArithmeticError):
        raise InvalidDelivery("json") from None
    if not isinstance(said, dict):
        raise InvalidDelivery("json")
    _check(said)
    return said


def _check(value: Any, depth: int = 0) -> None:
    """Refuse what a store or a loader chokes on: NUL, numbers beyond 18 digits or 60 places, deep nesting."""
    if depth > _DEEPEST:
        raise InvalidDelivery("nested")
    if isinstance(value, str) and "\0" in value:
        raise InvalidDelivery("text")
    if _is_huge(value):
        raise InvalidDelivery("number")
    if isinstance(value, (dict, list)):
        for one in chain(value, value.values()) if isinstance(value, dict) else value:
            _check(one, depth + 1)


def _is_huge(value: Any) -> bool:
    if isinstance(value, Decimal):
        return abs(value.adjusted()) > _MOST_DIGITS
    return isinstance(value, int) and abs(value) >= _LARGEST


def _of(said: Mapping[str, Any], name: str) -> Any:
    if name not in said:
        raise InvalidDelivery("keys")
    return said[name]


def _id_of(row: Mapping[str, Any]) -> int:
    number = optional_int(row.get("id"))
    if number is None or not 0 < number < _LARGEST:
        raise InvalidDelivery("object")
    return number


def _as_text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else to_text(value)
