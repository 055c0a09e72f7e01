"""Lists of a sandbox, and the ids of their rows."""

from __future__ import annotations

from collections.abc import Iterator

from fieldpulse_api.http.client import Client
from fieldpulse_api.reading.pages import Pages, ReadOptions, Row
from fieldpulse_api.resources.catalogue import BY_NAME
from fieldpulse_sandbox.sandbox import Sandbox

SMALL_PAGES = ReadOptions(page_size=10, pages_in_flight=4)
ONE_PAGE_AT_A_TIME = ReadOptions(page_size=10, pages_in_flight=1)


def ids_of(pages: Iterator[list[Row]]) -> list[int]:
    return [row["id"] for page in pages for row in page]


def ids_in(sandbox: Sandbox, name: str) -> list[int]:
    return [row["id"] for row in sandbox.rows(name)]


def pages_of(client: Client, name: str, options: ReadOptions = SMALL_PAGES) -> Pages:
    return Pages(client, BY_NAME[name], options)
