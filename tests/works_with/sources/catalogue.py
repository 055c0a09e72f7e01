"""All sources."""

from __future__ import annotations

from .databases import MAPPER, POSTGRES
from .files import CSV, JSON_LINES, SPREADSHEETS_CSV, WORKBOOK
from .sent_back import OWN, WAREHOUSE
from .vendors import HUBSPOT, HUBSPOT_RECIPE, HUBSPOT_SINGER, SALESFORCE, SALESFORCE_RECIPE, ZENDESK

SOURCES = {
    source.name: source
    for source in (
        *(POSTGRES, MAPPER, CSV, SPREADSHEETS_CSV, WORKBOOK, JSON_LINES),
        *(HUBSPOT, HUBSPOT_RECIPE, HUBSPOT_SINGER, SALESFORCE, SALESFORCE_RECIPE, ZENDESK, OWN, WAREHOUSE),
    )
}
