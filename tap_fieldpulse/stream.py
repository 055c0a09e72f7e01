"""One stream per catalogue entry. The SDK's transport is not used: pages come from `fieldpulse_api`."""

from __future__ import annotations

import sys
import time
from collections.abc import Generator, Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from singer_sdk import metrics
from singer_sdk.helpers._util import utc_now
from singer_sdk.helpers.conform import TypeConformanceLevel
from singer_sdk.singerlib.encoding.simple import RecordMessage
from singer_sdk.streams import Stream

from fieldpulse_api.catalogue import BY_NAME
from fieldpulse_api.children import Children
from fieldpulse_api.errors import Incomplete
from fieldpulse_api.newest import Newest
from fieldpulse_api.pages import Pages, Row, Tally
from fieldpulse_api.records import Shaper
from fieldpulse_api.resource import Resource
from fieldpulse_api.walk import Walk

from .bookmarks import Bookmark, read_time

if TYPE_CHECKING:
    from .tap import TapFieldPulse


class FieldPulseStream(Stream):
    """The stream of one resource."""

    TYPE_CONFORMANCE_LEVEL = TypeConformanceLevel.NONE  # `Shaper` has done it, at a sixth of the cost
    STATE_MSG_FREQUENCY = sys.maxsize  # the bookmark moves only when the walk has ended

    def __init__(self, tap: TapFieldPulse, resource: Resource) -> None:
        super().__init__(tap, schema=resource.schema, name=resource.name)
        self.primary_keys = [resource.key]
        self.replication_key = resource.updated
        self._resource, self._fieldpulse = resource, tap
        self._shaper = Shaper(resource.schema, never=resource.never, zone=tap.zone)
        self._bookmark: Bookmark | None = None

    def get_records(self, context: object) -> Iterable[Row]:  # noqa: ARG002
        """Yield the rows, and then move the bookmark and say what was read and proved."""
        began = time.monotonic()
        if self.replication_key and self.replication_method == "INCREMENTAL":
            self._bookmark = Bookmark.of(self.stream_state, self.replication_key, self.name)
        tally, pages = self._plan()
        with metrics.http_request_counter(self.name, self._resource.path) as requests:
            for page in pages:
                yield from page
            requests.increment(tally.pages)
        self._report(tally, time.monotonic() - began)

    def post_process(self, row: Row, context: object = None) -> Row:  # noqa: ARG002
        """Shape a row into the record of it."""
        return self._shaper(row)

    def _generate_record_messages(self, record: Row) -> Generator[RecordMessage, None, None]:
        """Write a record; where nothing is deselected, without looking at each property: a quarter of the cost."""
        if not self._is_whole:
            yield from super()._generate_record_messages(record)
            return
        for stream_map in self.stream_maps:
            mapped = stream_map.transform(record)
            if mapped is not None:
                yield RecordMessage(stream=stream_map.stream_alias, record=mapped, time_extracted=utc_now())

    @cached_property
    def _is_whole(self) -> bool:
        return all(self.mask.values())

    def _plan(self) -> tuple[Tally, Iterator[list[Row]]]:
        client, reading = self._fieldpulse.client, self._fieldpulse.reading
        if self._resource.parent:
            children = Children(client, self._resource, reading, BY_NAME[self._resource.parent])
            return children.tally, children.rows()
        pages = Pages(client, self._resource, reading)
        since = None
        if self._bookmark:
            start_date = read_time(self.config.get("start_date"), "setting start_date")
            since = self._bookmark.since(start_date, self.config["lookback_seconds"])
        if since is None or self._bookmark is None:
            return pages.tally, Walk(pages).rows()
        return pages.tally, Newest(pages, self._bookmark.column, since).rows()

    def _increment_stream_state(self, latest_record: Row, *, context: object = None) -> None:  # noqa: ARG002
        if self._bookmark:
            self._bookmark.note(latest_record.get(self._bookmark.column))

    def _write_starting_replication_value(self, context: object) -> None:
        """Write nothing: the state holds what has been read, and only that."""

    def _report(self, tally: Tally, seconds: float) -> None:
        for note in tally.notes:
            self.logger.warning("%s: %s", self.name, note)
        self._report_fields()
        self.logger.info(
            "%s: records=%d pages=%d counted=%s repeats=%d seconds=%.1f %s",
            self.name,
            tally.records,
            tally.pages,
            "unknown" if tally.counted is None else tally.counted,
            tally.repeats,
            seconds,
            tally.verdict,
        )
        if tally.vanished:
            self.logger.info("%s: %d of the parents were deleted while they were read", self.name, tally.vanished)
        if tally.verdict != "complete" and self._fieldpulse.reading.prove:
            self._report_unproved(tally)
        elif self._bookmark:
            self.stream_state.update(self._bookmark.state(tally.began))

    def _report_fields(self) -> None:
        for name, count in sorted(self._shaper.unfit.items()):
            self.logger.warning(
                "%s.%s: %d values do not fit the type and were emitted as they came", self.name, name, count
            )
        if self._shaper.unknown:
            names = ", ".join(sorted(self._shaper.unknown))
            self.logger.warning(
                "%s: fields that the catalogue does not know were emitted as they came: %s", self.name, names
            )

    def _report_unproved(self, tally: Tally) -> None:
        counted = "does not count them" if tally.counted is None else f"counts {tally.counted}"
        error = Incomplete(
            f"Stream {self.name} is {tally.verdict}: {tally.records} rows were emitted, the server {counted}.",
            where=f"GET {self._resource.path} · {tally.pages} pages",
            do="run again; the bookmark was not moved. Setting completeness decides whether the run fails",
        )
        if self.config["completeness"] == "fail":
            raise error
        self.logger.warning("%s", error)
