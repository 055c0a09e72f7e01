"""Schemas of fields that the catalogue lacks, inferred from a page of rows during discovery."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from fieldpulse_api.errors import RecordError, ServiceError
from fieldpulse_api.http.client import Client
from fieldpulse_api.reading.pages import Pages, ReadOptions, Row
from fieldpulse_api.resources.catalogue import BY_NAME
from fieldpulse_api.resources.model import Resource

from .shaper import UNEXPECTED, Shaper, type_name

Schema = dict[str, Any]

_TEXT = {"type": ["string", "null"]}


def infer_schema(values: Iterable[Any]) -> Schema:
    """Return a nullable schema that accepts all values; text if they have several types, or none.

    Elements of an array without any are text.

    The API sends '' for null, and [] also for an empty object (API facts 4.0).
    """
    present = [value for value in values if value not in (None, "")]
    if any(isinstance(value, dict) for value in present):
        present = [value for value in present if value != []]
    kinds = {type_name(value) for value in present}
    if kinds == {"object"}:
        return {"type": ["object", "null"], "properties": infer_properties(present)}
    if kinds == {"array"}:
        elements = [element for value in present for element in value]
        return {"type": ["array", "null"], "items": infer_schema(elements)}
    if kinds == {"date-time"}:
        return {**_TEXT, "format": "date-time"}
    if kinds == {"boolean"}:
        return {"type": ["boolean", "null"]}
    if kinds and kinds <= {"integer", "number"}:
        return {"type": ["number" if "number" in kinds else "integer", "null"]}
    return dict(_TEXT)


_MAX_SAMPLED_PARENTS = 20


def infer_properties(rows: Iterable[Mapping[str, Any]]) -> dict[str, Schema]:
    """Return a schema for each field of the rows."""
    values: dict[str, list[Any]] = {}
    for row in rows:
        for name, value in row.items():
            values.setdefault(name, []).append(value)
    return {name: infer_schema(each) for name, each in sorted(values.items())}


def sample_unknown_fields(
    client: Client, resource: Resource, options: ReadOptions, logger: logging.Logger
) -> dict[str, Schema]:
    """Read the newest page of a list, and return a schema for each field that the catalogue lacks.

    Child lists are read for the newest parents, until one has rows. A list that cannot be read is skipped with a
    warning.
    """
    options = replace(options, query=dict(resource.with_custom_fields_params))
    try:
        paths = [resource.path]
        if resource.parent:
            parent = BY_NAME[resource.parent]
            parents = _page(Pages(client, parent, replace(options, page_size=_MAX_SAMPLED_PARENTS, query={})))
            paths = [resource.path.format(**{f"{parent.singular}_id": row["id"]}) for row in parents]
        rows = next(filter(None, (_page(Pages(client, resource, options, path)) for path in paths)), [])
    except (ServiceError, RecordError) as error:
        logger.warning("%s: cannot read a sample: %s", resource.name, error.one_line)
        return {}
    shaper = Shaper(resource.schema, excluded=resource.excluded_fields, zone=options.zone)
    unexpected = [shaper(row)[UNEXPECTED] or {} for row in rows]
    return infer_properties({name: row[name] for name in shaper.unknown_fields if name in row} for row in unexpected)


def _page(pages: Pages) -> list[Row]:
    resource = pages.resource
    limit = min(pages.options.page_size, resource.page_size)
    return pages.read_at_once(resource.sort_params("id", "desc"), 1, limit).rows
