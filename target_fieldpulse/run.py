"""One run of the target: what its streams share, and the way of a record through it."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

from fieldpulse_api.account import account_of, address_name
from fieldpulse_api.client import Client
from fieldpulse_api.errors import OutcomeUnknown, RecordRefused, impersonal
from fieldpulse_api.pages import Reading
from fieldpulse_api.resource import Resource
from fieldpulse_api.settings import ApiSettings

from .acknowledged import Acknowledged, State
from .doubt import Doubts
from .lanes import Lanes
from .ledger import Ledger
from .outcomes import Outcome, Outcomes
from .references import References, keys_read, keys_written
from .writer import Writer

_LOGGER = logging.getLogger(__name__)
_LAST_SECONDS = 20.0  # what a stopped run gives its requests under way

Record = dict[str, Any]
Schema = Mapping[str, Any]


class Stopped(Exception):
    """The run was stopped while the outcome of a create was being found out."""


class Run:
    """Take records in, write them side by side, and let states out behind them. A dry run lets none out."""

    def __init__(self, config: Mapping[str, Any], emit: Callable[[State], None]) -> None:
        self.settings = ApiSettings.read(config)
        self._config = config
        self._outcomes = Outcomes(config["rejects_path"])
        self._acknowledged = Acknowledged(emit if not config["dry_run"] else lambda _: None)
        self._lanes = Lanes(math.ceil(self.settings.requests_per_second))
        self._prepared: set[str] = set()
        self._fatal: BaseException | None = None

    def prepare(self, resource: Resource) -> None:
        """Get ready to write a stream: which account this is, and what earlier runs left in doubt."""
        self._writer  # noqa: B018  opened here, by one thread, for all workers
        is_first = resource.name not in self._prepared  # a SCHEMA may come again, while creates are under way
        self._prepared.add(resource.name)
        if is_first and resource.write and not resource.write.into and not self._config["dry_run"]:
            self._doubts.settle_all(resource)

    def submit(self, resource: Resource, schema: Schema, record: Record) -> None:
        """Read one record; this waits while too many are under way. Raises: what ended the run."""
        self.check()
        self._outcomes.read += 1
        ticket = self._acknowledged.begin()
        write = resource.write
        self._lanes.submit(
            lambda: self._work(resource, schema, record, ticket),
            writes=keys_written(resource.name, write, record) if write else (),
            after=keys_read(write, record) if write else (),
        )

    def skip(self) -> None:
        """Count a record that is not to be written."""
        self._outcomes.read += 1
        self._outcomes.count("skipped")

    def state(self, state: State) -> None:
        """Take in a state."""
        self._acknowledged.state(state)

    def check(self) -> None:
        """Raise what ended the run, if anything did."""
        if self._fatal:
            raise self._fatal

    def finish(self, *, is_stopped: bool = False) -> None:
        """Wait for all writes; in a run that was stopped, only for those under way, and not for ever."""
        if is_stopped:
            self._lanes.stopped.set()
        self._lanes.finish(_LAST_SECONDS if is_stopped else None)

    def close(self) -> int:
        """Close everything, say the last line, and return the exit status that the outcomes ask for."""
        for part in ("_ledger", "_client"):
            if part in self.__dict__:
                getattr(self, part).close()
        _LOGGER.info("%s", self._outcomes.close())
        bad = self._outcomes["uncertain"] or (self._outcomes["rejected"] and self._config["on_reject"] == "fail")
        return 1 if bad else 0

    @cached_property
    def _client(self) -> Client:
        return Client(self.settings)

    @cached_property
    def _ledger(self) -> Ledger:
        account, formerly = account_of(self._client), address_name(self._client)
        return Ledger(self._config["ledger_url"], account, formerly=formerly, is_held=not self._config["dry_run"])

    @cached_property
    def _reading(self) -> Reading:
        return Reading(zone=self.settings.zone)

    @cached_property
    def _doubts(self) -> Doubts:
        seconds, wait = self._config["settle_seconds"], self._lanes.stopped.wait
        return Doubts(self._client, self._ledger, self._reading, settle_seconds=seconds, wait=wait)

    @cached_property
    def _writer(self) -> Writer:
        references = References(self._client, self._ledger, self._reading)
        dry_run = self._config["dry_run"]
        return Writer(self._client, self._ledger, self._doubts, references, self._reading, dry_run=dry_run)

    def _work(self, resource: Resource, schema: Schema, record: Record, ticket: int) -> None:
        try:
            with self._outcomes.under_way():
                self._outcomes.count(self._write(resource, schema, record))
            self._acknowledged.end(ticket)
        except Stopped:
            self._outcomes.count("uncertain")  # the ledger has it; its ticket stays open, so no state passes it
        except BaseException as error:  # noqa: BLE001  whatever it is ends the run instead of vanishing in a thread
            self._fatal = self._fatal or error
            self._lanes.stopped.set()

    def _write(self, resource: Resource, schema: Schema, record: Record) -> Outcome:
        try:
            return self._writer.write(resource, record)
        except (RecordRefused, OutcomeUnknown) as error:
            if isinstance(error, OutcomeUnknown) and self._lanes.stopped.is_set():
                raise Stopped from None
            if not self._config["dry_run"]:
                self._outcomes.reject(resource.name, schema, record, error)
            outcome: Outcome = "uncertain" if isinstance(error, OutcomeUnknown) else "rejected"
            key = impersonal(str(record.get("external_id") or record.get("id") or ""))
            _LOGGER.warning("%s: %s %s: %s", outcome, resource.name, key, error.line)
            return outcome
