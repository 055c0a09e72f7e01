"""airbyte/manifest.yaml: every list of the catalogue as a stream of an Airbyte source, for its Connector Builder."""

from __future__ import annotations

from typing import Any

import yaml
from typing_extensions import override

from fieldpulse_api.http.limits.rate_limiter import MAX_PACE
from fieldpulse_api.resources.catalogue import BY_NAME, RESOURCES
from fieldpulse_api.resources.model import Resource
from fieldpulse_plugin.settings import SHARED_SETTINGS
from tap_fieldpulse.settings import MAX_CLOCK_SKEW, TAP_SETTINGS

from .airbyte_errors import OLDEST_CDK_VERSION, error_handler
from .airbyte_records import airbyte_schema, transformations
from .tables import table

CDK_VERSION = "7.39.1"
"""The version of `airbyte-cdk` that `make airbyte` runs."""

Component = dict[str, Any]

_HEADING = (
    "# Written by `make fix` from the catalogue. How to use it, and what it lacks: docs/getting-started/airbyte.md"
)
_CHECKED_STREAM = "users"  # never empty: a key acts as a user (API facts 1.1)
_STREAMS_AT_ONCE = 16
_LARGEST_PAGE = 100
_MOST_ROWS = 1_000_000  # a page that comes again and again ends a read with an error, at this number of records
_EARLIEST = "1970-01-01T00:00:00Z"
_TIME_FORMATS = ["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S.%fZ", "%Y-%m-%dT%H:%M:%S%z"]


def settings_table() -> str:
    """Return the settings of the source as a table, and the version that it needs."""
    properties = _settings()["properties"]
    rows = [(f"`{name}`", str(each.get("default", "")), each["description"]) for name, each in properties.items()]
    version = (
        f"The manifest needs version {OLDEST_CDK_VERSION} of the Airbyte CDK or a newer one; an older one refuses it."
    )
    return f"{table(('setting', 'default', 'meaning'), rows)}\n{version}\n"


class _Dumper(yaml.SafeDumper):
    """A dumper without anchors, which the Connector Builder does not keep."""

    @override
    def ignore_aliases(self, data: object) -> bool:
        return True


def manifest() -> str:
    """Return the manifest as YAML."""
    content = {
        "version": CDK_VERSION,
        "type": "DeclarativeSource",
        "description": "FieldPulse, a field-service platform",
        "check": {"type": "CheckStream", "stream_names": [_CHECKED_STREAM]},
        "definitions": {
            **_shared_components(),
            "streams": {resource.name: _stream(resource) for resource in RESOURCES},
        },
        "streams": [_ref("streams", resource.name) for resource in RESOURCES],
        "schemas": {resource.name: airbyte_schema(resource) for resource in RESOURCES},
        "spec": {"type": "Spec", "connection_specification": _settings()},
        "concurrency_level": {"type": "ConcurrencyLevel", "default_concurrency": _STREAMS_AT_ONCE},
        "api_budget": _api_budget(),
    }
    return f"{_HEADING}\n{yaml.dump(content, Dumper=_Dumper, sort_keys=False, width=118, default_flow_style=None)}"


def _ref(*names: str) -> Component:
    return {"$ref": "#/definitions/" + "/".join(names)}


def _settings() -> Component:
    """Return the schema of the configuration, from the settings of the tap."""
    changes: dict[str, Component] = {
        "api_key": {"airbyte_secret": True},
        "api_url": {"pattern": r"^(https://|http://(localhost|127\.0\.0\.1)(:|/|$))"},
        "start_date": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$", "examples": [_EARLIEST]},
        "requests_per_second": {
            "type": "integer",
            "minimum": 1,
            "maximum": MAX_PACE,
            "description": "The rate limit over all streams. FieldPulse rejects more than 50 per API key: leave room "
            "for other programs that use it.",
        },
    }
    described = SHARED_SETTINGS | TAP_SETTINGS
    properties = {name: {**described[name], **change} for name, change in changes.items()}
    del properties["api_key"]["secret"]
    return {"type": "object", "required": ["api_key"], "properties": properties, "additionalProperties": True}


def _api_budget() -> Component:
    """Return one budget for the requests of all streams. A 429 uses it up."""
    limit = f"{{{{ config.get('requests_per_second', {MAX_PACE}) }}}}"
    rate = {"type": "Rate", "limit": limit, "interval": "PT1S"}
    policy = {"type": "MovingWindowCallRatePolicy", "rates": [rate], "matchers": []}
    return {"type": "HTTPAPIBudget", "policies": [policy], "status_codes_for_ratelimit_hit": [429]}


def _shared_components() -> Component:
    timeout = SHARED_SETTINGS["timeout_seconds"]["default"]
    return {
        "requester": {
            "type": "HttpRequester",
            "url_base": f"{{{{ config.get('api_url', '{SHARED_SETTINGS['api_url']['default']}') }}}}",
            "http_method": "GET",
            "authenticator": {
                "type": "ApiKeyAuthenticator",
                "api_token": "{{ config['api_key'] | trim }}",
                "inject_into": {"type": "RequestOption", "inject_into": "header", "field_name": "x-api-key"},
            },
            "connect_timeout_in_seconds": timeout,
            "read_timeout_in_seconds": timeout,
            "use_cache": False,  # a response that fails would come from the cache again
        },
        "error_handlers": {
            "empty_page_ends": error_handler(),
            "short_page_ends": error_handler(short_page_ends=True),
            "child_list": error_handler(short_page_ends=True, is_child_list=True),
        },
        "paginators": {
            "empty_page_ends": _paginator(),
            "short_page_ends": _paginator(page_size=_LARGEST_PAGE),
        },
        "pagination_reset": {
            "type": "PaginationReset",
            "action": "RESET",
            "limits": {"type": "PaginationResetLimits", "number_of_records": _MOST_ROWS},
        },
        "record_selector": {
            "type": "RecordSelector",
            "extractor": {"type": "DpathExtractor", "field_path": ["response"]},
        },
        "cursor": _cursor(),
    }


def _paginator(**strategy: Any) -> Component:
    """Return a paginator that ends at an empty page; with a `page_size` at a page with fewer rows."""
    return {
        "type": "DefaultPaginator",
        "page_token_option": {"type": "RequestOption", "inject_into": "request_parameter", "field_name": "page"},
        "pagination_strategy": {
            "type": "PageIncrement",
            "start_from_page": 1,
            "inject_on_first_request": True,
            **strategy,
        },
    }


def _cursor() -> Component:
    """Return a cursor that leaves out rows older than the newest row of the last sync, by more than two days.

    A row that changes while its list is read may be older than the newest row that came: one day is more than a sync
    takes, the other is for clocks that differ.
    """

    def time(expression: str) -> Component:
        value = f"{{{{ {expression} }}}}"
        return {"type": "MinMaxDatetime", "datetime": value, "datetime_format": _TIME_FORMATS[0]}

    return {
        "type": "DatetimeBasedCursor",
        "is_client_side_incremental": True,
        "cursor_datetime_formats": _TIME_FORMATS,
        "datetime_format": _TIME_FORMATS[0],
        "start_datetime": time(f"config.get('start_date') or '{_EARLIEST}'"),
        "end_datetime": time(f"day_delta({MAX_CLOCK_SKEW.days}, format='{_TIME_FORMATS[0]}')"),
        "lookback_window": f"P{MAX_CLOCK_SKEW.days + 1}D",
    }


def _stream(resource: Resource) -> Component:
    stream: Component = {
        "type": "DeclarativeStream",
        "name": resource.name,
        "primary_key": ["id"],
        "retriever": _retriever(resource),
        "schema_loader": {"type": "InlineSchemaLoader", "schema": {"$ref": f"#/schemas/{resource.name}"}},
    }
    if resource.updated_column:
        stream["incremental_sync"] = _ref("cursor") | {"cursor_field": resource.updated_column}
    return stream | {"transformations": list(transformations(resource))}


def _retriever(resource: Resource) -> Component:
    """Return how a list is read, by ascending id.

    Each list that documents `page` is read to an empty page (API facts 2.2). Of the others the end is a short page,
    because the same rows could come for every page. So it is in a child list, where most pages are short: an empty page
    would double the requests. There, an error handler compares the page with the server's count.
    """
    ends = "empty_page_ends" if resource.supports_page and not resource.parent else "short_page_ends"
    partition = {key: f"{{{{ stream_partition.{key} }}}}" for key in resource.parent_keys}
    params = {"limit": str(resource.page_size), **resource.sort_params("id", "asc")}
    params |= dict(resource.with_custom_fields_params)
    if ends == "short_page_ends" and resource.supports_count:
        params["calculate_count"] = "true"
    retriever: Component = {
        "type": "SimpleRetriever",
        "requester": _ref("requester")
        | {
            "path": resource.path.format(**partition),
            "request_parameters": params,
            "error_handler": _ref("error_handlers", "child_list" if resource.parent else ends),
        },
        "record_selector": _ref("record_selector"),
        "paginator": _ref("paginators", ends),
        "pagination_reset": _ref("pagination_reset"),
    }
    if resource.parent:
        retriever["partition_router"] = _partition_router(BY_NAME[resource.parent])
    return retriever


def _partition_router(parent: Resource) -> Component:
    config = {
        "type": "ParentStreamConfig",
        "stream": _ref("streams", parent.name),
        "parent_key": "id",
        "partition_field": f"{parent.singular}_id",
    }
    return {"type": "SubstreamPartitionRouter", "parent_stream_configs": [config]}
