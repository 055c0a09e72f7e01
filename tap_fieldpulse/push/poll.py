"""One poll for changes: the event streams are read as in a run of the tap, and their events go to the outbox.

The snapshot is not the tap's, which belongs to a pipeline: what a poll has seen must be new to its next run.
"""

from __future__ import annotations

import logging
from dataclasses import replace

from fieldpulse_api.errors import (
    ConnectionFailed,
    FieldPulseError,
    Forbidden,
    IncompleteRead,
    RecordError,
    ServiceError,
)
from fieldpulse_api.resources.catalogue import BY_NAME
from tap_fieldpulse.settings import TapSettings
from tap_fieldpulse.sync.context import SyncContext
from tap_fieldpulse.sync.sync_plan import StreamSelection

from .outbox import POLLED, Outbox, State

_SELECTION = StreamSelection(is_incremental=True, has_change_events=True)
_FAILURES_OF_ONE_LIST = (ServiceError, IncompleteRead, RecordError, Forbidden)
POLL_LOGGER = logging.getLogger(__name__)


def open_context(settings: TapSettings) -> SyncContext:
    """Return what polls share: client, custom field definitions and names, each read once.

    Webhook deliveries are not read: they are hints for the tap, which counts them as read.
    """
    return SyncContext(replace(settings, webhook_token=None), None, POLL_LOGGER, consumer=POLLED)


def poll(context: SyncContext, outbox: Outbox) -> list[FieldPulseError]:
    """Append the changes since the last poll to the outbox, and return why lists could not be read.

    The changes of a list that could not be read come with a later poll. The first poll of a list appends nothing.

    Raises: what concerns all lists, such as AuthenticationError, QuotaExceeded, RunLocked and ConfigError.
    """
    states = outbox.read_states()
    context.has_any_state = bool(states)
    failures: list[FieldPulseError] = []
    try:
        for name in context.settings.event_streams:
            if context.is_unavailable(BY_NAME[name], POLL_LOGGER):
                continue
            try:
                _poll_stream(context, outbox, name, states.get(name, {}))
            except _FAILURES_OF_ONE_LIST as error:
                failures.append(error)
                if isinstance(error, ConnectionFailed):  # the others would fail too, and each takes two minutes
                    break
        context.raise_if_lock_lost()
    finally:
        context.close()
    failures += context.summary.safety_limit_errors
    context.summary.safety_limit_errors.clear()
    return failures


def _poll_stream(context: SyncContext, outbox: Outbox, name: str, state: State) -> None:
    stream_sync = context.stream_sync(name, state, POLL_LOGGER, selection=_SELECTION)
    with outbox.transaction(name) as transaction:
        for batch in stream_sync.batches():
            transaction.append(batch.events)
        transaction.set_state(state)
    stream_sync.on_state_emitted()
