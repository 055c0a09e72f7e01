"""The API key: a value, or a file that is read again after FieldPulse rejected its key, so that it can be rotated."""

from __future__ import annotations

import errno
import logging
import os
import select
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from typing_extensions import override

from fieldpulse_api.errors import ConfigError

_LOGGER = logging.getLogger(__name__)
_MAX_CHARACTERS = 4096
_MAX_SECONDS = 5  # for a pipe, such as that of `<(pass show fieldpulse)`


class ApiKey:
    """The key of an account. Only `value` shows it, `repr` and `str` do not. `path` is its file, if it has one."""

    def __init__(self, value: str, path: Path | None = None) -> None:
        self.value = value
        self.path = path

    @override
    def __repr__(self) -> str:
        return "ApiKey(…)"

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> ApiKey:
        """Return the key that the settings `api_key` or `api_key_file` name.

        Raises: ConfigError if neither or both are set, or if the key cannot be sent in a header.
        """
        value, file = config.get("api_key"), config.get("api_key_file")
        if value and file:
            raise ConfigError(
                "Both `api_key` and `api_key_file` are set.",
                where="settings api_key and api_key_file",
                hint="remove one of them",
            )
        if file:
            path = Path(str(file))
            return cls(_read_file(path), path)
        if not value:
            raise ConfigError(
                "The API key is missing.",
                where="setting api_key",
                hint="set TAP_FIELDPULSE_API_KEY or TARGET_FIELDPULSE_API_KEY, or …_API_KEY_FILE "
                "(`fieldpulse doctor` accepts either)",
            )
        return cls(_valid_key(str(value).strip(), "setting api_key"))

    def renew(self, rejected: str) -> bool:
        """Read the file again if `rejected` is still the current key; return whether the key differs from it now."""
        if self.path and self.value == rejected:
            try:
                self.value = _read_file(self.path)
            except ConfigError:  # the file is being replaced: report the rejected key instead
                return False
            if self.value != rejected:
                _LOGGER.info("FieldPulse rejected the API key. Its file holds another key: using that one.")
        return self.value != rejected


def has_key(config: Mapping[str, Any]) -> bool:
    """Return whether the settings name a key. Discovery does not need one."""
    return bool(config.get("api_key") or config.get("api_key_file"))


def _read_file(path: Path) -> str:
    where = f"setting api_key_file · {path}"
    try:
        return _valid_key(_read(path).decode("ascii", errors="replace").strip(), where)
    except (OSError, ValueError) as error:  # ValueError: the path itself is not valid
        reason = getattr(error, "strerror", None) or "not a path"
        raise ConfigError(
            f"The API key file cannot be read ({reason}).",
            where=where,
            hint="set the path of a file that holds the key and nothing else",
        ) from None


def _read(path: Path) -> bytes:
    """Return the first bytes of a file. A pipe without a writer is empty, and a writer that is mute is an error."""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb", buffering=0) as file:
        content = b""
        while len(content) <= _MAX_CHARACTERS:
            if not select.select([file], [], [], _MAX_SECONDS)[0]:
                raise TimeoutError(errno.ETIMEDOUT, "no process writes to it")
            part = file.read(_MAX_CHARACTERS + 1)
            if not part:
                break
            content += part
        return content


def _valid_key(key: str, where: str) -> str:
    if 0 < len(key) <= _MAX_CHARACTERS and key.isascii() and key.isprintable() and " " not in key:
        return key
    raise ConfigError(
        "The API key is empty, too long, or contains spaces or special characters.",
        where=where,
        hint="set the key as FieldPulse's support issued it, and nothing else",
    )
