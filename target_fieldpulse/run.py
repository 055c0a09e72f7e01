"""One run of the target: what is shared by all streams, and the way of a record through it."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Mapping
from typing import Any

from fieldpulse_api.client import Client
from fieldpulse_api.errors import FieldPulseError, OutcomeUnknown, RecordRefused
from fieldpulse_api.pages import Reading
from fieldpulse_api.resource import Resource
from fieldpulse_api.settings import ApiSettings

from .account import account_of
from .acknowledged import Acknowledged, State
from .doubt import Doubts
from .lanes import Lanes
from .ledger import Ledger
from .outcomes import Outcomes
from .references import References, keys_read, keys_written
from .writer import Writer

_LOGGER = logging.getLogger(__name__)
_LAST_SECONDS = 20.0  # what a stopped run gives its requests under way


class Run:
    """Take records in, write them side by side, and let states out behind them. A dry run emits no state."""

    def __init__(self, config: Mapping[str, Any], emit: Callable[[State], None]) -> None:
        self.settings = ApiSettings.read(config)
        self.outcomes = Outcomes(config["rejects_path"])
        self._config = config
        self._acknowledged = Acknowledged(emit if not config["dry_run"] else lambda _: None)
        self._lanes = Lanes(math.ceil(self.settings.requests_per_second))
        self._lock = threading.Lock()
        self._fatal: FieldPulseError | None = None
        self._client: Client | None = None
        self._ledger: Ledger | None = None
        self._writer: Writer | None = None

    def prepare(self, resource: Resource) -> None:
        """Get ready to write a stream: which account this is, and what earlier runs left in doubt."""
        writer, doubts = self._open()
        del writer
        if not self._config["dry_run"] and resource.write and not resource.write.into:
            doubts.settle_all(resource)

    def submit(self, resource: Resource, schema: Mapping[str, Any], record: dict[str, Any]) -> None:
        """Read one record. Raises: the error that ended the run, if one did."""
        self.check()
        self.outcomes.read += 1
        write = resource.write
        assert write is not None  # noqa: S101  a sink is made for writable streams only
        ticket = self._acknowledged.begin()
        self._lanes.submit(
            lambda: self._work(resource, schema, record, ticket),
            writes=keys_written(resource.name, write, record),
            after=keys_read(write, record),
        )

    def skip(self) -> None:
        """Count a record that is not to be written."""
        self.outcomes.read += 1
        self.outcomes.count("skipped")

    def state(self, state: State) -> None:
        """Take in a state."""
        self._acknowledged.state(state)

    def check(self) -> None:
        """Raise the error that ended the run, if one did."""
        if self._fatal:
            raise self._fatal

    def finish(self, *, is_stopped: bool = False) -> None:
        """Wait for what is under way, all of it or what a stopped run can wait for, and say the last line."""
        if is_stopped:
            self._lanes.stopped.set()
        self._lanes.finish(_LAST_SECONDS if is_stopped else None)

    def close(self) -> int:
        """Close everything, say the last line, and return the exit status that the outcomes ask for."""
        for part in (self._client, self._ledger):
            if part:
                part.close()
        _LOGGER.info("%s", self.outcomes.close())
        bad = self.outcomes["uncertain"] or (self.outcomes["rejected"] and self._config["on_reject"] == "fail")
        return 1 if bad else 0

    def _open(self) -> tuple[Writer, Doubts]:
        if self._writer is None:
            self._client = Client(self.settings)
            self._ledger = Ledger(self._config["ledger_url"], account_of(self._client))
            reading = Reading(zone=self.settings.zone)
            self._doubts = Doubts(
                self._client,
                self._ledger,
                reading,
                settle_seconds=self._config["settle_seconds"],
                wait=self._lanes.stopped.wait,
            )
            references = References(self._client, self._ledger, reading)
            dry_run = self._config["dry_run"]
            self._writer = Writer(self._client, self._ledger, self._doubts, references, reading, dry_run=dry_run)
        return self._writer, self._doubts

    def _work(self, resource: Resource, schema: Mapping[str, Any], record: dict[str, Any], ticket: int) -> None:
        try:
            self._end(resource, schema, record)
        except FieldPulseError as error:
            self._stop(error)
        except BaseException as error:  # noqa: BLE001  a bug in a worker must end the run, not vanish in a thread
            self._stop(error)
        else:
            self._acknowledged.end(ticket)

    def _end(self, resource: Resource, schema: Mapping[str, Any], record: dict[str, Any]) -> None:
        writer, _ = self._open()
        try:
            self.outcomes.count(writer.write(resource, record))
        except (RecordRefused, OutcomeUnknown) as error:
            outcome = "uncertain" if isinstance(error, OutcomeUnknown) else "rejected"
            self.outcomes.reject(resource.name, schema, record, error)
            self.outcomes.count(outcome)
            _LOGGER.warning("%s %s: %s (%s)", outcome, resource.name, error.what, error.where)

    def _stop(self, error: BaseException) -> None:
        with self._lock:
            if self._fatal is None:
                self._fatal = error  # type: ignore[assignment]
                self._lanes.stopped.set()
