"""The account that a key belongs to: data is stored under its id, because the key may be replaced."""

from __future__ import annotations

import hashlib
import logging

from fieldpulse_api.errors import RowNotFound, UnexpectedResponse
from fieldpulse_api.http.client import Client

_LOGGER = logging.getLogger(__name__)
_COMPANY_COLUMN = "company_id"  # on nearly every row, with the same value in each list (verified)
# Users and teams are never empty: a key acts as one user, in one team, of one company (observed on the vendor's host).
_PATHS = ("/users", "/teams", "/customers", "/jobs/status-workflows", "/jobs", "/pipeline-status", "/lead-source")


def read_account_id(client: Client) -> str:
    """Return the id of the company as text; `provisional_account_id` if no list shows it."""
    for path in _PATHS:
        try:
            rows = client.get(path, {"page": "1", "limit": "1"}).data
        except (RowNotFound, UnexpectedResponse):
            continue
        if isinstance(rows, list) and rows and isinstance(rows[0], dict) and rows[0].get(_COMPANY_COLUMN):
            return str(rows[0][_COMPANY_COLUMN])
    _LOGGER.warning("No list shows the id of the company: use separate stores for each FieldPulse account")
    return provisional_account_id(client)


def provisional_account_id(client: Client) -> str:
    """Return the id of an account whose company is not known: a hash of `api_url`."""
    return hashlib.sha256(client.settings.api_url.encode()).hexdigest()[:16]
