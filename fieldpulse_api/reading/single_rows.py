"""Single rows by id, checked to be the rows that were asked for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import tzinfo
from typing import Any

from fieldpulse_api.errors import RowNotFound, UnexpectedResponse
from fieldpulse_api.http.client import Client
from fieldpulse_api.resources.model import Resource
from fieldpulse_api.values.scalars import optional_time

from .pages import Row


def read_row(client: Client, resource: Resource, path: str) -> Row:
    """Return the row at a path that ends with its id, with its custom fields.

    Raises: RowNotFound; UnexpectedResponse if the response holds no row or another one; what `Client.get` raises.
    """
    row = client.get(path, dict(resource.with_custom_fields_params)).data
    if not isinstance(row, dict) or str(row.get("id")) != path.rpartition("/")[2]:
        raise UnexpectedResponse(
            "FieldPulse did not send the requested row.",
            where=f"GET {path} · stream {resource.name}",
            hint="run again; if it happens again, the API has changed: report it",
        )
    return row


def is_marked_deleted(row: Mapping[str, Any], zone: tzinfo) -> bool:
    """Return whether a row has a `deleted_at`. Whether the API returns such rows is not documented."""
    return optional_time(row.get("deleted_at"), zone) is not None


def find_row(client: Client, resource: Resource, ids: Mapping[str, Any]) -> Row | None:
    """Return the row with these ids, its own and those of its parents; None if it does not exist (any more).

    Raises: UnexpectedResponse; what `Client.get` raises, except RowNotFound.
    """
    try:
        return read_row(client, resource, str(resource.item_path).format(**ids))
    except RowNotFound:
        return None
