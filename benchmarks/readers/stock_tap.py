"""A tap of the stock singer-sdk: `RESTStream` with its paginator and its transport. URL LIST SCHEMA."""

# mypy: ignore-errors
import sys
from pathlib import Path

from singer_sdk import RESTStream, Tap
from singer_sdk.pagination import PageNumberPaginator

PAGE_SIZE = 100
URL, LIST, SCHEMA = sys.argv[1:4]


class _Pages(PageNumberPaginator):
    def has_more(self, response):
        return len(response.json()["response"]) == PAGE_SIZE


class _List(RESTStream):
    name, path = LIST, f"/{LIST}"
    url_base = URL
    primary_keys = ("id",)
    records_jsonpath = "$.response[*]"
    schema_filepath = Path(SCHEMA)

    def get_new_paginator(self):
        return _Pages(start_value=1)

    def get_url_params(self, context, next_page_token):
        return {"page": next_page_token, "limit": PAGE_SIZE}


class StockTap(Tap):
    name = "tap-stock"
    config_jsonschema = {"type": "object", "properties": {}}

    def discover_streams(self):
        return [_List(tap=self)]


StockTap(config={}).sync_all()
