"""What must hold at every point, whatever the server does: each check yields what is wrong, in words."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from decimal import Decimal, InvalidOperation
from typing import Any

from fieldpulse_api.errors import FieldPulseError, UserError
from fieldpulse_api.resources.catalogue import BY_NAME
from fieldpulse_sandbox.schema.table_shapes import DETAIL_ONLY
from tests.harness.results import RunResult

from .office import Row, Rows
from .plugins import Message

_TIME = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)?$")
_NOTHING: tuple[Any, ...] = (None, "", "0000-00-00 00:00:00", "0000-00-00", [], {})
_UNTOLD = re.compile(r"token|password|secret|api_?key|last_known_location", re.IGNORECASE)

LINKED = "linked"  # what a row is linked with; no column of the API
Fits = Callable[[str, Row], bool]


def plain(value: Any) -> Any:
    """Return a value without its form: text or number, with or without a zone, nothing as null or as ''."""
    if value in _NOTHING:
        return None
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    if isinstance(value, list):
        return [plain(one) for one in value]
    if isinstance(value, str) and _TIME.match(value):
        time = datetime.fromisoformat(value.replace("Z", "+00:00"))
        return time.astimezone(timezone.utc) if time.tzinfo else time.replace(tzinfo=timezone.utc)
    try:
        return Decimal(value if isinstance(value, bool) else str(value))
    except InvalidOperation:
        return value


def differing(row: Row, record: Message, without: frozenset[str]) -> list[str]:
    """Return the columns of a row that a record of it does not hold. `without` are those that the list hides."""
    return [name for name, cell in row.items() if name not in without and not _holds(cell, record.get(name))]


def _holds(cell: Any, value: Any) -> bool:
    cell, value = plain(cell), plain(value)
    if isinstance(cell, dict):
        return value is None or all(_holds(cell[name], value.get(name)) for name in cell if name in value)
    if isinstance(cell, list) and isinstance(value, list):
        return len(cell) == len(value) and all(map(_holds, cell, value))
    return bool(cell == value)


@dataclass
class Warehouse:
    """What a loader that upserts holds after some runs: by stream, the last record of each row."""

    streams: tuple[str, ...]
    fits: Fits = lambda _stream, _row: True
    hidden: frozenset[str] = frozenset()
    records: dict[str, dict[int, Message]] = field(default_factory=lambda: defaultdict(dict))
    state: Message | None = None
    _compared: dict[tuple[str, int], tuple[Row, Message, list[str]]] = field(default_factory=dict)
    _seen: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    _newest: dict[str, int] = field(default_factory=dict)
    _ever: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))

    def load(self, result: RunResult, before: Mapping[str, Rows], after: Mapping[str, Rows]) -> Iterator[str]:
        """Take in a run of the tap; `before` and `after` are the account's rows at its beginning and its end."""
        for name in self.streams:
            self._ever[name] |= set(before[name]) | set(after[name])
            self._newest[name] = max(before[name], default=0)
        yield from _ended(result, self.streams)
        for message in result.messages:
            if message["type"] == "RECORD":
                yield from self._take(message, after)
            elif message["type"] == "STATE":
                self.state = message["value"]
                yield from self._bookmarks(before, after)
        for name in self.streams:
            if result.verdicts.get(name) == "complete":
                emitted = {one["record"]["id"] for one in result.messages if _is_record(one, name)}
                self._seen[name] |= emitted | ({*self.records[name]} & {*after[name]}) if not result.status else set()
                yield from (f"{name} is complete, and {what}" for what in self._lacks(name, before, after))

    def is_whole(self, after: Mapping[str, Rows], streams: Iterable[str], *, exactly: bool) -> Iterator[str]:
        """Say what this lacks of some streams as they are now.

        `exactly`: what is gone must be gone here too, if a run that ended well had seen it.
        """
        for name in streams:
            yield from (f"at the end {what}" for what in self._lacks(name, after, after))
            kept = (set(self.records[name]) & self._seen[name]) - set(after[name])
            if exactly and kept:
                yield f"{name}: {len(kept)} deleted rows are still there at the end"

    def unseen(self, name: str) -> frozenset[str]:
        """Return the columns that the list of a stream does not show."""
        hidden = frozenset(one.partition(".")[2] for one in self.hidden if one.startswith(f"{name}."))
        return hidden | DETAIL_ONLY.get(name, frozenset())

    def _take(self, message: Message, after: Mapping[str, Rows]) -> Iterator[str]:
        name, record = message["stream"], message["record"]
        if name not in self.streams:
            return
        if {one for one, value in record.items() if value is not None} == {"id", "deleted_at"}:
            self.records[name].pop(record["id"], None)
            if record["id"] in after[name]:
                yield f"{name} {record['id']} was reported as deleted, and is there"
            return
        self.records[name][record["id"]] = record
        if record["id"] not in self._ever[name] and record["id"] <= self._newest[name]:
            yield f"{name} {record['id']} was emitted, and never was in the account"
        if record["id"] in after[name] and not self.fits(name, after[name][record["id"]]):
            yield f"{name} {record['id']} was emitted, and does not fit the filter"

    def _bookmarks(self, before: Mapping[str, Rows], after: Mapping[str, Rows]) -> Iterator[str]:
        """Yield rows that lie behind a bookmark and did not come."""
        bookmarks = (self.state or {}).get("bookmarks", {})
        for name in self.streams:
            resource, state = BY_NAME[name], bookmarks.get(name, {})
            value = (state.get("parents") if resource.parent else state) or {}
            until = plain(value.get("replication_key_value"))
            if until is None or resource.parent:
                continue
            for number in self._missing(name, before, after):
                time = plain(after[name][number][str(resource.updated_column)])
                if time is not None and time < until:
                    yield f"{name}: the bookmark passed row {number}, which was not read"

    def _lacks(self, name: str, before: Mapping[str, Rows], after: Mapping[str, Rows]) -> Iterator[str]:
        for number in self._missing(name, before, after):
            record = self.records[name].get(number)
            columns = self._differing(name, after[name][number], record) if record else []
            yield f"{name} {number} " + (f"is old in {', '.join(columns[:5])}" if record else "is missing")

    def _missing(self, name: str, before: Mapping[str, Rows], after: Mapping[str, Rows]) -> Iterator[int]:
        """Yield rows that stood still meanwhile and are not held, or not as they are."""
        for number, row in after[name].items():
            if number not in before[name] or not self.fits(name, row):
                continue
            record, is_still = self.records[name].get(number), before[name][number] == row
            if record is None or (is_still and self._differing(name, row, record)):
                yield number

    def _differing(self, name: str, row: Row, record: Message) -> list[str]:
        known = self._compared.get((name, row["id"]))
        if known is None or known[1] is not record or known[0] != row:
            known = self._compared[name, row["id"]] = (row, record, differing(row, record, self.unseen(name)))
        return known[2]


def _is_record(message: Message, stream: str) -> bool:
    return bool(message["type"] == "RECORD" and message["stream"] == stream)


def _ended(result: RunResult, streams: tuple[str, ...]) -> Iterator[str]:
    """Yield what is wrong with how a run of the tap ended."""
    error = result.error
    if result.status and error is None:
        return  # a process that was killed: how it ended is said by its status
    if error is None:
        yield from (f"the run ended well and said nothing of {name}" for name in streams if name not in result.verdicts)
    elif not isinstance(error, FieldPulseError):
        yield f"an error that nobody foresaw: {type(error).__name__}: {error}"
    elif not re.search(r"(GET|POST) /|stream \w|setting ", error.where):
        yield f"the error does not say where: {error.one_line}"


def named(result: RunResult, paths: list[str]) -> Iterator[str]:
    """Yield it if a run did not fail for a list that the account does not have."""
    where = result.error.where if isinstance(result.error, FieldPulseError) else ""
    if not any(f"GET {path} " in where for path in paths):
        yield f"{', '.join(paths)} cannot be read, and the run did not fail for that: {result.error}"


@dataclass(frozen=True)
class Due:
    """What one source key, or several whose records are the same, must have made of the account.

    Rows in which `like` holds are the keys'. `final` is what they show in the end; no `keys` rows if `is_gone`.
    """

    stream: str
    keys: tuple[str, ...]
    like: Mapping[str, Any]
    final: Mapping[str, Any] = field(default_factory=dict)
    is_gone: bool = False
    is_money: bool = False

    def rows(self, rows: Rows) -> list[Row]:
        """Return the rows that are these keys'."""
        return [row for row in rows.values() if _shows(row, self.like)]

    def is_done(self, rows: Rows) -> bool:
        """Say whether the account is as these records want it."""
        own = self.rows(rows)
        if self.is_gone:
            return not own
        return len(own) == len(self.keys) and all(_shows(row, self.final) for row in own)


def _shows(row: Row, values: Mapping[str, Any]) -> bool:
    return all(plain(row.get(name)) == plain(value) for name, value in values.items())


def never_twice(dues: list[Due], rows: Mapping[str, Rows]) -> Iterator[str]:
    """Yield the keys that have more than one row, and rows that are linked more than once."""
    for due in dues:
        number = len(due.rows(rows[due.stream]))
        for row in due.rows(rows[due.stream]):
            if len(set(row.get(LINKED, ()))) < len(row.get(LINKED, ())):
                yield f"{due.stream}: a link was made twice ({', '.join(due.keys)})"
        if number > len(due.keys):
            yield f"{due.stream}: {number} rows for {len(due.keys)} keys ({', '.join(due.keys)})"


def nothing_lost(dues: list[Due], rows: Mapping[str, Rows], acknowledged: set[str], kept: set[str]) -> Iterator[str]:
    """Yield the keys whose records lie before an emitted state, and that are neither written nor among the rejects."""
    for due in dues:
        behind = set(due.keys) & acknowledged
        if behind == set(due.keys) and not behind & kept and not due.is_done(rows[due.stream]):
            yield f"{due.stream}: {', '.join(due.keys)} acknowledged, and neither in the account nor among the rejects"


def adds_up(report: Message, *, read: Mapping[str, int] | None, rejects: int) -> Iterator[str]:
    """Yield what does not add up in a report. `read` is what came in, where the run read it all."""
    unkept = 0
    for stream, counts in report["streams"].items():
        total = sum(number for name, number in counts.items() if name != "read")
        if counts["read"] != total:
            yield f"{stream}: read {counts['read']} is not the sum, {total}"
        if read is not None and counts["read"] != read.get(stream, 0):
            yield f"{stream}: {read.get(stream, 0)} records came in, {counts['read']} were counted"
        unkept += counts["rejected"] + counts["uncertain"]
    if (unkept != rejects) if read is not None else (unkept < rejects):
        yield f"{unkept} records are rejected or uncertain, {rejects} are in the file of rejects"


def converged(dues: list[Due], rows: Mapping[str, Rows], report: Message, *, can_prove: bool = True) -> Iterator[str]:
    """Yield the keys that a replay without faults has not brought to their end; money may be in doubt, and say so.

    So may all else where the account shows no list's end (not `can_prove`): that a row is not there cannot be proved.
    """
    uncertain = {stream: counts["uncertain"] for stream, counts in report["streams"].items()}
    for due in dues:
        if due.is_done(rows[due.stream]):
            continue
        may_doubt = due.is_money or not can_prove
        if may_doubt and uncertain.get(due.stream, 0) > 0 and len(due.rows(rows[due.stream])) <= len(due.keys):
            continue
        yield f"{due.stream}: {', '.join(due.keys)} did not converge: {len(due.rows(rows[due.stream]))} rows"


def refused(result: RunResult, dues: list[Due], rows: Mapping[str, Rows], setting: str) -> Iterator[str]:
    """Yield what is wrong with an input that cannot be written with a setting: it must be named, nothing taken."""
    if result.status != UserError.exit_status or f"where: {setting}" not in result.stderr:
        yield f"the input cannot be written, and {setting} was not refused: status {result.status}"
    if result.states or any(due.rows(rows[due.stream]) for due in dues):
        yield f"{setting} was refused, and records were taken"


def well_said(result: RunResult) -> Iterator[str]:
    """Yield tracebacks and errors that nobody foresaw."""
    text = "\n".join([*result.log_lines, result.stderr])
    if "Traceback" in text or "nobody foresaw" in text:
        found = re.search(r".*(nobody foresaw|Traceback).*\n?.*\n?.*", text)
        yield f"an error that nobody foresaw: {found[0] if found else text[:300]}"
