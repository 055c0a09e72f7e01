"""Rows by id: what a list row leaves out, for many rows at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from fieldpulse_api.errors import RowNotFound, UnexpectedResponse
from fieldpulse_api.http.client import Client
from fieldpulse_api.resources.model import Resource

from .pages import ReadOptions, Row
from .prefetch import map_in_order


def read_row(client: Client, resource: Resource, row: Row) -> Row | None:
    """Return a row as its path by id shows it, None if there is none (any more).

    Raises: UnexpectedReply; what `Client.get` raises.
    """
    path = str(resource.item_path).format(**row)
    try:
        found = client.get(path, dict(resource.with_custom_fields_params)).data
    except RowNotFound:
        return None
    if not isinstance(found, dict) or str(found.get("id")) != str(row["id"]):
        raise UnexpectedResponse(
            "FieldPulse answered with something that is not the row it was asked for.",
            where=f"GET {path} · stream {resource.name}",
            hint="run again; if it stays, the API has changed: report it",
        )
    return found


class Details:
    """Complete list rows by what their paths by id show; one that was deleted in between stays as the list had it."""

    def __init__(self, client: Client, resource: Resource, reading: ReadOptions) -> None:
        self.requests = 0
        self._client, self._resource, self._reading = client, resource, reading

    def complete(self, pages: Iterable[list[Row]]) -> Iterator[list[Row]]:
        """Yield the rows completed, in their order and in lists of a page's size at most."""
        rows = (row for page in pages for row in page)
        completed = map_in_order(self._complete, rows, at_most=self._reading.pages_in_flight)
        while page := list(islice(completed, self._reading.page_size)):
            self.requests += len(page)
            yield [row | found if found else row for row, found in page]

    def _complete(self, row: Row) -> tuple[Row, Row | None]:
        return row, read_row(self._client, self._resource, row)
