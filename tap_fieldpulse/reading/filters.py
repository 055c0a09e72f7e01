"""What a user's filter means: what the server is asked for, and which rows fit.

A filter is sent in its documented form, since it may spare requests, and applied here, since the server
ignores what it does not know. That the server means the same by it is checked by who reads the list.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from typing import Any

from fieldpulse_api.errors import ConfigError, allowed_and_similar, got_and_allowed
from fieldpulse_api.reading.pages import Row
from fieldpulse_api.resources.model import Filter, Resource
from fieldpulse_api.resources.write_model import CodeLabels
from fieldpulse_api.values.scalars import optional_int, optional_time
from fieldpulse_api.values.text import PERSONAL_COLUMN, normalized

from .name_index import NameIndex

Names = Callable[[str, str], NameIndex]
"""The rows of a stream by a column, or by several with a space between."""
Test = Callable[[Row], bool]

_DAY = timedelta(days=1)
_LABEL_KEYS = ("id", "tag_id", "title", "name")  # where an element that is an object may say what it is (contract 4.22)


@dataclass(frozen=True)
class Filters:
    """The filters of one stream. `query` is what is sent; `digest` changes when what was asked for does."""

    query: Mapping[str, str] = field(default_factory=dict)
    tests: tuple[Test, ...] = ()
    digest: str | None = None

    def matches(self, row: Row) -> bool:
        """Say whether a row is wanted."""
        return all(test(row) for test in self.tests)


def read_filters(resource: Resource, given: Mapping[str, Any], names: Names, zone: tzinfo) -> Filters:
    """Return what the setting `filters` says of one stream.

    Raises: BadSetting for a filter that the stream does not have, and for a value that names nothing.
    """
    offered: dict[str, list[Filter]] = defaultdict(list)
    for one in resource.filters:
        offered[one.name].append(one)
    query: dict[str, str] = {}
    tests = []
    for name, value in given.items():
        where = f"setting filters.{resource.name}.{name}"
        if name not in offered:
            raise ConfigError(
                f"There is no such filter: {got_and_allowed(name, offered)}.", where=where, hint="correct the setting"
            )
        wanted = [_FilterValues(one, _labels_of(resource, one), names, zone) for one in offered[name]]
        wanted[-1].accepts_any_id = True
        for single in value if isinstance(value, list) else [value]:
            _assign(single, wanted, where)
        used = [one for one in wanted if one.ids or one.words or one.limits]
        if not used:
            raise ConfigError("The filter names no value.", where=where, hint="name some, or leave the filter out")
        if len(used) == 1:
            query |= used[0].query(sum(key.endswith("[attribute]") for key in query))
        tests.append(_any([one.matches for one in used]))
    text = json.dumps(given, sort_keys=True, default=str)
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return Filters(query, tuple(tests), digest if given else None)


class _FilterValues:
    """The values that one filter is to let through."""

    def __init__(self, one: Filter, labels: CodeLabels | None, names: Names, zone: tzinfo) -> None:
        self.filter = one
        self.ids: set[int] = set()
        self.words: set[str] = set()
        self.limits: list[datetime] = []
        self.accepts_any_id = False
        self._labels, self._names, self._zone = labels, names, zone

    def add(self, value: Any) -> bool:
        """Take a value in, if this filter knows it."""
        if self.filter.comparison:
            limit = _limit(value, self.filter.comparison, self._zone)
            self.limits += [limit] if limit else []
            return limit is not None
        ids, words = self._known(value)
        self.ids |= ids
        self.words |= words
        return bool(ids or words)

    def allowed_names(self) -> Iterator[str]:
        """Yield the values that may be named; nobody's e-mail or name among them."""
        yield from self.filter.allowed_values
        yield from self._labels.by_code.values() if self._labels else ()
        if self.filter.stream and PERSONAL_COLUMN not in self.filter.name_columns:
            for columns in self.filter.name_columns:
                yield from self._names(self.filter.stream, columns).names

    def matches(self, row: Row) -> bool:
        """Say whether a row is let through."""
        return any(self._is_wanted(cell) for path in self.filter.columns for cell in _cells(row, path.split(".")))

    def query(self, number: int) -> dict[str, str]:
        """Return the documented parameters that ask for it; `number` is that of the next bracket filter."""
        sent = self.filter.query_param
        if sent is None:
            return {}
        if self.limits:
            return self._limit_query(sent, number)
        values = list(map(str, sorted(self.ids))) or sorted(self.words)
        if sent == "filter":
            return _bracket(number, self.filter.columns[0], "in", ",".join(values), "int_array" if self.ids else None)
        if not sent.startswith("asn"):
            return {sent: ",".join(values)}
        if len(values) > 1:  # whether several mean `any` is not documented
            return {}
        return {sent if sent.endswith("_id]") else f"{sent}[0]": values[0]}

    def _limit_query(self, sent: str, number: int) -> dict[str, str]:
        """Ask for a day more than is wanted: in which zone the server compares is not known."""
        is_first = self.filter.comparison == ">="
        limit = _moved(min(self.limits), -_DAY) if is_first else _moved(max(self.limits), _DAY)
        seconds = str(int(limit.replace(microsecond=0).timestamp()))
        if sent != "filter":
            return {sent: seconds}
        operator, column = ">=" if is_first else "<", self.filter.columns[0]
        if column == "start_time":  # the one column for which UNIX seconds were seen (contract 3.1)
            return _bracket(number, column, operator, seconds)
        return _bracket(number, column, operator, limit.strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0"), "date")

    def _known(self, value: Any) -> tuple[set[int], set[str]]:
        """Return the ids or codes that a value means, and the words."""
        word, identity = normalized(value), optional_int(value)
        itself = {identity} if identity is not None and self.accepts_any_id else set()
        if self._labels:
            codes = {code for code, label in self._labels.pairs if word in (normalized(label), normalized(code))}
            return {code for code in codes if isinstance(code, int)} or itself, set()
        if self.filter.stream and isinstance(value, int):
            return itself, set()
        if self.filter.stream:
            indexes = [self._names(self.filter.stream, columns) for columns in self.filter.name_columns]
            found = {one for index in indexes for one in index.find(value)}
            return found or itself, {word} if found else set()
        if self.filter.allowed_values:
            return set(), {word} & set(map(normalized, self.filter.allowed_values))
        return itself, set() if self.filter.query_param else {word}

    def _is_wanted(self, cell: Any) -> bool:
        if isinstance(cell, dict):
            return any(self._is_wanted(cell.get(key)) for key in _LABEL_KEYS)
        if cell is None or cell == "":
            return False
        if self.limits:
            return self._is_within(cell)
        return optional_int(cell) in self.ids or normalized(cell) in self.words

    def _is_within(self, cell: Any) -> bool:
        time = optional_time(cell, self._zone)
        if time is None:
            return False
        return time >= min(self.limits) if self.filter.comparison == ">=" else time <= max(self.limits)


def _assign(value: Any, wanted: list[_FilterValues], where: str) -> None:
    """Give a value to the first filter of a name that knows it."""
    is_value = isinstance(value, (str, int)) and not isinstance(value, bool) and value != ""
    if is_value and any(one.add(value) for one in wanted):
        return
    if any(one.filter.comparison for one in wanted):
        what, do = "A time is not in ISO 8601 form.", "give it like 2026-01-31 or 2026-01-31T00:00:00Z"
        raise ConfigError(what, where=where, hint=do)
    names = list(dict.fromkeys(name for one in wanted for name in one.allowed_names()))
    choice = f": {allowed_and_similar(value, names)}" if names else ""  # of persons, none is listed
    raise ConfigError(f"Nothing has this name{choice}.", where=where, hint="correct the setting; an id will do, too")


def _labels_of(resource: Resource, one: Filter) -> CodeLabels | None:
    return next((labels for labels in resource.code_labels if labels.column == one.columns[0]), None)


def _limit(value: Any, bound: str, zone: tzinfo) -> datetime | None:
    if not isinstance(value, str):
        return None
    limit = optional_time(value, zone)
    is_day = len(value.strip()) == len("2026-01-31")
    return _moved(limit, _DAY - timedelta(microseconds=1)) if limit and is_day and bound == "<=" else limit


def _moved(time: datetime, by: timedelta) -> datetime:
    """Return a time so much later, or the first or last one that there is."""
    try:
        return time + by
    except OverflowError:
        first, last = datetime.min.replace(tzinfo=time.tzinfo), datetime.max.replace(tzinfo=time.tzinfo)
        return last if by > timedelta() else first


def _cells(cell: Any, path: list[str]) -> Iterator[Any]:
    """Yield what stands at a path, through lists."""
    if isinstance(cell, list):
        for one in cell:
            yield from _cells(one, path)
    elif not path:
        yield cell
    elif isinstance(cell, dict):
        yield from _cells(cell.get(path[0]), path[1:])


def _bracket(number: int, column: str, operator: str, value: str, kind: str | None = None) -> dict[str, str]:
    """Return one bracket filter (contract 3.1)."""
    parts = {"action": "and" if number else "where", "attribute": column, "operator": operator, "value": value}
    return {f"filter[{number}][{name}]": part for name, part in (parts | ({"class": kind} if kind else {})).items()}


def _any(tests: Iterable[Test]) -> Test:
    kept = tuple(tests)
    return lambda row: any(test(row) for test in kept)
