"""The file of refused events (`--refused`): a JSON line for each, so that what was put aside can be sent again."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import msgspec

from fieldpulse_api.values.scalars import iso_timestamp
from fieldpulse_plugin.stores.private_files import check_distinct, open_private, write_whole
from fieldpulse_plugin.stores.urls import files_of_store
from tap_fieldpulse.settings import TapSettings

_OPTION = "--refused"


class RefusedFile:
    """A file that only its owner can read, to which refused events are appended.

    Raises: ConfigError if it cannot be written, or is a store or the file of the key.
    """

    def __init__(self, path: Path, settings: TapSettings) -> None:
        key_path = settings.client.api_key.path if settings.client else None
        stores = files_of_store("snapshot", settings.snapshot_url)
        check_distinct({**stores, "api_key_file": key_path, "report_path": settings.report_path, _OPTION: path})
        self._path, self._file = path, open_private(path, _OPTION, appends=True)

    def append(self, body: bytes, status: int) -> None:
        """Append an event; it is on the disk when this returns. Raises: ConfigError."""
        now = iso_timestamp(datetime.now(timezone.utc))
        line = {"refused_at": now, "status": status, "event": msgspec.Raw(body)}
        write_whole(self._file, msgspec.json.encode(line) + b"\n", self._path, _OPTION)
