"""Records that refer to rows which do not exist yet: they wait until the end of the input, and are tried again.

Taps emit streams in any order, often alphabetically, so that a comment comes before its customer.

A record behind a waiting one that writes the same key waits, too: an older version never overwrites a newer one.
Waiting records are tried in rounds, since one of them may refer to another. If a round settles none, those that hold up
others are given up first: a newer version may be valid, and be the row that a third record refers to. If none holds up
another, all are given up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from fieldpulse_api.errors import ReferenceNotFound
from fieldpulse_api.values.strict_json import decode, encode
from fieldpulse_plugin.stores.temporary_database import TemporaryDatabase
from target_fieldpulse.planning.plan import Plan
from target_fieldpulse.records.parsed_record import ParsedRecord

from .keyed_executor import OrderingKey

_TABLES = """
    create table records (line blob not null);
    create table keys (hash integer primary key, holds_up_others integer not null default 0);
"""

SchemaMessage = Mapping[str, Any]
T = TypeVar("T")


@dataclass(frozen=True)
class Submission:
    """A record on its way, and the ticket that holds back every STATE behind it.

    `plan` is set where it is found already that the record changes nothing.
    """

    record: ParsedRecord
    schema_message: SchemaMessage
    ticket: int = 0
    plan: Plan | None = None

    @property
    def stream(self) -> str:
        """Return the name of the record's stream."""
        return self.record.resource.name


class WaitingRecords:
    """The waiting records of a run. May be used by many threads.

    `keys_of` returns the keys that a record writes, `parse` a record of a stream from its values.
    """

    def __init__(
        self,
        keys_of: Callable[[ParsedRecord], list[OrderingKey]],
        parse: Callable[[str, Mapping[str, Any]], ParsedRecord],
    ) -> None:
        self._keys_of, self._parse = keys_of, parse
        self._schema_messages: list[SchemaMessage] = []
        self._waiting = _Round()
        self._stalled: _Round | None = None

    @property
    def count(self) -> int:
        """Return how many records wait."""
        return self._waiting.count

    def attempt(self, submission: Submission, plan: Callable[[ParsedRecord], T]) -> T | None:
        """Plan a record, or let it wait for the end of the input: then return None.

        Raises: ReferenceNotFound for a record whose row did not come; what `plan` raises.
        """
        hashes = self._hashes(submission.record) if self.count else []
        if submission.record.error or not self._waiting.holds_up(hashes):
            try:
                return plan(submission.record)
            except ReferenceNotFound:
                hashes = hashes or self._hashes(submission.record)
                if self._stalled and self._stalled.gives_up(hashes):
                    raise
        self._waiting.append(self._to_line(submission), hashes)
        return None

    def retry(self, start: Callable[[Submission], None], end_round: Callable[[], None]) -> None:
        """Start the waiting records again, in order, until none waits. `end_round` returns once all have ended."""
        while self._waiting.count:
            tried, self._waiting = self._waiting, _Round()
            for line in tried.lines():
                start(self._from_line(line))
            end_round()
            if self._stalled:
                self._stalled.close()
            self._stalled = tried if self._waiting.count == tried.count else None
            if not self._stalled:
                tried.close()

    def close(self) -> None:
        """Discard all records."""
        for records in (self._waiting, self._stalled):
            if records:
                records.close()

    def _hashes(self, record: ParsedRecord) -> list[int]:
        return [hash(key) for key in self._keys_of(record)]

    def _to_line(self, submission: Submission) -> bytes:
        record, message = submission.record, submission.schema_message
        if message not in self._schema_messages:
            self._schema_messages.append(message)
        return encode([submission.stream, record.values, record.rejected_at, self._schema_messages.index(message)])

    def _from_line(self, line: bytes) -> Submission:
        stream, values, rejected_at, number = decode(line)
        record = replace(self._parse(stream, values), rejected_at=rejected_at and float(rejected_at))
        return Submission(record, self._schema_messages[number])


class _Round:
    """The records of one round, and the hashes of the keys that they write.

    Raises: ConfigError if they cannot be stored.
    """

    def __init__(self) -> None:
        self.count = 0
        self._holds_up_any = False
        self._database = TemporaryDatabase(_TABLES, "The records that wait for others")

    def append(self, line: bytes, hashes: Iterable[int]) -> None:
        """Add a record."""
        with self._database.connection() as connection:
            connection.execute("insert into records values (?)", (line,))
            connection.executemany("insert or ignore into keys (hash) values (?)", [(each,) for each in hashes])
            self.count += 1

    def holds_up(self, hashes: Iterable[int]) -> bool:
        """Return whether a record with these keys must wait behind another record, and remember the keys."""
        if not self.count:
            return False
        with self._database.connection() as connection:
            statement = "update keys set holds_up_others = 1 where hash = ?"
            is_held_up = connection.executemany(statement, [(each,) for each in hashes]).rowcount > 0
            self._holds_up_any |= is_held_up
            return is_held_up

    def gives_up(self, hashes: Iterable[int]) -> bool:
        """Return whether a record with these keys is given up, as this round settled none."""
        with self._database.connection() as connection:
            query = "select 1 from keys where hash = ? and holds_up_others"
            return not self._holds_up_any or any(connection.execute(query, (each,)).fetchone() for each in hashes)

    def lines(self) -> Iterator[bytes]:
        """Yield the records in their order."""
        number = 0
        while number < self.count:
            number += 1
            with self._database.connection() as connection:
                (line,) = connection.execute("select line from records where rowid = ?", (number,)).fetchone()
            yield line

    def close(self) -> None:
        """Discard the records."""
        self._database.close()
