"""Invariants that hold at every point, whatever the server does. Each check yields a description of each violation."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from decimal import Decimal, InvalidOperation
from typing import Any

from fieldpulse_api.errors import FieldPulseError, UserError
from fieldpulse_api.resources.catalogue import BY_NAME
from fieldpulse_sandbox.schema.table_shapes import DETAIL_ONLY
from tap_fieldpulse.changes.deleted_rows import DELETED_ROWS
from tests.harness.results import RunResult

from .office import Row, Rows
from .plugins import Message

_TIME = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)?$")
_EMPTY: tuple[Any, ...] = (None, "", "0000-00-00 00:00:00", "0000-00-00", [], {})
_UNTOLD = re.compile(r"token|password|secret|api_?key|last_known_location", re.IGNORECASE)

LINKS = "linked"  # a key for the links of a row; not a column of the API
PassesFilter = Callable[[str, Row], bool]


def normalized(value: Any) -> Any:
    """Return a value in one form, whether it is text or a number, with a zone or without, null or empty."""
    if value in _EMPTY:
        return None
    if isinstance(value, dict):
        return {name: normalized(item) for name, item in value.items()}
    if isinstance(value, list):
        return [normalized(item) for item in value]
    if isinstance(value, str) and _TIME.match(value):
        time = datetime.fromisoformat(value.replace("Z", "+00:00"))
        return time.astimezone(timezone.utc) if time.tzinfo else time.replace(tzinfo=timezone.utc)
    try:
        return Decimal(value if isinstance(value, bool) else str(value))
    except InvalidOperation:
        return value


def different_columns(row: Row, record: Message, without: frozenset[str]) -> list[str]:
    """Return the columns of a row whose values differ in its record. `without` are the columns that the list hides."""
    return [name for name, cell in row.items() if name not in without and not _holds(cell, record.get(name))]


def _holds(cell: Any, value: Any) -> bool:
    cell, value = normalized(cell), normalized(value)
    if isinstance(cell, dict):
        return value is None or all(_holds(cell[name], value.get(name)) for name in cell if name in value)
    if isinstance(cell, list) and isinstance(value, list):
        return len(cell) == len(value) and all(map(_holds, cell, value))
    return bool(cell == value)


@dataclass
class Warehouse:
    """The content of a warehouse whose loader upserts: by stream, the last record of each row."""

    streams: tuple[str, ...]
    passes_filter: PassesFilter = lambda _stream, _row: True
    hidden_columns: frozenset[str] = frozenset()
    records: dict[str, dict[int, Message]] = field(default_factory=lambda: defaultdict(dict))
    state: Message | None = None
    _compared: dict[tuple[str, int], tuple[Row, Message, list[str]]] = field(default_factory=dict)
    _confirmed_ids: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    _newest_id: dict[str, int] = field(default_factory=dict)
    _known_ids: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))

    def load(self, result: RunResult, before: Mapping[str, Rows], after: Mapping[str, Rows]) -> Iterator[str]:
        """Load a run of the tap. `before` and `after` are the account's rows at its start and its end."""
        for name in self.streams:
            self._known_ids[name] |= set(before[name]) | set(after[name])
            self._newest_id[name] = max(before[name], default=0)
        yield from _ending_is_wrong(result, self.streams)
        for message in result.messages:
            if message["type"] == "RECORD":
                yield from self._load_record(message, after)
            elif message["type"] == "STATE":
                self.state = message["value"]
                yield from self._rows_behind_bookmark(before, after)
        for name in self.streams:
            if result.verdicts.get(name) == "complete":
                emitted = {message["record"]["id"] for message in result.messages if _is_record(message, name)}
                self._confirmed_ids[name] |= (
                    emitted | ({*self.records[name]} & {*after[name]}) if not result.status else set()
                )
                yield from (
                    f"{name} is complete, and {what}" for what in self._missing_or_outdated(name, before, after)
                )

    def differences(self, after: Mapping[str, Rows], streams: Iterable[str], *, exactly: bool) -> Iterator[str]:
        """Yield the differences between these streams and the account as it is now.

        `exactly`: a deleted row must be deleted here too, if a successful run had seen it.
        """
        for name in streams:
            yield from (f"at the end {what}" for what in self._missing_or_outdated(name, after, after))
            remaining = (set(self.records[name]) & self._confirmed_ids[name]) - set(after[name])
            if exactly and remaining:
                yield f"{name}: {len(remaining)} deleted rows are still there at the end"

    def columns_not_listed(self, name: str) -> frozenset[str]:
        """Return the columns that the list of a stream does not show."""
        hidden = frozenset(path.partition(".")[2] for path in self.hidden_columns if path.startswith(f"{name}."))
        return hidden | DETAIL_ONLY.get(name, frozenset())

    def _load_record(self, message: Message, after: Mapping[str, Rows]) -> Iterator[str]:
        name, record = message["stream"], message["record"]
        if name == DELETED_ROWS:
            name, row_id = record["stream"], record["id"]
            self.records[name].pop(row_id, None)
            if row_id in after[name]:
                yield f"{name} {row_id} was reported as deleted, and is there"
            return
        if name not in self.streams:
            return
        self.records[name][record["id"]] = record
        if record["id"] not in self._known_ids[name] and record["id"] <= self._newest_id[name]:
            yield f"{name} {record['id']} was emitted, and never was in the account"
        if record["id"] in after[name] and not self.passes_filter(name, after[name][record["id"]]):
            yield f"{name} {record['id']} was emitted, and does not fit the filter"

    def _rows_behind_bookmark(self, before: Mapping[str, Rows], after: Mapping[str, Rows]) -> Iterator[str]:
        """Yield rows that are older than the bookmark and were not read."""
        bookmarks = (self.state or {}).get("bookmarks", {})
        for name in self.streams:
            resource, state = BY_NAME[name], bookmarks.get(name, {})
            value = (state.get("parents") if resource.parent else state) or {}
            until = normalized(value.get("replication_key_value"))
            if until is None or resource.parent:
                continue
            for number in self._rows_not_held(name, before, after):
                time = normalized(after[name][number][str(resource.updated_column)])
                if time is not None and time < until:
                    yield f"{name}: the bookmark passed row {number}, which was not read"

    def _missing_or_outdated(self, name: str, before: Mapping[str, Rows], after: Mapping[str, Rows]) -> Iterator[str]:
        for number in self._rows_not_held(name, before, after):
            record = self.records[name].get(number)
            columns = self._differing(name, after[name][number], record) if record else []
            yield f"{name} {number} " + (f"is old in {', '.join(columns[:5])}" if record else "is missing")

    def _rows_not_held(self, name: str, before: Mapping[str, Rows], after: Mapping[str, Rows]) -> Iterator[int]:
        """Yield rows that did not change during the run and are missing here, or outdated."""
        for number, row in after[name].items():
            if number not in before[name] or not self.passes_filter(name, row):
                continue
            record, is_still = self.records[name].get(number), before[name][number] == row
            if record is None or (is_still and self._differing(name, row, record)):
                yield number

    def _differing(self, name: str, row: Row, record: Message) -> list[str]:
        known = self._compared.get((name, row["id"]))
        if known is None or known[1] is not record or known[0] != row:
            known = self._compared[name, row["id"]] = (
                row,
                record,
                different_columns(row, record, self.columns_not_listed(name)),
            )
        return known[2]


def _is_record(message: Message, stream: str) -> bool:
    return bool(message["type"] == "RECORD" and message["stream"] == stream)


def _ending_is_wrong(result: RunResult, streams: tuple[str, ...]) -> Iterator[str]:
    """Yield what is wrong with the ending of a run of the tap."""
    error = result.error
    if result.status and error is None:
        return  # a process that was killed: its status says so
    if error is None:
        yield from (f"the run ended well and said nothing of {name}" for name in streams if name not in result.verdicts)
    elif not isinstance(error, FieldPulseError):
        yield f"an unexpected error: {type(error).__name__}: {error}"
    elif not re.search(r"(GET|POST) /|stream \w|setting ", error.where):
        yield f"the error does not say where: {error.one_line}"


def names_unavailable_list(result: RunResult, paths: list[str]) -> Iterator[str]:
    """Yield a violation if a run did not fail for a list that the account does not have."""
    where = result.error.where if isinstance(result.error, FieldPulseError) else ""
    if not any(f"GET {path} " in where for path in paths):
        yield f"{', '.join(paths)} cannot be read, and the run did not fail for that: {result.error}"


@dataclass(frozen=True)
class Expectation:
    """The rows that one source key, or several keys with equal records, must have in the account.

    Rows with the values of `match` belong to the keys. At the end they have `final_values`, or `is_deleted`.
    """

    stream: str
    keys: tuple[str, ...]
    match: Mapping[str, Any]
    final_values: Mapping[str, Any] = field(default_factory=dict)
    is_deleted: bool = False
    is_money: bool = False

    def without(self, ignored: tuple[str, ...]) -> Expectation:
        """Return it without the values of fields that the account ignores, as `stream.field`."""
        values = {name: value for name, value in self.final_values.items() if f"{self.stream}.{name}" not in ignored}
        return replace(self, final_values=values)

    def rows(self, rows: Rows) -> list[Row]:
        """Return the rows that belong to these keys."""
        return [row for row in rows.values() if _has_values(row, self.match)]

    def is_met(self, rows: Rows) -> bool:
        """Return whether the account is as these records say."""
        own = self.rows(rows)
        if self.is_deleted:
            return not own
        return len(own) == len(self.keys) and all(_has_values(row, self.final_values) for row in own)


def _has_values(row: Row, values: Mapping[str, Any]) -> bool:
    return all(normalized(row.get(name)) == normalized(value) for name, value in values.items())


def no_duplicates(dues: list[Expectation], rows: Mapping[str, Rows]) -> Iterator[str]:
    """Yield keys with more than one row, and links that were made twice."""
    for due in dues:
        number = len(due.rows(rows[due.stream]))
        for row in due.rows(rows[due.stream]):
            if len(set(row.get(LINKS, ()))) < len(row.get(LINKS, ())):
                yield f"{due.stream}: a link was made twice ({', '.join(due.keys)})"
        if number > len(due.keys):
            yield f"{due.stream}: {number} rows for {len(due.keys)} keys ({', '.join(due.keys)})"


def no_lost_records(
    dues: list[Expectation], rows: Mapping[str, Rows], acknowledged: set[str], rejected: set[str]
) -> Iterator[str]:
    """Yield keys that an emitted STATE acknowledges, but that are neither written nor rejected."""
    for due in dues:
        behind = set(due.keys) & acknowledged
        if behind == set(due.keys) and not behind & rejected and not due.is_met(rows[due.stream]):
            yield f"{due.stream}: {', '.join(due.keys)} acknowledged, and neither in the account nor among the rejects"


def counts_add_up(report: Message, *, read: Mapping[str, int] | None, rejects: int) -> Iterator[str]:
    """Yield the counts of a report that do not add up. `read` is the input by stream, if the run read it all."""
    unkept = 0
    for stream, counts in report["streams"].items():
        total = sum(number for name, number in counts.items() if name != "read")
        if counts["read"] != total:
            yield f"{stream}: read {counts['read']} is not the sum, {total}"
        if read is not None and counts["read"] != read.get(stream, 0):
            yield f"{stream}: {read.get(stream, 0)} records came in, {counts['read']} were counted"
        unkept += counts["rejected"] + counts["uncertain"] + counts.get("failed", 0)
    if (unkept != rejects) if read is not None else (unkept < rejects):
        yield f"{unkept} records are rejected, failed or uncertain, {rejects} are in the file of rejects"


def converged(
    dues: list[Expectation],
    rows: Mapping[str, Rows],
    report: Message,
    *,
    can_settle: bool = True,
    ignored: tuple[str, ...] = (),
    rejected_keys: frozenset[str] = frozenset(),
) -> Iterator[str]:
    """Yield keys that are not as expected after a replay without faults.

    A key with a field that the account ignores (`stream.field`) has all others, and is among the rejects.
    Money may stay uncertain if the report counts it. So may all else where the account's rows cannot answer whether a
    create arrived (`can_settle` is false). A record that refers to an uncertain one is rejected, and a row that is
    created by its name is in no report.
    """
    uncertain = {stream: counts["uncertain"] for stream, counts in report["streams"].items()}
    rejected = {stream: counts.get("rejected", 0) for stream, counts in report["streams"].items()}
    for due in dues:
        possible = due.without(ignored)
        if possible.is_met(rows[due.stream]) and (possible == due or set(due.keys) <= rejected_keys):
            continue
        may_doubt = due.is_money or not can_settle
        if may_doubt and uncertain.get(due.stream, 0) > 0 and len(due.rows(rows[due.stream])) <= len(due.keys):
            continue
        if not can_settle and any(uncertain.values()) and rejected.get(due.stream, 1):
            continue
        yield f"{due.stream}: {', '.join(due.keys)} did not converge: {len(due.rows(rows[due.stream]))} rows"


def refused_by_setting(
    result: RunResult, dues: list[Expectation], rows: Mapping[str, Rows], setting: str
) -> Iterator[str]:
    """Yield violations for an input that a setting makes impossible to write: name the setting, take no record."""
    if result.status != UserError.exit_status or f"where: {setting}" not in result.stderr:
        yield f"the input cannot be written, and {setting} was not refused: status {result.status}"
    if result.states or any(due.rows(rows[due.stream]) for due in dues):
        yield f"{setting} was refused, and records were taken"


def no_unexpected_error(result: RunResult) -> Iterator[str]:
    """Yield tracebacks and unexpected errors."""
    text = "\n".join([*result.log_lines, result.stderr])
    if "Traceback" in text or "This is a bug" in text:
        found = re.search(r".*(This is a bug|Traceback).*\n?.*\n?.*", text)
        yield f"an unexpected error: {found[0] if found else text[:300]}"
