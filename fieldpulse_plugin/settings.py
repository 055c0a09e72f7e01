"""Settings that tap and target share: their JSON Schema, and their typed form, parsed once per process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from typing_extensions import Self

from fieldpulse_api.account_profile import AccountProfile
from fieldpulse_api.errors import ConfigError
from fieldpulse_api.http.api_key import ApiKey, has_key
from fieldpulse_api.http.settings import API_URL, ClientSettings

SHARED_SETTINGS: dict[str, dict[str, Any]] = {
    "api_key": {
        "type": "string",
        "secret": True,
        "minLength": 1,
        "title": "API key",
        "description": "The key that FieldPulse's support issues, sent as `x-api-key`. It is never logged.",
    },
    "api_key_file": {
        "type": "string",
        "minLength": 1,
        "title": "API key file",
        "description": "Instead of `api_key`: a file that holds the key and nothing else. It is read again when "
        "FieldPulse refuses the key, so that the key can be replaced while a run goes on.",
    },
    "api_url": {
        "type": "string",
        "default": API_URL,
        "title": "API address",
        "description": "Where the API is. Must be https, unless it is this machine (the sandbox).",
    },
    "profile_path": {
        "type": "string",
        "title": "Profile",
        "description": "A file that `fieldpulse doctor --profile` wrote: what it found not to work on this account is "
        "not tried in every run.",
    },
    "requests_per_second": {
        "type": "number",
        "exclusiveMinimum": 0,
        "maximum": 50,
        "default": 45,
        "title": "Requests per second",
        "description": "How many requests may start in any second, by everything that shares the budget. "
        "FieldPulse refuses more than 50 per key.",
    },
    "rate_limit_store": {
        "type": "string",
        "enum": ["file", "memory"],
        "default": "file",
        "title": "Budget store",
        "description": "`file`: all processes of this user and machine with this key share one budget. "
        "`memory`: this process alone.",
    },
    "timeout_seconds": {
        "type": "number",
        "exclusiveMinimum": 0,
        "maximum": 3600,
        "default": 60,
        "title": "Timeout",
        "description": "How long to wait for an answer, in seconds. FieldPulse's gateway gives up at about 29.",
    },
    "timezone": {
        "type": "string",
        "default": "UTC",
        "title": "Time zone",
        "description": "The zone of timestamps that come without one, as an IANA name. They are UTC on every "
        "account seen so far.",
    },
}


@dataclass(frozen=True, kw_only=True)
class PluginSettings:
    """Settings that tap and target share. Each adds its own in a subclass, with fields named like the settings.

    `client` is None without an API key, which discovery does not need. `zone` is the time zone of API timestamps that
    carry none.
    """

    client: ClientSettings | None
    zone: tzinfo
    profile: AccountProfile

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Return the settings of a validated configuration with its defaults filled in.

        This reads the key file and the profile file. A setting without a default that is not given is None.

        Raises: ConfigError.
        """
        client = client_settings(config) if has_key(config) else None
        shared = {
            "client": client,
            "zone": time_zone(config),
            "profile": client.profile if client else account_profile(config),
        }
        own = {field.name: config.get(field.name) for field in fields(cls) if field.name not in shared}
        return cls(**shared, **own)  # type: ignore[arg-type]  # JSON Schema has checked the types


def client_settings(config: Mapping[str, Any]) -> ClientSettings:
    """Return the client settings of a validated configuration; missing settings take their defaults.

    Raises: ConfigError.
    """
    values = {name: config.get(name, schema.get("default")) for name, schema in SHARED_SETTINGS.items()}
    return ClientSettings(
        api_key=ApiKey.from_config(config),
        api_url=str(values["api_url"]),
        requests_per_second=float(values["requests_per_second"]),
        rate_limit_store="memory" if values["rate_limit_store"] == "memory" else "file",
        timeout_seconds=float(values["timeout_seconds"]),
        zone=time_zone(config),
        profile=account_profile(config),
    )


def account_profile(config: Mapping[str, Any]) -> AccountProfile:
    """Return the profile that `profile_path` names, or an empty one. Raises: ConfigError."""
    path = config.get("profile_path")
    return AccountProfile.read(str(path)) if path else AccountProfile()


def time_zone(config: Mapping[str, Any]) -> tzinfo:
    """Return the time zone of API timestamps that carry none. Raises: ConfigError."""
    name = str(config.get("timezone", "UTC"))
    if name.upper() == "UTC":
        return timezone.utc
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        raise ConfigError(
            f"Unknown time zone {name!r}.",
            where="setting timezone",
            hint="use an IANA name such as UTC or America/Chicago",
        ) from None
