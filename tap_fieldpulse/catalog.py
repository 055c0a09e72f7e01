"""A catalog that was made before, held against what this account and this version have."""

from __future__ import annotations

from logging import Logger
from typing import Any

from singer_sdk.singerlib import CatalogEntry, Metadata, Schema

from fieldpulse_api.catalogue import BY_NAME
from fieldpulse_api.custom_fields import PROPERTY


def complete(entry: CatalogEntry, ours: dict[str, Any], logger: Logger) -> None:
    """Let an entry announce what is derived for it: custom fields by name, labels. Its own properties stay.

    Columns that it lacks are not emitted: it was trimmed, or is older than they are. Where columns were
    deselected by hand, what is added is deselected too.
    """
    schema = entry.schema.to_dict()
    has = schema.get("properties", {})
    lacking = [name for name in ours["properties"] if name not in has]
    resource = BY_NAME.get(entry.tap_stream_id)
    base = (resource.schema if resource else ours)["properties"]
    columns = [name for name in lacking if name in base]
    derived = {name: ours["properties"][name] for name in lacking if name not in base}
    if PROPERTY in has and PROPERTY in ours["properties"]:
        has = has | {PROPERTY: ours["properties"][PROPERTY]}
    is_picked = any(one.selected is False for breadcrumb, one in entry.metadata.items() if breadcrumb)
    for name in [*columns, *(derived if is_picked else ())]:
        entry.metadata["properties", name] = Metadata(selected=False)
    if columns:
        logger.warning(
            "The catalog lacks columns, and so they are not emitted: %s. Discover again to have them",
            ", ".join(columns),
        )
    entry.schema = Schema.from_dict({**ours, **schema, "properties": {**has, **derived}})
