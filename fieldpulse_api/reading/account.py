"""Which account a key belongs to: what is stored about it must not depend on the key, which may be replaced."""

from __future__ import annotations

import hashlib
import logging

from fieldpulse_api.errors import RowNotFound, UnexpectedResponse
from fieldpulse_api.http.client import Client

_LOGGER = logging.getLogger(__name__)
_COLUMN = "company_id"  # on nearly every row (V): whichever list shows it, it is the same
# Users and teams are never empty: one key acts as one user, in one team, of one company (V*).
_PLACES = ("/users", "/teams", "/customers", "/jobs/status-workflows", "/jobs", "/pipeline-status", "/lead-source")


def read_account_id(client: Client) -> str:
    """Return the company's id as text; where no list shows it, `address_name`."""
    for path in _PLACES:
        try:
            rows = client.get(path, {"page": "1", "limit": "1"}).data
        except (RowNotFound, UnexpectedResponse):
            continue
        if isinstance(rows, list) and rows and isinstance(rows[0], dict) and rows[0].get(_COLUMN):
            return str(rows[0][_COLUMN])
    _LOGGER.warning("No list shows the company's id: give each FieldPulse account stores of its own")
    return provisional_account_id(client)


def provisional_account_id(client: Client) -> str:
    """Return a name for the API's address: what an account is called until its id is known."""
    return hashlib.sha256(client.settings.api_url.encode()).hexdigest()[:16]
