"""What a run is made of, each part made when it is first needed: a run without records asks nobody."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

from fieldpulse_api.http.client import Client
from fieldpulse_api.reading.account import account_of, address_name
from fieldpulse_api.reading.pages import ReadOptions
from fieldpulse_api.resources.catalogue import WRITABLE
from fieldpulse_plugin.settings import client_settings
from target_fieldpulse.ledger.ledger import Ledger
from target_fieldpulse.planning.forecast import PlannedState
from target_fieldpulse.planning.guards import Guards
from target_fieldpulse.planning.lookups import Lookups, custom_column, key_column
from target_fieldpulse.planning.planner import Planner
from target_fieldpulse.planning.references import References, lookup_columns
from target_fieldpulse.planning.write_policy import WritePolicy, external_id_columns
from target_fieldpulse.records.custom_fields import CustomFieldWriter
from target_fieldpulse.records.field_codec import FieldCodec
from target_fieldpulse.reporting.audit import Audit
from target_fieldpulse.writing.create import RowCreator
from target_fieldpulse.writing.dry_run import DryRun
from target_fieldpulse.writing.executor import PlanExecutor
from target_fieldpulse.writing.put import PutSender
from target_fieldpulse.writing.services import WriteServices
from target_fieldpulse.writing.uncertain_creates import UncertainCreates
from target_fieldpulse.writing.update import RowUpdater


class Parts:
    """The parts, as the settings want them. `wait(seconds)` says whether the run was stopped meanwhile."""

    def __init__(self, config: Mapping[str, Any], *, wait: Callable[[float], bool]) -> None:
        self.settings = client_settings(config)
        self.rules = WritePolicy.from_config(config)
        self.wire = FieldCodec(self.settings.zone, config["phone_region"])
        self._config, self._is_dry = config, config["dry_run"]
        self._wait = wait
        self.guards = Guards(config, self._known)

    def open(self) -> None:
        """Make all parts now, by one thread, for all workers."""
        self.writer, self.audit  # noqa: B018

    @property
    def is_open(self) -> bool:
        """Say whether anything was made."""
        return "audit" in self.__dict__

    def close(self, *, is_clean: bool) -> None:
        """Close what was made. `is_clean`: nothing is under way any more."""
        for part in ("audit", "_preview"):
            if part in self.__dict__:
                getattr(self, part).close()
        if "ledger" in self.__dict__:
            self.ledger.close(is_clean=is_clean)
        if "client" in self.__dict__:
            self.client.close()

    @cached_property
    def client(self) -> Client:
        """Return the one way to FieldPulse."""
        return Client(self.settings)

    @cached_property
    def ledger(self) -> Ledger:
        """Return the ledger of the account that the key belongs to."""
        return Ledger(self._config["ledger_url"], account_of(self.client), former_account=address_name(self.client))

    @cached_property
    def audit(self) -> Audit:
        """Return the audit."""
        return Audit(self.ledger, self.client, days=self._config["audit_days"], is_enabled=not self._is_dry)

    @cached_property
    def _customs(self) -> CustomFieldWriter:
        return CustomFieldWriter(self.client, ReadOptions(zone=self.settings.zone))

    @cached_property
    def means(self) -> WriteServices:
        """Return what the parts share."""
        reading = ReadOptions(zone=self.settings.zone)
        external = {stream: self._external(stream, name) for stream, name in self.rules.external_id_fields.items()}
        columns = lookup_columns(self.rules.match_columns(external))
        return WriteServices(
            client=self.client,
            ledger=self.ledger,
            lookups=Lookups(self.client, reading, self.wire, columns),
            read_options=reading,
            codec=self.wire,
            rules=self.rules,
            audit=self.audit,
            key_columns=external,
        )

    def _external(self, stream: str, name: str) -> str:
        resource = WRITABLE[stream]
        if name in external_id_columns(resource):
            return key_column(name)
        where = f"setting external_id_fields.{stream}"
        return key_column(custom_column(self._customs.text_field(str(resource.custom_field_object), name, where=where)))

    @cached_property
    def references(self) -> References:
        """Return the references."""
        return References(self.forecast, self.means.lookups, self.rules, self.means.key_columns)

    @cached_property
    def forecast(self) -> PlannedState:
        """Return what is known, and foreseen."""
        return PlannedState(self.ledger, self.means.lookups)

    @cached_property
    def planner(self) -> Planner:
        """Return the planner."""
        return Planner(self.means, self.forecast, self.references, self._customs)

    @cached_property
    def doubts(self) -> UncertainCreates:
        """Return who settles doubts."""
        seconds, wait = self._config["uncertain_create_timeout_seconds"], self._wait
        return UncertainCreates(self.means, uncertain_create_timeout_seconds=seconds, wait=wait)

    @cached_property
    def _updates(self) -> RowUpdater:
        return RowUpdater(self.means, self._puts)

    @cached_property
    def _puts(self) -> PutSender:
        return PutSender(
            self.means,
            uncertain_create_timeout_seconds=self._config["uncertain_create_timeout_seconds"],
            wait=self._wait,
        )

    @cached_property
    def _preview(self) -> DryRun:
        seconds = self.settings.requests_per_second
        path = self._config.get("plan_path")
        return DryRun(self.means, self.forecast, self._updates, self._customs, path=path, requests_per_second=seconds)

    @cached_property
    def writer(self) -> PlanExecutor | DryRun:
        """Return who carries plans out, or in a dry run shows them."""
        self.planner  # noqa: B018  opened with it
        if self._is_dry:
            return self._preview
        return PlanExecutor(self.means, RowCreator(self.means, self.doubts, self._puts), self._updates, self.guards)

    def _known(self, stream: str) -> int:
        return self.ledger.row_count(stream)  # not before there is a ledger
