"""A webhook delivery as an event that is pushed on, in the form of the stream `change_events`. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from fieldpulse_api.resources.catalogue import RESOURCES
from fieldpulse_api.resources.model import Resource
from fieldpulse_api.values.strict_json import decode

_RESOURCES = {resource.singular: resource for resource in RESOURCES}
_NAMES = ("status_name", "customer_name", "technician_names", "local_times")
_ENCODER = msgspec.json.Encoder(decimal_format="number")


def resource_of(delivery: Mapping[str, Any]) -> Resource | None:
    """Return the resource of the row that a stored delivery names, if it is a stream's."""
    return _RESOURCES.get(str(delivery["object_type"]))


def forwarded_event(delivery: Mapping[str, Any]) -> dict[str, Any]:
    """Return the event of a stored delivery, without names. Row and values are as FieldPulse sent them."""
    data = decode(delivery["data"].encode())
    has_values = isinstance(data.get("object"), dict)
    resource = resource_of(delivery)
    return {
        "event_id": delivery["event_key"],
        "event": delivery["event"],
        "stream": resource.name if resource else None,
        "object_id": delivery["object_id"],
        "trigger": delivery["trigger"],
        "message": delivery["message"],
        "old_value": data.get("old_value") if has_values else None,
        "new_value": data.get("new_value") if has_values else None,
        "object": data["object"] if has_values else data,
        **dict.fromkeys(_NAMES),
        "detected_at": delivery["received_at"],
        "updated_at": delivery["updated_at"],
    }


def encoded(event: Mapping[str, Any]) -> bytes:
    """Return an event as JSON."""
    return _ENCODER.encode(event)
