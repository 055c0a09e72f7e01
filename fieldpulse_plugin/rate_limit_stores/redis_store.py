"""Rate limits in Redis: a script carries each operation out, in one round trip."""

from __future__ import annotations

from pathlib import Path

from fieldpulse_api.http.rate_limiter import (
    MAX_PAUSE_SECONDS,
    MAX_ROOM_SECONDS,
    MAX_SECONDS_AHEAD,
    SECONDS_BEFORE_START,
    Operation,
    View,
)

from .store import SILENCE_SECONDS, StoreLost, refusal

_LIMITS = (MAX_SECONDS_AHEAD, MAX_ROOM_SECONDS, MAX_PAUSE_SECONDS)


class RedisStore:
    """The state of one key in Redis 5 or later, as a hash.

    Redis runs nothing beside a script, so an operation needs no lock, and a client that is stopped delays no other.

    Raises: ImportError without redis-py; ValueError for an invalid URL.
    """

    def __init__(self, url: str, key_hash: str, address: str) -> None:
        import redis  # noqa: PLC0415  of the extra
        from redis.backoff import NoBackoff  # noqa: PLC0415
        from redis.retry import Retry  # noqa: PLC0415

        self._errors, self._address = redis.exceptions, address
        self._name = f"fieldpulse:rate-limit:{key_hash}"
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
            answer = self._script(keys=[self._name], args=[*operation, max(SECONDS_BEFORE_START, interval), *_LIMITS])
        except (errors.AuthenticationError, errors.AuthorizationError, errors.NoPermissionError):
            reason = "it refuses the user, the password or a command"
            hint = "correct the URL, and let the user run EVALSHA, SCRIPT LOAD and the commands of the script"
            raise refusal(reason, self._address, hint) from None
        except errors.TimeoutError:
            raise StoreLost("it does not answer") from None
        except (errors.BusyLoadingError, errors.ReadOnlyError):
            raise StoreLost("it is starting, or a replica") from None
        except errors.ConnectionError:
            raise StoreLost("no connection to it") from None
        except errors.RedisError as error:
            raise refusal(type(error).__name__, self._address, "use Redis 5 or later, not a cluster") from None
        return View(*map(float, answer))

    def close(self) -> None:
        """Close the connections."""
        self._client.close()
