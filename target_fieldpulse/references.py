"""Names, e-mails and external ids → FieldPulse ids."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from fieldpulse_api.catalogue import RESOURCES
from fieldpulse_api.errors import allowed_instead
from fieldpulse_api.names import PERSONAL, normal
from fieldpulse_api.values import Unfit, whole
from fieldpulse_api.write import Group, Reference, Write

from .ledger import Ledger
from .lookups import Lookup, Lookups
from .record import Record, an_id
from .rules import Rules
from .wire import refuse

Create = Callable[[str, dict[str, Any]], int]
"""Create a row of a stream from a body that names it, and return its id."""


class References:
    """Find the rows that records refer to. May be used by many threads.

    `create` makes what the setting `create_missing` allows to be made. Raises: Invalid for a reference that
    leads nowhere, or to several rows.
    """

    def __init__(self, ledger: Ledger, lookups: Lookups, rules: Rules, create: Create) -> None:
        self._ledger, self._lookups, self._rules, self._create = ledger, lookups, rules, create
        self._locks: defaultdict[tuple[str, str], threading.Lock] = defaultdict(threading.Lock)
        self._planned: dict[tuple[str, str], int] = {}

    def resolve(self, write: Write, record: Record, wanted: set[str] | None = None) -> dict[str, Any]:
        """Return the body fields that the record's references fill, of those that are wanted."""
        filled: dict[str, Any] = {}
        for reference in write.references:
            if wanted is not None and not wanted & set(reference.fields):
                continue
            given = next((name for name in reference.properties if record.get(name) is not None), None)
            if given is None or (given == reference.field and not reference.many):
                self._take_direct(filled, reference, given, record)
            elif reference.element:
                self._add_elements(filled, reference, given, record)
            elif reference.many:
                filled[reference.field] = list(dict.fromkeys(self._several(reference, record[given])))
            elif reference.field in filled:
                raise refuse(f"{reference.field} is given twice: by {given} as well", given)
            else:
                filled |= self._one(reference, given, record)
        return filled

    def plan(self, stream: str, source_key: str) -> int:
        """Return the id, below zero, of a row that would be created, for records that refer to it."""
        return self._planned.setdefault((stream, source_key), -1 - len(self._planned))

    def forget_planned(self) -> None:
        """Begin in earnest: what was planned is not there yet."""
        self._planned.clear()

    def _take_direct(self, filled: dict[str, Any], reference: Reference, given: str | None, record: Record) -> None:
        if given and reference.field not in filled:
            filled[reference.field] = an_id(record[given], given)

    def _add_elements(self, filled: dict[str, Any], reference: Reference, given: str, record: Record) -> None:
        if record.get(reference.field) is not None:  # given in full: that is what is meant
            return
        values = record[given] if isinstance(record[given], list) else [record[given]]
        elements = [{reference.element: self._named(reference, given, one)} for one in values]
        filled[reference.field] = [*filled.get(reference.field, ()), *elements]

    def _several(self, reference: Reference, values: Any) -> Iterator[int]:
        name = reference.field
        if not isinstance(values, list):
            raise refuse(f"{name} is no list of names or ids", name)
        for value in values:
            one = (
                next((value[key] for key in ("id", "tag_id") if value.get(key)), None)
                if isinstance(value, Mapping)
                else value
            )
            if isinstance(one, int) and not isinstance(one, bool):
                yield an_id(one, name)
            elif isinstance(one, str) and one.strip():
                yield self._named(reference, name, one)
            else:
                raise refuse(f"{name} has an element that is neither a name nor an id", name)

    def _one(self, reference: Reference, given: str, record: Record) -> dict[str, Any]:
        value = record[given]
        if given == reference.external:
            found = self._written(reference, given, str(value))
            return {reference.field: found, **dict(reference.sets)}
        code = self._code(reference, value)
        if code is not None and reference.codes:
            return {reference.codes.column: code}
        found = self._named(reference, given, value)
        return {reference.field: found, **self._group(reference.group, found, record)}

    def _written(self, reference: Reference, given: str, source_key: str) -> int:
        entry = self._ledger.find(reference.stream, source_key)
        if entry and entry.row_id is not None and entry.status != "deleted":
            return entry.row_id
        if (reference.stream, source_key) in self._planned:
            return self._planned[reference.stream, source_key]
        raise refuse(
            f"{given}: nothing of stream {reference.stream} was written with this external_id",
            given,
            f"send the record of {reference.stream} first, in this run or an earlier one with this ledger",
        )

    def _code(self, reference: Reference, value: Any) -> int | str | None:
        """Return the code that a value is, or the label of; the account's own names go before labels."""
        if reference.codes is None:
            return None
        code = _whole(value)
        if code is not None:
            return code
        if self._lookup(reference).find({str(reference.column): value}):
            return None
        return next((code for code, label in reference.codes.pairs if normal(label) == normal(value)), None)

    def _named(self, reference: Reference, given: str, value: Any) -> int:
        found = self._found(reference, value)
        if len(found) == 1:
            return found[0]
        if found:
            reason = f"{given}: {len(found)} rows of {reference.stream} have it: ids {', '.join(map(str, found))}"
            raise refuse(reason, given, f"give {reference.field}")
        if reference.stream in self._rules.create_missing:
            return self._made(reference, value)
        if reference.column == PERSONAL:  # neither the value nor the others
            raise refuse(f"{given}: no row of {reference.stream} has this e-mail", given)
        labels = reference.codes.by_code.values() if reference.codes else ()
        names = [*self._lookup(reference).names(str(reference.column)), *labels]
        raise refuse(f"{given}: {allowed_instead(value, dict.fromkeys(names))}", given)

    def _found(self, reference: Reference, value: Any) -> list[int]:
        lookup, column = self._lookup(reference), str(reference.column)
        if reference.only:
            found = lookup.find({column: value, reference.only[0]: reference.only[1]})
            return found or lookup.find({column: value, reference.only[0]: None})
        found = lookup.find({column: value})
        direct = _whole(value) if reference.many else None
        return found or ([direct] if direct else [])

    def _made(self, reference: Reference, value: Any) -> int:
        """Create what is missing, once however many records name it."""
        name = " ".join(str(value).split())
        with self._locks[reference.stream, normal(name)]:
            found = self._found(reference, name)
            body = {str(reference.column): name, **dict([reference.only] if reference.only else [])}
            return found[0] if found else self._create(reference.stream, body)

    def _group(self, group: Group | None, member: int, record: Record) -> dict[str, int]:
        """Return the row that a found one belongs to, the marked one of several."""
        if group is None or record.get(group.field) is not None:
            return {}
        rows = self._lookups.of(group.stream).rows()
        owners = {row_id: row for row_id, row in rows.items() if member in map(_whole, row.get(group.members) or ())}
        first = [row_id for row_id, row in owners.items() if row.get(group.first)] or list(owners)
        return {group.field: first[0]} if first and (len(first) == 1 or owners[first[0]].get(group.first)) else {}

    def _lookup(self, reference: Reference) -> Lookup:
        return self._lookups.of(reference.stream)


def columns_asked(streams: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the columns by which the references of all streams look rows up."""
    asked: defaultdict[str, list[str]] = defaultdict(list)
    for reference in (one for resource in RESOURCES if resource.write for one in resource.write.references):
        only = [reference.only[0]] if reference.only else []
        asked[reference.stream] += [*([reference.column] if reference.column else []), *only]
        if reference.group:
            asked[reference.group.stream] += [reference.group.members, reference.group.first]
    for stream, columns in streams.items():
        asked[stream] += columns
    return asked


def _whole(value: Any) -> int | None:
    try:
        return whole(value)
    except Unfit:
        return None
