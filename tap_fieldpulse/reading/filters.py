"""The filters of a stream: the query that requests matching rows, and the test that each row must pass.

A filter is sent in its documented form, which may save requests. The tap applies it as well, since the server ignores
unknown parameters. `ResourceListReader` checks that the server means the same by a filter.
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
from fieldpulse_api.resources.catalogue import RESOURCES
from fieldpulse_api.resources.model import Filter, Resource
from fieldpulse_api.resources.write_model import CodeLabels
from fieldpulse_api.values.scalars import optional_int, optional_time
from fieldpulse_api.values.text import PERSONAL_COLUMN, normalized

from .name_index import NameIndex

ReadNameIndex = Callable[[str, str], NameIndex]
"""Returns the index of a stream by a column, or by several columns joined by a space."""
Test = Callable[[Row], bool]

_DAY = timedelta(days=1)
_LABEL_KEYS = ("id", "tag_id", "title", "name")  # keys that identify an element that is an object (API facts 4.22)


@dataclass(frozen=True)
class Filters:
    """The filters of one stream. `query` are the parameters to send; `digest` changes with the user's filters."""

    query: Mapping[str, str] = field(default_factory=dict)
    tests: tuple[Test, ...] = ()
    digest: str | None = None

    def matches(self, row: Row) -> bool:
        """Return whether a row passes all filters."""
        return not self.tests or all(test(row) for test in self.tests)


def check_filters(filters_of_streams: Mapping[str, Mapping[str, Any]]) -> None:
    """Check that the filters of the settings exist. Raises: ConfigError."""
    filters_by_stream = {
        resource.name: {row_filter.name for row_filter in resource.filters}
        for resource in RESOURCES
        if resource.filters
    }
    for stream, filters in filters_of_streams.items():
        names = [
            ("No stream of this name has filters", stream, set(filters_by_stream)),
            *(("Unknown filter", name, filters_by_stream.get(stream, set())) for name in filters),
        ]
        for problem, name, allowed in names:
            if name not in allowed:
                raise ConfigError(
                    f"{problem}: {got_and_allowed(name, sorted(allowed))}.",
                    where=f"setting filters.{stream}",
                    hint="correct the setting",
                )


def read_filters(resource: Resource, setting: Mapping[str, Any], names: ReadNameIndex, zone: tzinfo) -> Filters:
    """Return the filters of one stream from the setting `filters`.

    Several filters of the catalogue may have one name, such as a name of a user and a name of a team. A value then
    belongs to the first filter that knows it.

    Raises: ConfigError for an unknown filter, and for a value that names nothing.
    """
    filters_by_name: dict[str, list[Filter]] = defaultdict(list)
    for row_filter in resource.filters:
        filters_by_name[row_filter.name].append(row_filter)
    query: dict[str, str] = {}
    tests = []
    for name, value in setting.items():
        where = f"setting filters.{resource.name}.{name}"
        if name not in filters_by_name:
            raise ConfigError(
                f"Unknown filter: {got_and_allowed(name, filters_by_name)}.", where=where, hint="correct the setting"
            )
        alternatives = [_FilterValues(each, _labels_of(resource, each), names, zone) for each in filters_by_name[name]]
        alternatives[-1].accepts_any_id = True
        for element in value if isinstance(value, list) else [value]:
            _assign(element, alternatives, where)
        filters_with_values = [values for values in alternatives if values.ids or values.words or values.limits]
        if not filters_with_values:
            raise ConfigError("The filter has no value.", where=where, hint="add a value, or remove the filter")
        if len(filters_with_values) == 1:
            query |= filters_with_values[0].query(sum(key.endswith("[attribute]") for key in query))
        tests.append(_any([values.matches for values in filters_with_values]))
    text = json.dumps(setting, sort_keys=True, default=str)
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return Filters(query, tuple(tests), digest if setting else None)


class _FilterValues:
    """The values that one filter accepts: ids and codes, words, or limits in time."""

    def __init__(self, row_filter: Filter, labels: CodeLabels | None, names: ReadNameIndex, zone: tzinfo) -> None:
        self.filter = row_filter
        self.ids: set[int] = set()
        self.words: set[str] = set()
        self.limits: list[datetime] = []
        self.accepts_any_id = False
        self._labels, self._names, self._zone = labels, names, zone

    def add(self, value: Any) -> bool:
        """Add a value and return True, if this filter knows it."""
        if self.filter.comparison:
            limit = _limit(value, self.filter.comparison, self._zone)
            self.limits += [limit] if limit else []
            return limit is not None
        ids, words = self._look_up(value)
        self.ids |= ids
        self.words |= words
        return bool(ids or words)

    def allowed_names(self) -> Iterator[str]:
        """Yield the accepted values for an error message, without names and e-mail addresses of persons."""
        yield from self.filter.allowed_values
        yield from self._labels.by_code.values() if self._labels else ()
        if self.filter.stream and PERSONAL_COLUMN not in self.filter.name_columns:
            for columns in self.filter.name_columns:
                yield from self._names(self.filter.stream, columns).names

    def matches(self, row: Row) -> bool:
        """Return whether a row has one of the values."""
        return any(self._is_wanted(cell) for path in self.filter.columns for cell in _cells(row, path.split(".")))

    def query(self, number: int) -> dict[str, str]:
        """Return the documented parameters for these values; `number` is that of the next bracket filter."""
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
        if len(values) > 1:  # it is not documented whether several values mean `any`
            return {}
        return {sent if sent.endswith("_id]") else f"{sent}[0]": values[0]}

    def _limit_query(self, sent: str, number: int) -> dict[str, str]:
        """Return parameters with a day of margin, since the time zone in which the server compares is unknown."""
        is_first = self.filter.comparison == ">="
        limit = _shifted_time(min(self.limits), -_DAY) if is_first else _shifted_time(max(self.limits), _DAY)
        seconds = str(int(limit.replace(microsecond=0).timestamp()))
        if sent != "filter":
            return {sent: seconds}
        operator, column = ">=" if is_first else "<", self.filter.columns[0]
        if column == "start_time":  # the only column with UNIX seconds (API facts 3.1)
            return _bracket(number, column, operator, seconds)
        return _bracket(number, column, operator, limit.strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0"), "date")

    def _look_up(self, value: Any) -> tuple[set[int], set[str]]:
        """Return the ids or codes of the rows that a value names, and the words to compare."""
        word, row_id = normalized(value), optional_int(value)
        itself = {row_id} if row_id is not None and self.accepts_any_id else set()
        if self._labels:
            codes = {code for code, label in self._labels.pairs if word in (normalized(label), normalized(code))}
            return {code for code in codes if isinstance(code, int)} or itself, set()
        if self.filter.stream and isinstance(value, int):
            return itself, set()
        if self.filter.stream:
            indexes = [self._names(self.filter.stream, columns) for columns in self.filter.name_columns]
            ids = {row_id for index in indexes for row_id in index.find(value)}
            return ids or itself, {word} if ids else set()
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


def _assign(value: Any, alternatives: list[_FilterValues], where: str) -> None:
    """Add a value to the first filter that knows it."""
    is_value = isinstance(value, (str, int)) and not isinstance(value, bool) and value != ""
    if is_value and any(values.add(value) for values in alternatives):
        return
    if any(values.filter.comparison for values in alternatives):
        hint = "write it like 2026-01-31 or 2026-01-31T00:00:00Z"
        raise ConfigError("The time is not in ISO 8601 form.", where=where, hint=hint)
    names = list(dict.fromkeys(name for values in alternatives for name in values.allowed_names()))
    choice = f": {allowed_and_similar(value, names)}" if names else ""  # names of persons are not listed
    raise ConfigError(
        f"The filter has no such value{choice}.", where=where, hint="correct the setting; an id works as well"
    )


def _labels_of(resource: Resource, row_filter: Filter) -> CodeLabels | None:
    return next((labels for labels in resource.code_labels if labels.column == row_filter.columns[0]), None)


def _limit(value: Any, bound: str, zone: tzinfo) -> datetime | None:
    if not isinstance(value, str):
        return None
    limit = optional_time(value, zone)
    is_day = len(value.strip()) == len("2026-01-31")
    return _shifted_time(limit, _DAY - timedelta(microseconds=1)) if limit and is_day and bound == "<=" else limit


def _shifted_time(time: datetime, by: timedelta) -> datetime:
    """Return a time that is `by` later, or the first or last representable time."""
    try:
        return time + by
    except OverflowError:
        first, last = datetime.min.replace(tzinfo=time.tzinfo), datetime.max.replace(tzinfo=time.tzinfo)
        return last if by > timedelta() else first


def _cells(cell: Any, path: list[str]) -> Iterator[Any]:
    """Yield the values at a path; each element of a list on the way is followed."""
    if isinstance(cell, list):
        for element in cell:
            yield from _cells(element, path)
    elif not path:
        yield cell
    elif isinstance(cell, dict):
        yield from _cells(cell.get(path[0]), path[1:])


def _bracket(number: int, column: str, operator: str, value: str, kind: str | None = None) -> dict[str, str]:
    """Return one bracket filter (API facts 3.1)."""
    parts = {"action": "and" if number else "where", "attribute": column, "operator": operator, "value": value}
    return {f"filter[{number}][{name}]": part for name, part in (parts | ({"class": kind} if kind else {})).items()}


def _any(tests: Iterable[Test]) -> Test:
    alternatives = tuple(tests)
    return lambda row: any(test(row) for test in alternatives)
