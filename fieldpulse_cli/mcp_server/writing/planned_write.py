"""One record, through the target: as a dry run first, and then for real, if its plan is still the same."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from typing_extensions import override

from fieldpulse_api.errors import FieldPulseError, RowNotFound, UserError
from fieldpulse_api.reading.single_rows import read_row
from fieldpulse_api.resources.model import WritableResource
from fieldpulse_api.values.strict_json import decode, encode
from fieldpulse_cli.mcp_server.results import Record
from target_fieldpulse.planning.plan import Plan
from target_fieldpulse.planning.safety_limits import SafetyLimits
from target_fieldpulse.reporting.outcomes import WriteResult
from target_fieldpulse.run.record_writer import RecordObserver
from target_fieldpulse.run.run import TargetRun
from target_fieldpulse.run.wiring import RunServices
from target_fieldpulse.settings import TargetSettings


@dataclass(frozen=True)
class RecordToWrite:
    """A record of a stream, as a Singer tap would send it; numbers with a point are Decimal."""

    resource: WritableResource
    values: Mapping[str, Any]


@dataclass(frozen=True)
class DryRunResult:
    """What the target would do: the lines of its plan file, and the fingerprint of plan and row.

    `action` is the planned one, `outcome` what it would come to. `error` is why the record is rejected.
    """

    outcome: str
    row_id: int | None
    reason: str
    writes: list[Record]
    fingerprint: tuple[str, ...]
    error: FieldPulseError | None


class _Observer(RecordObserver):
    """Notes the plans and the outcome of the only record of a run."""

    def __init__(self) -> None:
        self.fingerprint: tuple[str, ...] = ()
        self.plan: Plan | None = None
        self.result: WriteResult | None = None
        self.error: FieldPulseError | None = None

    @override
    def planned(self, plan: Plan, services: RunServices) -> None:
        self.plan = plan
        self.fingerprint += (_fingerprint_of(plan, services),)

    @override
    def ended(self, result: WriteResult, error: FieldPulseError | None) -> None:
        self.result, self.error = result, error


class _Gate(_Observer):
    """Lets only the plans pass that a person has seen, within the safety limits of the session."""

    def __init__(self, expected: tuple[str, ...], limits: SessionLimits) -> None:
        super().__init__()
        self._expected, self._limits = expected, limits

    @override
    def planned(self, plan: Plan, services: RunServices) -> None:
        super().planned(plan, services)
        if self.fingerprint != self._expected[: len(self.fingerprint)]:
            raise UserError(
                "The row or the plan has changed since the plan was made. Nothing was written.",
                where=f"stream {plan.ledger_key.stream}",
                hint="plan the write again, and look at what it would change now",
            )
        self._limits.count(plan, services)


class SessionLimits:
    """The target's safety limits, counted over all writes of this process: each of them is a run of its own."""

    def __init__(self, settings: TargetSettings) -> None:
        self._services: RunServices | None = None
        self._limits = SafetyLimits(settings.limits, self._row_count)

    def count(self, plan: Plan, services: RunServices) -> None:
        """Count a write. Raises: SafetyLimitReached."""
        self._services = services
        self._limits.count(plan.action, plan.ledger_key.stream)
        for row in plan.rows_to_create:
            self._limits.count("create", row.stream)

    def _row_count(self, stream: str) -> int:
        return self._services.ledger.row_count(stream) if self._services else 0


def dry_run(settings: TargetSettings, record: RecordToWrite) -> DryRunResult:
    """Return what the target would do with a record. Sends no write. Raises: FieldPulseError."""
    observer = _Observer()
    with tempfile.TemporaryDirectory(prefix="fieldpulse-mcp-") as folder:
        path = Path(folder) / "plan.jsonl"
        _run(
            replace(
                settings, dry_run=True, plan_path=path, rejects_path=Path(folder) / "rejects.singer", report_path=None
            ),
            record,
            observer,
        )
        lines = [decode(line) for line in path.read_bytes().splitlines()]
    result = observer.result or WriteResult("unsent")
    return DryRunResult(
        outcome=result.outcome,
        row_id=result.row_id if (result.row_id or 0) > 0 else None,
        reason=observer.plan.reason if observer.plan else "",
        writes=[line for line in lines if line["action"] != "total"],
        fingerprint=observer.fingerprint,
        error=observer.error,
    )


def write(
    settings: TargetSettings, record: RecordToWrite, expected: tuple[str, ...], limits: SessionLimits
) -> tuple[WriteResult, FieldPulseError | None]:
    """Write a record, if its plans have the expected fingerprints. Returns the outcome, and why it was not written.

    Raises: UserError, SafetyLimitReached and RunLocked before anything is sent; FieldPulseError.
    """
    gate = _Gate(expected, limits)
    _run(replace(settings, plan_path=None, report_path=None), record, gate)
    return gate.result or WriteResult("unsent"), gate.error


def _run(settings: TargetSettings, record: RecordToWrite, observer: RecordObserver) -> None:
    """Run the target on one record, as its process would. Raises: the error that ended the run."""
    run = TargetRun(settings, lambda _: None, set(), observer=observer)
    stream = record.resource.name
    schema: Record = {"properties": {name: {} for name in record.values}}
    message = {"type": "SCHEMA", "stream": stream, "schema": schema, "key_properties": []}
    with _closing(run):
        run.prepare(record.resource)
        run.submit(run.record_parser(record.resource).parse(record.values), message)
        run.finish()
        run.raise_if_failed()


@contextmanager
def _closing(run: TargetRun) -> Iterator[None]:
    try:
        yield
    except BaseException:
        run.finish(is_stopped=True)
        run.close(1)
        raise
    run.close()


def _fingerprint_of(plan: Plan, services: RunServices) -> str:
    """Return the hash of a plan, and of the row that it would change as it is now."""
    content = (
        plan.action,
        plan.resource.name,
        plan.ledger_key,
        plan.row_id,
        sorted(plan.parent_ids.items()),
        plan.body,
        plan.resend,
        plan.actions,
        plan.changed,
    )
    digest = hashlib.sha256(repr(content).encode("utf-8", "surrogatepass"))
    digest.update(_content_of_row(plan, services))
    return digest.hexdigest()


def _content_of_row(plan: Plan, services: RunServices) -> bytes:
    """Return the single values of a row, with `updated_at`, and the nested ones that the plan would write.

    Other nested values are rows of other streams, such as users, which change with every look at the app.
    """
    row_id = plan.row_id or 0
    if not plan.writes or min([row_id, *plan.parent_ids.values()]) <= 0:
        return b""
    ids = {**plan.parent_ids, "id": row_id}
    try:
        row = read_row(services.client, plan.resource, str(plan.resource.item_path).format(**ids))
    except RowNotFound:
        return b"missing"
    columns = {plan.resource.write_spec.column_of(name) for name in plan.body}
    content = {name: row[name] for name in sorted(row) if name in columns or not isinstance(row[name], (dict, list))}
    return bytes(encode(content))
