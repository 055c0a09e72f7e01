"""The services of one run, built in one place, in the order of their dependencies."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from contextlib import ExitStack
from dataclasses import dataclass

from fieldpulse_api.http.client import Client
from fieldpulse_api.http.settings import ClientSettings
from fieldpulse_api.reading.account import provisional_account_id, read_account_id
from fieldpulse_api.reading.pages import ReadOptions
from fieldpulse_api.resources.catalogue import WRITABLE
from target_fieldpulse.ledger.database import LedgerDatabase
from target_fieldpulse.ledger.ledger import Ledger
from target_fieldpulse.ledger.run_marker import RunMarkers
from target_fieldpulse.ledger.written_rows import WrittenRows
from target_fieldpulse.planning.body_builder import BodyBuilder
from target_fieldpulse.planning.lookups import Lookups
from target_fieldpulse.planning.origin_check import OriginCheck
from target_fieldpulse.planning.planned_state import PlannedState
from target_fieldpulse.planning.planner import Planner
from target_fieldpulse.planning.references import References, lookup_columns
from target_fieldpulse.planning.row_matcher import RowMatcher
from target_fieldpulse.planning.safety_limits import SafetyLimits
from target_fieldpulse.planning.write_policy import external_id_columns
from target_fieldpulse.records.columns import Column
from target_fieldpulse.records.custom_fields import CustomFieldWriter
from target_fieldpulse.records.field_codec import FieldCodec
from target_fieldpulse.reporting.audit import Audit
from target_fieldpulse.reporting.open_rejects import OpenRejects
from target_fieldpulse.settings import TargetSettings
from target_fieldpulse.writing.create import RowCreator
from target_fieldpulse.writing.dry_run import DryRun
from target_fieldpulse.writing.executor import Executor, PlanExecutor
from target_fieldpulse.writing.new_ledger import NewLedger
from target_fieldpulse.writing.put import PutSender
from target_fieldpulse.writing.services import Waiter, WriteServices
from target_fieldpulse.writing.uncertain_creates import UncertainCreates
from target_fieldpulse.writing.update import RowUpdater

ClientFactory = Callable[[ClientSettings], Client]


@dataclass(frozen=True)
class RunServices:
    """The services that a run needs from its first SCHEMA on. May be used by many threads."""

    client: Client
    ledger: Ledger
    runs: RunMarkers
    audit: Audit
    rejects: OpenRejects
    custom_fields: CustomFieldWriter
    planned_state: PlannedState
    planner: Planner
    uncertain_creates: UncertainCreates
    executor: Executor
    _resources: ExitStack

    def close(self) -> None:
        """Close the executor, the audit, the ledger and the client, also if one of them fails to close."""
        self._resources.close()


def build_services(
    settings: TargetSettings,
    *,
    codec: FieldCodec,
    safety_limits: SafetyLimits,
    waiter: Waiter,
    input_streams: AbstractSet[str],
    client_factory: ClientFactory = Client,
) -> RunServices:
    """Build the services of a run. This asks FieldPulse which account the API key belongs to.

    Raises: ConfigError; what `Client.get` raises. Whatever was opened before is closed again.
    """
    policy = settings.policy
    with ExitStack() as resources:
        client = client_factory(settings.client_settings)
        resources.callback(client.close)
        account, former_account = read_account_id(client), provisional_account_id(client)
        database = LedgerDatabase(settings.ledger_url)
        resources.callback(database.close)
        run_id = uuid.uuid4().hex
        ledger = Ledger(database, account, run_id=run_id, former_account=former_account)
        timeout_seconds = settings.uncertain_create_timeout_seconds
        runs = RunMarkers(database, account, run_id, timeout_seconds=timeout_seconds)
        resources.callback(runs.close)
        client.guard_writes(runs.renew_lease)
        read_options = ReadOptions(zone=settings.zone)
        custom_fields = CustomFieldWriter(client, read_options, codec)
        key_columns = {
            stream: _key_column(stream, name, custom_fields) for stream, name in policy.external_id_fields.items()
        }
        lookups = Lookups(client, read_options, codec, lookup_columns(policy.match_columns(key_columns)))
        days, is_enabled = settings.audit_days, not settings.dry_run
        rejects = OpenRejects(database, account, settings.rejects_path, is_enabled=is_enabled)
        resources.callback(rejects.close)
        audit = Audit(database, account, client, rejects, run_id=run_id, days=days, is_enabled=is_enabled)
        resources.callback(audit.close)
        services = WriteServices(
            client=client,
            ledger=ledger,
            new_ledger=NewLedger(is_new=account not in Ledger.accounts(database)),
            runs=runs,
            written_rows=WrittenRows(database, account, codec),
            lookups=lookups,
            read_options=read_options,
            codec=codec,
            policy=policy,
            audit=audit,
            key_columns=key_columns,
            waiter=waiter,
            timeout_seconds=timeout_seconds,
        )
        planned_state = PlannedState(ledger, lookups)
        matcher = RowMatcher(planned_state, lookups, codec, policy, key_columns=key_columns)
        references = References(planned_state, lookups, matcher, create_missing=policy.create_missing_references)
        bodies = BodyBuilder(references, custom_fields, codec, key_columns=key_columns, policy=policy)
        company_id = None if account == former_account else account
        origin_check = OriginCheck(policy, company_id=company_id, input_streams=input_streams)
        planner = Planner(planned_state, bodies, matcher, policy, codec=codec, origin_check=origin_check)
        puts, uncertain_creates = PutSender(services), UncertainCreates(services)
        updater = RowUpdater(services, puts)
        executor: Executor = (
            DryRun(services, planned_state, updater, custom_fields, path=settings.plan_path)
            if settings.dry_run
            else PlanExecutor(services, RowCreator(services, uncertain_creates, puts), updater, safety_limits)
        )
        resources.callback(executor.close)
        return RunServices(
            client=client,
            ledger=ledger,
            runs=runs,
            audit=audit,
            rejects=rejects,
            custom_fields=custom_fields,
            planned_state=planned_state,
            planner=planner,
            uncertain_creates=uncertain_creates,
            executor=executor,
            _resources=resources.pop_all(),
        )


def _key_column(stream: str, name: str, custom_fields: CustomFieldWriter) -> Column:
    """Return the column in which FieldPulse keeps the source's keys: an own column, or a custom field for text."""
    resource = WRITABLE[stream]
    if name in external_id_columns(resource):
        return Column(name, is_exact=True)
    where = f"setting external_id_fields.{stream}"
    field_id = custom_fields.text_field(str(resource.custom_field_object), name, where=where)
    return Column.of_custom_field(field_id, is_exact=True)
