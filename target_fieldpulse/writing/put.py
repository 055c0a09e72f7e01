"""PUTs: one change of a row, with the fields that must go along, safe against a late one that overwrites it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Mapping
from typing import Any

from fieldpulse_api.errors import RecordInvalid, RowNotFound, UncertainWrite
from target_fieldpulse.planning.plan import Body, differing_fields
from target_fieldpulse.records.field_codec import invalid_field

from .clearing import ClearingStrategy
from .ignored_fields import IgnoredFields
from .put_target import EMPTY, PutTarget
from .services import WriteServices

_LOGGER = logging.getLogger(__name__)
_MAX_ATTEMPTS = 3
Row = Mapping[str, Any]


class PutSender:
    """Send PUTs. May be used by many threads.

    A PUT without a response may be applied late, over a newer one. It is therefore checked, and repeated if necessary,
    once `uncertain_create_timeout_seconds` have passed. Whether an account wants required fields with every PUT is
    learned once for each resource in a run (API facts 7, question 10).
    """

    def __init__(self, services: WriteServices) -> None:
        self._services, self._clearing = services, ClearingStrategy(services)
        self._ignored_fields = IgnoredFields(services)
        self._resending_streams: set[str] = set()
        self._killed_run_lock = threading.Lock()

    def send(self, target: PutTarget, body: Body) -> bool:
        """Send fields of a row; None clears one. Return whether there was anything to send.

        Raises: RecordInvalid if FieldPulse rejects the body, or does not clear a field: the rest is written then.
        """
        clearing = self._clearing.choose(target, [name for name, value in body.items() if value is None])
        sent = {name: value for name, value in body.items() if value is not None} | clearing.body
        row = self._send(target, sent)
        not_clearable = ", ".join(self._clearing.verify(target, clearing, self._send))
        if not_clearable:
            reason = f"{not_clearable}: neither null nor an empty text clears it; the other fields were written"
            raise invalid_field(reason, not_clearable, "clear it in FieldPulse")
        if sent:
            self._services.written_rows.add_sent(target.resource, target.row_id, body, row)
        return bool(sent)

    def send_action(self, path: str, body: Body) -> None:
        """Send the PUT of an action. One without a response is sent once more after the time-out.

        Raises: UncertainWrite if no PUT gets a response, or the run is stopped.
        """
        self._wait_for_killed_run(path)
        for _ in range(_MAX_ATTEMPTS):
            if not self._services.client.put(path, body).was_retried:
                return
            if self._wait_until_applied(path):
                break
        raise _uncertain_error(path)

    def _send(self, target: PutTarget, body: Body) -> Row:
        """Send a PUT with the fields that the account wants to be repeated. Return the row, as far as it is known."""
        if not body:
            return {}
        self._wait_for_killed_run(target.path)
        spec, name = target.resource.write_spec, target.resource.name
        missing = [field for field in spec.always_resend if field not in body]
        if missing and name in self._resending_streams:
            body, missing = self._add_required_fields(target, missing, body), []
        try:
            return self._put_and_verify(target, body)
        except RowNotFound:
            raise
        except RecordInvalid:
            if not missing:
                raise
        row = self._put_and_verify(target, self._add_required_fields(target, missing, body))
        self._resending_streams.add(name)
        _LOGGER.debug("%s: this account wants %s with every PUT", name, ", ".join(missing))
        return row

    def _wait_for_killed_run(self, path: str) -> None:
        """If the previous run was killed, wait until its in-flight PUTs can no longer be applied.

        A late one would overwrite this update. Raises: UncertainWrite if the run is stopped.
        """
        killed_before = self._services.runs.killed_before
        if killed_before is None:
            return
        with self._killed_run_lock:
            seconds_left = killed_before + self._services.timeout_seconds - time.monotonic()
            reason = "the previous run was killed, and its last requests may still be applied"
            if seconds_left > 0 and self._services.waiter.wait(seconds_left, reason):
                raise UncertainWrite(
                    "The run was stopped before this change was sent.",
                    where=f"PUT {path}",
                    hint="run again: the change is sent then",
                )

    def _put_and_verify(self, target: PutTarget, body: Body) -> Row:
        """Send a PUT until a row that was read after the time-out holds it. Return the row, as far as it is known.

        Raises: UncertainWrite if it does not hold after some attempts, or the run is stopped; RecordInvalid if
        FieldPulse accepted it and ignored a part.
        """
        for _ in range(_MAX_ATTEMPTS):
            response = self._services.client.put(target.path, body)
            if not response.was_retried:
                self._check_not_ignored(target, body, response.data)
                return response.data if isinstance(response.data, dict) else {}
            if self._wait_until_applied(target.path):
                break
            row = self._services.read_row(target.resource, target.path)
            names = differing_fields(target.resource, body, row, self._services.codec)
            if not any(target.field_of(name).column in row for name in names):
                return row
        raise _uncertain_error(target.path)

    def _check_not_ignored(self, target: PutTarget, body: Body, row: Any) -> None:
        ignored = self._ignored_fields.of(target.resource, target.path, body, row)
        if ignored:
            raise RecordInvalid(
                f"FieldPulse accepted the change, but ignored {', '.join(ignored)}.",
                where=f"PUT {target.path}",
                hint="make this change in FieldPulse",
            )

    def _wait_until_applied(self, path: str) -> bool:
        """Wait until a PUT without a response can no longer be applied. Return whether the run was stopped."""
        reason = f"PUT {path}: an attempt without a response may still be applied"
        return self._services.waiter.wait(self._services.timeout_seconds, reason)

    def _add_required_fields(self, target: PutTarget, names: Iterable[str], body: Body) -> Body:
        """Return a body with more fields: with the record's values, else with those that the row holds."""
        values = {name: target.resend[name] for name in names if target.resend.get(name) not in EMPTY}
        not_in_record = [name for name in names if name not in values]
        row = (target.row or self._services.read_row(target.resource, target.path)) if not_in_record else {}
        return {**{name: row[name] for name in not_in_record if row.get(name) not in EMPTY}, **values, **body}


def _uncertain_error(path: str) -> UncertainWrite:
    return UncertainWrite(
        "Cannot confirm this change: its response was lost.",
        where=f"PUT {path}",
        hint="run again: the change is sent again",
    )
