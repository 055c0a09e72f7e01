"""The API key: given as it is, or in a file that is read again once the key was refused, so that it can be rotated."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from typing_extensions import override

from fieldpulse_api.errors import ConfigError

_MOST_CHARACTERS = 4096


class ApiKey:
    """The key of an account. `repr` and `str` do not show it; `value` does."""

    def __init__(self, value: str, path: Path | None = None) -> None:
        self.value = value
        self._path = path

    @override
    def __repr__(self) -> str:
        return "ApiKey(…)"

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> ApiKey:
        """Return the key that a configuration gives.

        Raises: BadSetting where there is none, two, or one that no header can carry.
        """
        value, file = config.get("api_key"), config.get("api_key_file")
        if value and file:
            raise ConfigError(
                "The API key is given twice.", where="settings api_key and api_key_file", hint="leave one of them out"
            )
        if file:
            path = Path(str(file))
            return cls(_of_file(path), path)
        if not value:
            raise ConfigError(
                "There is no API key.",
                where="setting api_key",
                hint="set TAP_FIELDPULSE_API_KEY or TARGET_FIELDPULSE_API_KEY, or …_API_KEY_FILE "
                "(`fieldpulse doctor` takes either)",
            )
        return cls(_checked(str(value), "setting api_key"))

    def renew(self, refused: str) -> bool:
        """Read the file again, if the key came from one; say whether there is now another key than the refused one."""
        if self._path and self.value == refused:
            try:
                self.value = _of_file(self._path)
            except ConfigError:  # it is just being replaced, or is gone: what FieldPulse said of the old one counts
                return False
        return self.value != refused


def has_key(config: Mapping[str, Any]) -> bool:
    """Say whether a configuration gives a key; discovery does without one."""
    return bool(config.get("api_key") or config.get("api_key_file"))


def _of_file(path: Path) -> str:
    where = f"setting api_key_file · {path}"
    try:
        with path.open(encoding="ascii", errors="replace") as file:
            return _checked(file.read(_MOST_CHARACTERS + 1).strip(), where)
    except (OSError, ValueError) as error:
        what = f"The file of the API key cannot be read ({getattr(error, 'strerror', None) or 'no path'})."
        raise ConfigError(
            what, where=where, hint="give the path of a file that holds the key and nothing else"
        ) from None


def _checked(key: str, where: str) -> str:
    if 0 < len(key) <= _MOST_CHARACTERS and key.isascii() and key.isprintable() and " " not in key:
        return key
    what = "The API key is empty or too long, or has spaces or characters that no key has."
    raise ConfigError(what, where=where, hint="give the key as FieldPulse's support issued it, and nothing else")
