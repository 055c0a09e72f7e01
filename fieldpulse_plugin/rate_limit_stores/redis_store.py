"""Rate limits in Redis: a script carries each operation out, in one round trip."""

from __future__ import annotations

import re
from pathlib import Path

from fieldpulse_api.errors import ConfigError
from fieldpulse_api.http.limits.monthly_quota import MAX_CLOCK_STEP_SECONDS, UNLIMITED
from fieldpulse_api.http.limits.rate_limiter import (
    MAX_PAUSE_SECONDS,
    MAX_ROOM_SECONDS,
    MAX_SECONDS_AHEAD,
    SECONDS_BEFORE_START,
    Operation,
    View,
)

from .store import SILENCE_SECONDS, StoreLost, refusal

_NO_PERMISSION = "can't run this command"  # within a script
_TEMPORARY = re.compile("LOADING|READONLY|MASTERDOWN|MISCONF|NOREPLICAS|OOM")
"""What an operator mends, or a failover: Redis accepts no writes."""
_LIMITS = (MAX_SECONDS_AHEAD, MAX_ROOM_SECONDS, MAX_PAUSE_SECONDS, MAX_CLOCK_STEP_SECONDS, UNLIMITED)


class RedisStore:
    """The state of one key in Redis 5 or later, as a hash, and the month's count as another.

    Redis runs nothing beside a script, so an operation needs no lock, and a client that is stopped delays no other.

    Raises: ImportError without redis-py; ValueError for an invalid URL.
    """

    def __init__(self, url: str, key_hash: str, address: str) -> None:
        import redis  # noqa: PLC0415  of the extra
        from redis.backoff import NoBackoff  # noqa: PLC0415
        from redis.retry import Retry  # noqa: PLC0415

        self._errors, self._address = redis.exceptions, address
        self._name = f"fieldpulse:rate-limit:{key_hash}"
        self._month_name = f"{self._name}:month"
        self._client = redis.Redis.from_url(
            url,
            socket_connect_timeout=SILENCE_SECONDS,
            socket_timeout=SILENCE_SECONDS,
            retry=Retry(NoBackoff(), 0),  # the limiter decides how often
        )
        self._script = self._client.register_script((Path(__file__).parent / "slots.lua").read_text())

    def apply(self, operation: Operation, interval: float) -> View:
        """Carry an operation out; see `SlotStore`."""
        errors = self._errors
        try:
            numbers = ["" if number is None else number for number in operation]
            answer = self._script(
                keys=[self._name, self._month_name], args=[*numbers, max(SECONDS_BEFORE_START, interval), *_LIMITS]
            )
        except (errors.AuthenticationError, errors.AuthorizationError, errors.NoPermissionError):
            raise self._refusal() from None
        except errors.TimeoutError:
            raise StoreLost("it does not answer") from None
        except errors.RedisError as error:
            text = str(error)
            if _NO_PERMISSION in text:
                raise self._refusal() from None
            if code := _TEMPORARY.search(text):
                raise StoreLost(f"it answers {code[0]}") from None
            if isinstance(error, (errors.ReadOnlyError, errors.OutOfMemoryError)):  # since Redis 7, without the code
                raise StoreLost("it accepts no writes") from None
            if isinstance(error, errors.ConnectionError):
                raise StoreLost("no connection to it") from None
            hint = "use Redis 5 or later, not a cluster"
            raise refusal(type(error).__name__, self._address, hint) from None
        now, slot, began_at, paused_until, counted_since, requests = map(float, answer)
        return View(now, slot, began_at, paused_until, counted_since, int(requests))

    def _refusal(self) -> ConfigError:
        hint = "correct the URL, and let the user run EVALSHA, SCRIPT LOAD and the commands of the script"
        return refusal("it refuses the user, the password or a command", self._address, hint)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()
