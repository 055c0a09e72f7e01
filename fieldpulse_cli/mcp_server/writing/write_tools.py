"""The tools that write: one plans, the other carries out exactly that plan. There is no write without a plan."""

from __future__ import annotations

import hashlib
import json
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from fieldpulse_api.errors import ConfigError, FieldPulseError, RecordInvalid, RunLocked, UserError, got_and_allowed
from fieldpulse_api.resources.catalogue import WRITABLE
from fieldpulse_api.resources.model import WritableResource
from fieldpulse_api.values.custom_fields import CUSTOM_FIELDS_PROPERTY
from fieldpulse_api.values.scalars import iso_timestamp
from fieldpulse_api.values.strict_json import encode, parse
from fieldpulse_cli.mcp_server.arguments import STREAM, Schema, object_of
from fieldpulse_cli.mcp_server.results import Record, fitted
from fieldpulse_cli.mcp_server.tool import Tool
from target_fieldpulse.records.parsed_record import EXTERNAL_ID
from target_fieldpulse.settings import TargetSettings

from .planned_write import RecordToWrite, SessionLimits, dry_run, write

_MAX_PLANS = 20
_SECONDS_VALID = 600
_WRITTEN = ("created", "updated", "deleted", "unchanged")
_KEY_PREFIX = "mcp:"
_RECORD: Schema = {
    "type": "object",
    "minProperties": 1,
    "maxProperties": 200,
    "description": "The properties to write, as `describe` lists them under `write`. With `id`, the row of this "
    "FieldPulse id is changed. With `external_id`, a key of your own, the row that was written under this key is "
    "changed, or else a row that matches, or else a new row is created. Without both, a key is made of the contents: "
    "the same record again creates no second row.",
}


@dataclass(frozen=True)
class _Plan:
    """A plan that can be confirmed once."""

    record: RecordToWrite
    fingerprint: tuple[str, ...]
    made_at: float


class WriteTools:
    """The tools that write to one account, by the rules of the target. May be used by many threads."""

    def __init__(self, settings: TargetSettings) -> None:
        self._settings, self._limits = settings, SessionLimits(settings)
        self._plans: OrderedDict[str, _Plan] = OrderedDict()
        self._lock = threading.Lock()

    def tools(self) -> list[Tool]:
        """Return the tools, in the order in which a model needs them."""
        delete: Schema = {"type": "boolean", "default": False, "description": "Delete the row instead."}
        return [
            Tool(
                name="plan_write",
                title="Plan a write",
                description="Show what writing one record would change, field by field with old and new values. Writes "
                "nothing. Returns a `plan_id`, valid for ten minutes: show the plan to the user, and call "
                "`confirm_write` only once the user agrees. `plan_id` is null if there is nothing to write.",
                schema=object_of(
                    {"stream": STREAM | {"enum": list(WRITABLE)}, "record": _RECORD, "delete": delete},
                    "stream",
                    "record",
                ),
                run=self._plan,
            ),
            Tool(
                name="confirm_write",
                title="Carry out a planned write",
                description="Write to FieldPulse what `plan_write` has planned, once. Refused if the row has changed "
                "since, or if the plan is older than ten minutes: then plan again.",
                schema=object_of({"plan_id": {"type": "string", "maxLength": 40}}, "plan_id"),
                run=self._confirm,
                writes=True,
            ),
        ]

    def _plan(self, arguments: Mapping[str, Any]) -> Record:
        resource = WRITABLE[arguments["stream"]]
        record = RecordToWrite(resource, _values(resource, arguments["record"], deletes=arguments.get("delete", False)))
        result = dry_run(self._settings, record)
        if result.error:
            raise result.error
        writes, cuts = fitted({"writes": json.loads(encode(result.writes))})
        plan_id = None
        if result.writes:
            plan_id = f"plan-{secrets.token_hex(8)}"
            self._add(plan_id, _Plan(record, result.fingerprint, time.monotonic()))
        return {
            "plan_id": plan_id,
            "stream": resource.name,
            "outcome": f"would be {result.outcome}" if result.writes else result.outcome,
            "id": result.row_id,
            EXTERNAL_ID: record.values.get(EXTERNAL_ID),
            **({"reason": result.reason} if result.reason else {}),
            **writes,
            **({"cut_fields": cuts} if cuts else {}),
        }

    def _confirm(self, arguments: Mapping[str, Any]) -> Record:
        if self._settings.dry_run:
            raise ConfigError(
                "The settings allow no write.",
                where="setting dry_run (TARGET_FIELDPULSE_DRY_RUN)",
                hint="remove it to let `confirm_write` write",
            )
        plan_id = arguments["plan_id"]
        plan = self._pop(plan_id)
        try:
            result, error = write(self._settings, plan.record, plan.fingerprint, self._limits)
        except RunLocked:  # nothing was sent, and the other run will end
            self._add(plan_id, plan)
            raise
        if result.outcome not in _WRITTEN:
            raise error or _not_written_error(result.outcome, plan_id)
        return {
            "outcome": result.outcome,
            "stream": plan.record.resource.name,
            "id": result.row_id,
            EXTERNAL_ID: plan.record.values.get(EXTERNAL_ID),
            "changed_properties": list(result.changed),
        }

    def _add(self, plan_id: str, plan: _Plan) -> None:
        with self._lock:
            self._plans[plan_id] = plan
            while len(self._plans) > _MAX_PLANS:
                self._plans.popitem(last=False)

    def _pop(self, plan_id: str) -> _Plan:
        """Return a plan and forget it: no plan is carried out twice. Raises: UserError."""
        with self._lock:
            plan = self._plans.pop(plan_id, None)
        if plan is None or time.monotonic() - plan.made_at > _SECONDS_VALID:
            raise UserError(
                "There is no such plan: it was confirmed already, is older than ten minutes, or never was made.",
                where="plan_id",
                hint="call `plan_write`, and use the plan_id that it returns",
            )
        return plan


def _values(resource: WritableResource, record: Mapping[str, Any], *, deletes: bool) -> dict[str, Any]:
    """Return the values of a Singer record. Raises: RecordInvalid for a property that has no effect."""
    spec, where = resource.write_spec, f"stream {resource.name} · record"
    allowed = {*spec.properties, "id", EXTERNAL_ID} | (
        {CUSTOM_FIELDS_PROPERTY} if resource.custom_field_object else set()
    )
    for name in record:
        if name not in allowed:
            what = f"Unknown property: {got_and_allowed(name, sorted(allowed))}."
            raise RecordInvalid(what, where=where, hint="`describe` lists what may be written")
    try:
        parsed = parse(json.dumps(record))
    except (ValueError, RecursionError) as error:
        raise RecordInvalid(f"The record is not valid: {error}.", where=where, hint="correct the record") from None
    if parsed.problems:
        raise RecordInvalid(f"The record has {parsed.problems[0]}.", where=where, hint="correct the record")
    values: dict[str, Any] = parsed.value
    if deletes:
        return {**values, "deleted_at": iso_timestamp(datetime.now(timezone.utc))}
    if spec.row_reference is None and not values.keys() & {"id", EXTERNAL_ID}:
        content = json.dumps([resource.name, record], sort_keys=True).encode("utf-8", "surrogatepass")
        values[EXTERNAL_ID] = _KEY_PREFIX + hashlib.sha256(content).hexdigest()[:24]
    return values


def _not_written_error(outcome: str, plan_id: str) -> FieldPulseError:
    return FieldPulseError(
        f"The record was not written: its outcome is {outcome}.", where=f"plan {plan_id}", hint="plan the write again"
    )
