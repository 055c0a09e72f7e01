"""What the tap does at a point: runs with and without faults, while people in the office go on working."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from fieldpulse_api.errors import IncompleteRead
from fieldpulse_api.resources.catalogue import BY_NAME
from fieldpulse_sandbox.sandbox import Sandbox
from tests.fault_matrix.accounts import can_prove, hidden_by
from tests.fault_matrix.event_history import History
from tests.fault_matrix.invariants import Fits, Warehouse, named, well_said
from tests.fault_matrix.office import Clock, Row, Rows, rows_of, touch
from tests.fault_matrix.plugins import Message, run_tap
from tests.harness.results import RunResult

_UNSURE = "whether a row was deleted is not known"
Config = dict[str, Any]
Faulty = Callable[[Config, Message | None], RunResult]


@dataclass(frozen=True)
class Reading:
    """One way to read. `goes_on`: a run without faults came before; `exactly`: deleted rows are found.

    `is_stamped`: only rows that are stamped, or whose parents are, come again, so nothing may change without that.
    """

    streams: tuple[str, ...]
    config: Config = field(default_factory=dict)
    goes_on: bool = False
    exactly: bool = False
    is_stamped: bool = False
    more: tuple[str, ...] = ()
    fits: Fits = lambda _stream, _row: True


def _is_lead(stream: str, row: Row) -> bool:
    return row["status"] == ("lead" if stream == "customers" else 1)


READINGS: dict[str, Reading] = {
    "tap-full": Reading(("customers", "jobs")),
    "tap-tables": Reading(("users", "teams", "lead_sources", "job_statuses")),
    "tap-incremental": Reading(("customers", "jobs"), goes_on=True),
    "tap-busy": Reading(("invoices", "payments"), {"pages_in_flight": 2}, goes_on=True),
    "tap-children": Reading(("customer_contacts",), {"contacts_full_refresh_days": 0}),
    "tap-children-again": Reading(("customer_contacts",), goes_on=True, is_stamped=True),
    "tap-details": Reading(("jobs",), {"detail_streams": ["jobs"]}, goes_on=True),
    "tap-deletes": Reading(
        ("customers", "jobs"), {"detect_deletes": True, "max_delete_percent": 100}, goes_on=True, exactly=True
    ),
    "tap-events": Reading(
        ("customers", "jobs"),
        {"detect_deletes": True, "max_delete_percent": 100},
        goes_on=True,
        exactly=True,
        more=("change_events",),
    ),
    "tap-filters": Reading(
        ("customers", "jobs"),
        {"filters": {"customers": {"status": ["lead"]}, "jobs": {"status": [1]}}},
        goes_on=True,
        fits=_is_lead,
    ),
}


class Watch:
    """One point of the tap: `run` yields what is wrong."""

    def __init__(self, box: Sandbox, clock: Clock, reading: Reading, chance: Random, folder: Path) -> None:
        self._box, self._clock, self._reading, self._chance = box, clock, reading, chance
        self.config: Config = {
            "api_key": box.key,
            "api_url": box.url,
            "rate_limit_store": "memory",
            "requests_per_second": 50,
            "page_size": chance.choice((3, 4, 5, 7, 10, 100)),
            "pages_in_flight": chance.choice((1, 2, 16)),
            "lookback_seconds": 0,
            "completeness": chance.choice(("warn", "fail")),
            "timezone": box.behaviour.times_zone,
            "snapshot_url": f"sqlite:///{folder}/snapshot.db",
            **reading.config,
        }
        self.house = Warehouse(reading.streams, reading.fits, hidden_by(box.behaviour))
        self._histories = {name: History(name) for name in reading.streams if reading.more}

    def run(self, faulty: Faulty) -> Iterator[str]:
        """Read without faults, with them, and without again, while rows change between the runs.

        In the end nothing moves: all rows of what was read to its end must have come then, whatever the verdict.
        """
        if self._reading.goes_on:
            yield from self._read(self._plain, is_calm=True)
            self._work()
        yield from self._read(faulty)
        if self._chance.random() < 0.7:
            self._work()
        yield from self._read(self._plain, is_calm=True)
        yield from self._read(self._plain, is_calm=True, is_last=True)

    def _work(self) -> None:
        self._clock.pass_by(self._chance.choice((0, 1, 7)))
        touch(self._box, self._chance, self._reading.streams)
        self._clock.pass_by(self._chance.choice((0, 1, 7)))

    def _plain(self, config: Config, state: Message | None) -> RunResult:
        return run_tap(config, *self._reading.streams, *self._reading.more, state=state)

    def _rows(self) -> dict[str, Rows]:
        return {name: rows_of(self._box, name) for name in self._reading.streams}

    def _read(self, way: Faulty, *, is_calm: bool = False, is_last: bool = False) -> Iterator[str]:
        """Read in one way, and check it; `is_calm`: nothing goes wrong meanwhile."""
        before = self._rows()
        result = way(self.config, self.house.state)
        after = self._rows()
        yield from well_said(result)
        tokens = self._tokens()
        yield from self.house.load(result, before, after)
        for name, history in self._histories.items():
            if self._tokens()[name] != tokens[name]:
                yield from self._told(history, name, result, before[name], after[name])
        if not is_calm:
            return
        behaviour = self._box.behaviour
        closed = [BY_NAME[name].path for name in self._reading.streams if name in behaviour.unavailable]
        if closed:
            yield from named(result, closed)
            return
        is_proved = set(result.verdicts.values()) == {"complete"} and not result.error
        if can_prove(behaviour) and not is_proved:
            yield f"nothing went wrong, and nothing was proved: {result.verdicts} {result.error}"
        if result.error and not (isinstance(result.error, IncompleteRead) and self.config["completeness"] == "fail"):
            yield f"nothing went wrong, and the run failed: {result.error}"
        if is_proved or (is_last and not behaviour.shuffle_unsorted):
            streams = [name for name in self._reading.streams if name in result.verdicts]
            yield from self.house.is_whole(after, streams, exactly=is_proved and self._reading.exactly)

    def _tokens(self) -> dict[str, int | None]:
        """Return by stream which run's snapshot the state names: events of another are detected again."""
        bookmarks = (self.house.state or {}).get("bookmarks", {})
        return {name: bookmarks.get(name, {}).get("snapshot") for name in self._reading.streams}

    def _told(self, history: History, name: str, result: RunResult, before: Rows, after: Rows) -> Iterator[str]:
        """Take in the events of a run, and hold them against the account if that stood still and was read whole."""
        events = [one["record"] for one in result.messages if one.get("stream") == "change_events" and "record" in one]
        if history.has_begun:
            yield from history.load(one for one in events if one["stream"] == name)
        if result.verdicts.get(name) != "complete" or result.status or before != after:
            return
        if history.has_begun:
            is_unsure = any(line.startswith(f"{name}: {_UNSURE}") for line in result.log_lines)
            yield from history.must_be(after, self.house.unseen(name) | {"updated_at"}, exactly=not is_unsure)
        else:
            history.begin({number: one for number, one in self.house.records[name].items() if number in after})
