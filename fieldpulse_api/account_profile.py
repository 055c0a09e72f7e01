"""What was found out about an account: `fieldpulse doctor` writes it, tap and target read it.

Nothing becomes right or wrong by it: what it says does not work is not tried again, and all else is checked as ever.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import msgspec

from fieldpulse_api.resources.model import Resource

from .errors import ConfigError

VERSION = 1
_MOST_BYTES = 2**20


class ListFacts(msgspec.Struct, kw_only=True):
    """What a list does. None is what was not found out: too few rows, or no request left to ask.

    `is_there` says whether this plan has it; `sorts` whether it does so by a column; `filters` whether it heeds a
    filter on the time of the last change. Fields are held against the catalogue's.
    """

    is_there: bool | None = None
    counts: Literal["free", "asked", "never"] | None = None
    count_key: str | None = None
    pages: bool | None = None
    limits: bool | None = None
    sorts: dict[str, bool] = {}
    filters: bool | None = None
    unknown_fields: list[str] = []
    missing_fields: list[str] = []
    time_forms: list[str] = []


class WriteFacts(msgspec.Struct, kw_only=True):
    """What writing a customer showed. Statuses are HTTP's.

    `put_repeats_names` says whether a PUT has to name the customer again, `null_clears` and `empty_clears` what in it
    clears a text, the others what is understood.
    """

    create_status: int | None = None
    create_returns_row: bool | None = None
    validation_status: int | None = None
    put_merges: bool | None = None
    put_repeats_names: bool | None = None
    null_clears: bool | None = None
    empty_clears: bool | None = None
    unix_times: bool | None = None
    text_times: bool | None = None
    short_object_type: bool | None = None
    class_object_type: bool | None = None
    delete_status: int | None = None
    deleted_status: int | None = None
    times_are_utc: bool | None = None


class AccountProfile(msgspec.Struct, kw_only=True):
    """The answers of one account, without its key, its name or anything of its rows.

    `beside` are the keys of the envelope besides the rows; `over_limit` is what a limit above 100 does.
    """

    version: int = VERSION
    asked_at: str = ""
    envelope_extras: list[str] = []
    version_is_wrapped: bool | None = None
    past_the_end: Literal["empty", "rows", "error"] | None = None
    over_limit: Literal["honoured", "100", "fewer", "refused"] | None = None
    times_fit_zone: bool | None = None
    lists: dict[str, ListFacts] = {}
    writes: WriteFacts = msgspec.field(default_factory=WriteFacts)

    @classmethod
    def read(cls, path: str) -> AccountProfile:
        """Return the profile in a file. Raises: BadSetting."""
        where, do = f"setting profile_path · {path}", "write it with `fieldpulse doctor --profile FILE`"
        try:
            with Path(path).open("rb") as file:
                profile = msgspec.json.decode(file.read(_MOST_BYTES), type=cls)
        except (OSError, ValueError, RecursionError) as error:
            what = f"The profile cannot be read ({getattr(error, 'strerror', None) or type(error).__name__})."
            raise ConfigError(what, where=where, hint=do) from None
        if profile.version != VERSION:
            raise ConfigError(f"The profile has version {profile.version}, not {VERSION}.", where=where, hint=do)
        return profile

    def write(self, path: Path) -> None:
        """Write the profile, as JSON that people can read."""
        beside = path.with_name(f"{path.name}.new")
        beside.write_bytes(msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n")
        beside.replace(path)

    def plain(self) -> Any:
        """Return the profile as JSON has it."""
        return msgspec.to_builtins(self)

    def lacks(self, resource: Resource) -> bool:
        """Say whether the account's plan was found not to have this list; of one below a row it cannot be told."""
        return self.of(resource).is_there is False and not resource.parent

    def of(self, resource: Resource) -> ListFacts:
        """Return what is known of a list."""
        return self.lists.get(resource.name, ListFacts())
