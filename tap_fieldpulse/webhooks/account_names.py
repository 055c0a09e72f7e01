"""Names beside the ids of forwarded deliveries, if the receiver has an API key."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any

from fieldpulse_api.errors import FieldPulseError
from fieldpulse_api.http.client import Client
from fieldpulse_api.http.retry import RetryPolicy
from fieldpulse_api.http.settings import ClientSettings
from fieldpulse_api.reading.account import read_account_id
from tap_fieldpulse.reading.event_names import EventNames
from tap_fieldpulse.settings import TapSettings

from .forwarded_event import resource_of

_LOGGER = logging.getLogger(__name__)
_SECONDS_TO_RENEW = 600
_RETRY_POLICY = RetryPolicy(max_attempts=3, max_seconds=10.0)
"""An event without names is worth more than one that comes late."""


class AccountNames:
    """The names of the account that an API key belongs to. They are read again every ten minutes."""

    def __init__(self, settings: TapSettings, client: ClientSettings) -> None:
        self._settings, self._client = settings, Client(client, retry_policy=_RETRY_POLICY)
        self._account: str | None = None
        self._names: EventNames | None = None
        self._renew_at = 0.0

    def add_to(self, event: dict[str, Any], delivery: Mapping[str, Any]) -> dict[str, Any]:
        """Return the event of a delivery with its names; as it is, if the delivery is of another account."""
        resource = resource_of(delivery)
        if resource is None:
            return event
        if time.monotonic() >= self._renew_at:
            self._renew()
        if self._names is None or delivery["account"] != self._account:
            return event
        return self._names.add_to(resource, event)

    def _renew(self) -> None:
        self._renew_at = time.monotonic() + _SECONDS_TO_RENEW
        try:
            self._account = self._account or read_account_id(self._client)
        except FieldPulseError as error:
            _LOGGER.warning("Forwarded events have no names: %s", error.one_line)
            return
        self._names = EventNames(self._client, self._settings.read_options, self._settings.event_zone)
