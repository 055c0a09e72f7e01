"""The definitions of the account's custom fields, which every run reads before rows with values."""

from __future__ import annotations

import logging
from dataclasses import replace

from fieldpulse_api.http.client import Client
from fieldpulse_api.resources.organization import CUSTOM_FIELDS
from fieldpulse_api.values.custom_fields import CustomFieldDefinition

from .full_scan import FullScan
from .pages import Pages, ReadOptions, Row, Verdict

_LOGGER = logging.getLogger(__name__)


def read_definitions(client: Client, options: ReadOptions) -> list[CustomFieldDefinition]:
    """Return the account's definitions, sorted by id. A list of one page costs one or two requests.

    Raises: what `Client.get` raises.
    """
    rows, verdict = _read(client, replace(options, check_completeness=False))
    if len(rows) >= options.page_size:  # a definition can be missing only if there are several pages
        rows, verdict = _read(client, options)
        if verdict != "complete":
            _LOGGER.warning(
                "The list of custom fields is %s: values of missing fields are named by the id of the field.", verdict
            )
    return sorted(map(CustomFieldDefinition.from_row, rows), key=lambda definition: definition.id)


def _read(client: Client, options: ReadOptions) -> tuple[list[Row], Verdict]:
    pages = Pages(client, CUSTOM_FIELDS, options)
    rows = [row for page in FullScan(pages, ends_by_count=True).rows() for row in page]
    return rows, pages.stats.verdict
