"""airbyte/manifest.yaml has every list of the catalogue. `make airbyte` runs it in Airbyte's own runtimes."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from fieldpulse_api.http.error_rules import ERROR_RULES
from fieldpulse_api.http.limits.rate_limiter import MAX_PACE
from fieldpulse_api.resources.catalogue import BY_NAME, RESOURCES
from fieldpulse_api.resources.model import Resource
from scripts.docs.documents import ROOT
from tap_fieldpulse.records.shaper import POSITION, is_secret_name

TEXT = (ROOT / "airbyte" / "manifest.yaml").read_text("utf-8")
MANIFEST: dict[str, Any] = yaml.load(TEXT, yaml.CSafeLoader)
STREAMS: dict[str, dict[str, Any]] = MANIFEST["definitions"]["streams"]


def resolve(reference: str) -> Any:
    """Return the component that a `$ref` names."""
    component: Any = MANIFEST
    for name in reference.removeprefix("#/").split("/"):
        component = component[name]
    return component


def test_each_list_of_the_catalogue_is_a_stream() -> None:
    """In the same order, with a schema of the same columns."""
    assert [resolve(each["$ref"])["name"] for each in MANIFEST["streams"]] == list(BY_NAME)
    for resource in RESOURCES:
        assert list(MANIFEST["schemas"][resource.name]["properties"]) == list(resource.schema["properties"])


def test_every_reference_names_a_component() -> None:
    """Airbyte would refuse the manifest."""
    references = set(re.findall(r"\$ref: '?(#/[\w/]+)", TEXT))
    assert all(resolve(reference) for reference in references)
    assert len(references) > 2 * len(RESOURCES)


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.name)
def test_a_stream_has_key_cursor_and_order_of_the_catalogue(resource: Resource) -> None:
    """Rows are upserted by `id`; a list is read by ascending id, where it can be sorted."""
    stream = STREAMS[resource.name]
    assert stream["primary_key"] == ["id"]
    assert stream.get("incremental_sync", {}).get("cursor_field") == resource.updated_column
    params = stream["retriever"]["requester"]["request_parameters"]
    assert resource.sort_params("id", "asc").items() <= params.items()
    assert stream["retriever"]["requester"]["path"].split("/")[1] == resource.path.split("/")[1]


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.name)
def test_secrets_are_removed_at_any_depth(resource: Resource) -> None:
    """By the same words as in the tap; where the catalogue closes a row, only its columns remain."""
    transformations = STREAMS[resource.name]["transformations"]
    pointers = [each for part in transformations for each in part.get("field_pointers", ())]
    assert {("**", name) for name in (POSITION, *resource.excluded_fields)} <= set(map(tuple, pointers))
    words = [name.strip("*") for depth, *rest in pointers if depth == "**" for name in rest if "*" in name]
    assert all(is_secret_name(re.sub(r"\[(.).\]", r"\1", word)) for word in words)
    assert len(words) == 5
    is_closed = not resource.schema["additionalProperties"]
    assert is_closed == any(part.get("replace_record") for part in transformations)


def test_all_requests_share_a_budget() -> None:
    """A policy without matchers counts the requests of all streams."""
    (policy,) = MANIFEST["api_budget"]["policies"]
    assert policy["matchers"] == []
    assert policy["rates"] == [
        {"type": "Rate", "limit": f"{{{{ config.get('requests_per_second', {MAX_PACE}) }}}}", "interval": "PT1S"}
    ]


@pytest.mark.parametrize("handler", MANIFEST["definitions"]["error_handlers"])
def test_a_used_up_quota_is_told_from_a_throttle_first(handler: str) -> None:
    """Both are HTTP 429: the filter for the quota stands before that for the status."""
    filters = MANIFEST["definitions"]["error_handlers"][handler]["response_filters"]
    actions = [each["action"] for each in filters]
    (quota,) = (number for number, each in enumerate(filters) if "limit exceeded" in each.get("predicate", ""))
    assert filters[quota]["action"] == "FAIL"
    assert filters[quota]["failure_type"] == "config_error"
    assert quota < actions.index("RATE_LIMITED")
    statuses = {status for each in filters for status in each.get("http_codes", ())}
    assert statuses == {
        rule.statuses[0]
        for rule in ERROR_RULES
        if len(rule.statuses) == 1 and not rule.is_retryable and not rule.phrase
    }
