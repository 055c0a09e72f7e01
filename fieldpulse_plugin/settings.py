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
from fieldpulse_api.http.limits.monthly_quota import MonthlyQuota
from fieldpulse_api.http.limits.rate_limiter import MAX_PACE
from fieldpulse_api.http.settings import API_URL, ClientSettings

from .output import hide

SHARED_SETTINGS: dict[str, dict[str, Any]] = {
    "api_key": {
        "type": "string",
        "secret": True,
        "minLength": 1,
        "title": "API key",
        "description": "The API key from FieldPulse support, sent in the header `x-api-key`. It is never logged.",
    },
    "api_key_file": {
        "type": "string",
        "minLength": 1,
        "title": "API key file",
        "description": "A file that contains only the API key, instead of `api_key`. It is read again when "
        "FieldPulse rejects the key, so that you can rotate the key during a run.",
    },
    "api_url": {
        "type": "string",
        "default": API_URL,
        "title": "API URL",
        "description": "The base URL of the API. It must be https; http is allowed for localhost (the sandbox).",
    },
    "profile_path": {
        "type": "string",
        "title": "Account profile",
        "description": "A file written by `fieldpulse doctor --profile`. Features that do not work on this account "
        "are then not tried in every run.",
    },
    "requests_per_second": {
        "type": "number",
        "minimum": 0.001,
        "maximum": 50,
        "default": MAX_PACE,
        "title": "Requests per second",
        "description": "The rate limit: how many requests may start in any second. "
        f"FieldPulse rejects more than 50 per API key. More than {MAX_PACE} counts as {MAX_PACE}: the rest is room for "
        "delays on the way.",
    },
    "rate_limit_store": {
        "type": "string",
        "writeOnly": True,  # a URL may hold a password
        "default": "file",
        "title": "Rate limit store",
        "description": "`file`: all processes of this user on this machine share the rate limit of an API key. "
        "`memory`: each process has its own. A URL: all machines share it, through Redis (`redis://…` or `rediss://…`, "
        "with the extra `redis`) or PostgreSQL (`postgresql://…`, with the extra `postgres`).",
    },
    "requests_per_second_without_store": {
        "type": "number",
        "minimum": 0.001,
        "maximum": 50,
        "title": "Requests per second without store",
        "description": "How many requests each process may start in a second while the server of `rate_limit_store` is "
        "lost. By default, the run ends.",
    },
    "monthly_quota": {
        "type": "integer",
        "minimum": 1,
        "title": "Monthly quota",
        "description": "How many requests may be sent with the API key in a calendar month (UTC). The "
        "`rate_limit_store` counts them, for all that use it. A run that needs more ends with exit status 3 and keeps "
        "its state. By default, only FieldPulse's own quota ends a run; its size is not published.",
    },
    "monthly_quota_reserve": {
        "type": "integer",
        "minimum": 0,
        "default": 0,
        "title": "Reserve of the monthly quota",
        "description": "How many requests of `monthly_quota` are not sent, so that they are left for other programs "
        "that use the key.",
    },
    "history_days": {
        "type": "integer",
        "minimum": 0,
        "default": 90,
        "title": "Days of history",
        "description": "How long the history of runs is stored, which `fieldpulse status` and `fieldpulse runs` show. "
        "It is beside the tap's snapshot or the target's ledger. 0 stores none.",
    },
    "timeout_seconds": {
        "type": "number",
        "exclusiveMinimum": 0,
        "maximum": 3600,
        "default": 60,
        "title": "Timeout",
        "description": "How long to wait for a response, in seconds. FieldPulse's gateway times out after about 29.",
    },
    "timezone": {
        "type": "string",
        "default": "UTC",
        "title": "Time zone",
        "description": "The time zone of API timestamps that carry none, as an IANA name. All known accounts use UTC.",
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
    history_days: int

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
    api_key = ApiKey.from_config(config)
    hide(api_key.value)
    requests_per_second, store = min(float(values["requests_per_second"]), MAX_PACE), str(values["rate_limit_store"])
    quota, open_rate_limiter = _monthly_quota(values), None
    if store not in ("file", "memory"):
        from .rate_limit_stores.opening import shared_limiter  # noqa: PLC0415  few use it

        rate_without_store = values["requests_per_second_without_store"]
        share = None if rate_without_store is None else min(float(rate_without_store), requests_per_second)
        open_rate_limiter = shared_limiter(store, requests_per_second, share, quota)
    return ClientSettings(
        api_key=api_key,
        api_url=str(values["api_url"]),
        requests_per_second=requests_per_second,
        rate_limit_store="memory" if store == "memory" else "file",
        open_rate_limiter=open_rate_limiter,
        monthly_quota=quota,
        timeout_seconds=float(values["timeout_seconds"]),
        zone=time_zone(config),
        profile=account_profile(config),
    )


def _monthly_quota(values: Mapping[str, Any]) -> MonthlyQuota | None:
    requests, reserve = values["monthly_quota"], int(values["monthly_quota_reserve"])
    if requests is not None:
        return MonthlyQuota(int(requests), reserve)
    if reserve:
        raise ConfigError(
            "A reserve has no effect without a monthly quota.",
            where="setting monthly_quota_reserve",
            hint="set monthly_quota too, or remove the reserve",
        )
    return None


def account_profile(config: Mapping[str, Any]) -> AccountProfile:
    """Return the profile that `profile_path` names, or an empty one. Raises: ConfigError."""
    path = config.get("profile_path")
    return AccountProfile.read(str(path)) if path else AccountProfile()


def time_zone(config: Mapping[str, Any]) -> tzinfo:
    """Return the time zone of API timestamps that carry none. Raises: ConfigError."""
    return zone_of(str(config.get("timezone", "UTC")), "timezone")


def zone_of(name: str, setting: str) -> tzinfo:
    """Return the time zone that a setting names. Raises: ConfigError."""
    if name.upper() == "UTC":
        return timezone.utc
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        raise ConfigError(
            f"Unknown time zone {name!r}.",
            where=f"setting {setting}",
            hint="use an IANA name such as UTC or America/Chicago",
        ) from None
